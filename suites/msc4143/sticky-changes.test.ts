/** What comes of sticky events when they are redacted, and when users come and go (MSC4354 §Current /sync). */
import { STICKY } from "#harness/clients/rtc/names";
import { remainingOf } from "#harness/clients/rtc/sticky-map";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  chat,
  gather,
  HIDES,
  idsOf,
  pair,
  SECTION,
  SYNC,
  stick,
  sticksBesides,
  stuckIn,
  untilStuck,
} from "./sticky.ts";

const EVENTS = `${SECTION}/events`;

check(
  "MSC4354.redaction-section",
  "the server does not send a redacted event in the sticky section",
  { mutant: sticksBesides("sends it still") },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    const id = await stick(alice, roomId);
    const lasting = await stick(alice, roomId);
    await chat(alice, roomId, 1);
    const since = await bob.syncToken();
    const redact = path`/_matrix/client/v3/rooms/${roomId}/redact/${id}/${world.name("txn")}`;
    const redaction = String(ok(await alice.put(redact, {})).event_id);
    await bob.syncUntilEvent(since, roomId, redaction);

    const gathered = await gather(bob, roomId);

    expectEqual(stuckIn(gathered, roomId), [lasting], "the sticky section");
  },
);

check(
  "MSC4354.join.local",
  "the server sends a user who joins all that sticks, hidden history or not",
  { mutant: [HIDES, altersAnswer("leaves one out", { path: SYNC }, { remove: [`${EVENTS}/0`] })] },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const history = { history_visibility: "joined" };
    const roomId = await alice.createRoom({
      preset: "public_chat",
      initial_state: [{ type: "m.room.history_visibility", state_key: "", content: history }],
    });
    const sent = [await stick(alice, roomId), await stick(alice, roomId)];
    await chat(alice, roomId, 3);
    const since = await bob.syncToken();

    await bob.join(roomId);

    const { events } = await untilStuck(bob, since, roomId, sent);
    expectEqual(idsOf(events), sent, "the sticky events");
    for (const event of events)
      expectThat(remainingOf(event) !== undefined, "a remaining time", event.unsigned);
  },
);

check(
  "MSC4354.leave-room",
  "the server sends nothing that sticks to a user who is no longer in the room",
  {
    mutant: [
      altersAnswer(
        "has a section for rooms that were left",
        { path: SYNC },
        { set: { [`/rooms/leave/*/${STICKY}`]: { events: [] } } },
      ),
      altersAnswer(
        "shows the later event in the timeline",
        { path: SYNC },
        { replace: [['"reason":"out"', '"reason":"for ever"']] },
      ),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await pair(world);
    await stick(alice, roomId);
    const since = await bob.syncToken();
    await alice.kick(roomId, bob, "out");
    await stick(alice, roomId, { content: { text: "for ever" } });
    const last = await chat(alice, roomId, 1);
    await alice.syncUntilEvent(undefined, roomId, last);
    const filter = { room: { include_leave: true } };

    const answers = [await bob.sync({ filter }), await bob.sync({ since, filter })];

    for (const body of answers) {
      expectThat(at(body, "rooms", "leave", roomId) !== undefined, "the room as left", body);
      expectEqual(at(body, "rooms", "leave", roomId, STICKY), undefined, "a sticky section");
      const text = JSON.stringify(body);
      expectThat(!text.includes("for ever"), "nothing of the later event", text);
    }
  },
);
