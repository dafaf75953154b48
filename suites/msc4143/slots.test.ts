/** Slots as servers hold them: MSC4143 §Slots, MSC4196 §Slot event. */
import { SLOT } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { slot, stateShown } from "#harness/peer/room-state";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { converge, promote, share, split } from "#harness/world/sharing";

/** As MSC4143 writes it; MSC4196 has it in capitals. */
const KEY = "m.call#room";
const OPEN: JsonObject = { status: "open", application: { type: "m.call" } };
const SLOTS = { path: `/_matrix/client/v3/rooms/*/state/${SLOT}/**` };
const NOT_FOUND = { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } };

check(
  "MSC4143.slot.state-key",
  "the server keeps a state key with a hash sign as it is",
  {
    mutant: [
      altersRequest(
        "cuts it off at the sign",
        { ...SLOTS, method: "PUT" },
        { head: [["%23room", ""]] },
      ),
      altersAnswer(
        "shows it without the sign",
        { method: "GET", path: "/_matrix/client/v3/rooms/*/state" },
        { replace: [["m.call#room", "m.call"]] },
      ),
      altersAnswer(
        "keeps another content",
        { ...SLOTS, method: "GET" },
        { remove: ["/application"] },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();

    await alice.setState(roomId, SLOT, OPEN, KEY);

    expectEqual(await alice.state(roomId, SLOT, KEY), OPEN, "the content of the slot");
    const whole = await alice.get(path`/_matrix/client/v3/rooms/${roomId}/state`);
    const events = Array.isArray(whole.json) ? whole.json : [];
    const keys = events.filter(({ type }) => type === SLOT).map(({ state_key }) => state_key);
    expectEqual(keys, [KEY], "the state keys of slots in the whole state", whole);
  },
);

check(
  "MSC4143.slot.power-level",
  "the server lets nobody without power open a slot",
  {
    mutant: [
      altersAnswer("lets everybody", { ...SLOTS, status: 403 }, { status: 200, body: {} }),
      altersAnswer("lets nobody", { ...SLOTS, status: 200 }, { status: 403 }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const target = path`/_matrix/client/v3/rooms/${roomId}/state/${SLOT}/${KEY}`;

    const byMember = await bob.put(target, OPEN);
    const byCreator = await alice.put(target, OPEN);

    expectMatrixError(byMember, 403, "M_FORBIDDEN");
    ok(byCreator);
  },
);

check(
  "MSC4143.slot.race-converges",
  "the servers agree on one slot after both sides of a split have opened it",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: altersAnswer("shows each its own", SLOTS, { set: { "/opened_by": "differs" } }),
  },
  async (world) => {
    const shared = await share(world);
    await promote(shared);
    const { alice, bob, roomId } = shared;
    const [ofAlice, ofBob] = [alice, bob].map(({ userId }) => ({ ...OPEN, opened_by: userId }));

    const between = await split(world);
    await alice.setState(roomId, SLOT, ofAlice ?? OPEN, KEY);
    await bob.setState(roomId, SLOT, ofBob ?? OPEN, KEY);
    await between.untilTried();
    await between.heal();
    await converge(world, shared);

    const [here, there] = await Promise.all(
      [alice, bob].map(async (session) => (await stateShown(session, roomId)).get(slot(SLOT, KEY))),
    );
    expectThat(here !== undefined, "a slot in the state", here);
    expectEqual(there, here, "the slot on the other server");
    const content = await alice.state(roomId, SLOT, KEY);
    const isOfOne = [ofAlice, ofBob].some((one) => one?.opened_by === content?.opened_by);
    expectThat(isOfOne, "the slot of one of the two", content);
    expectEqual(await bob.state(roomId, SLOT, KEY), content, "its content on the other server");
  },
);

check(
  "MSC4143.slot.room-upgrade",
  "the server takes slots over into the room that replaces another",
  { mutant: altersAnswer("leaves them behind", { ...SLOTS, method: "GET" }, NOT_FOUND) },
  async (world) => {
    world.needs("room-version:10");
    world.needs("room-version:11");
    const alice = await world.user("alice");
    const old = await alice.createRoom({ room_version: "10" });
    await alice.setState(old, SLOT, OPEN, KEY);

    const target = path`/_matrix/client/v3/rooms/${old}/upgrade`;
    const response = await alice.post(target, { new_version: "11" });

    const replacement = textAt(ok(response), "replacement_room");
    expectEqual(await alice.state(replacement, SLOT, KEY), OPEN, "the slot of the new room");
  },
);

check(
  "MSC4196.create.initial-slot",
  "the server makes a room with the slot that it is asked to have",
  {
    mutant: [
      claims("makes another room", { method: "GET", path: SLOTS.path }, {}),
      altersAnswer("leaves the slot out", { ...SLOTS, method: "GET" }, NOT_FOUND),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const roomId = await alice.createRoom({
      preset: "private_chat",
      initial_state: [{ type: SLOT, state_key: KEY, content: OPEN }],
    });

    expectEqual(await alice.state(roomId, SLOT, KEY), OPEN, "the slot");
  },
);
