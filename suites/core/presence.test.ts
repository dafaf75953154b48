import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { presenceOf, STATES, statusOf, untilPresence } from "./presence.ts";
import { SYNC } from "./syncs.ts";

const STATUS = "/_matrix/client/v3/presence/*/status";

check(
  "CS.presence.basic",
  "the server shows a status to those who share a room, in initial and incremental syncs",
  {
    mutant: [
      claims("stores nothing", { method: "PUT", path: STATUS }, {}),
      altersAnswer(
        "forgets the message",
        { method: "GET", path: STATUS },
        { remove: ["/status_msg"] },
      ),
      ...["initial", "incremental"].map((mark) =>
        altersAnswer(
          `tells nobody in ${mark} syncs`,
          { path: SYNC, contains: `mark=${mark}` },
          { set: { "/presence": { events: [] } } },
        ),
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(roomId), charlie.join(roomId)]);
    const since = await bob.syncToken();
    const status = { presence: "unavailable", status_msg: world.name("lunch") };

    const set = await alice.put(statusOf(alice), status);
    const got = await alice.get(statusOf(alice));

    expectEqual(ok(set), {}, "the answer", set);
    expectContains(ok(got), status, "the presence", got);
    await untilPresence(bob, since, alice, status);
    await untilPresence(charlie, undefined, alice, status, "initial");
  },
);

check(
  "CS.presence.basic",
  "the server shows presence that a sync sets",
  {
    mutant: ["unavailable", "online"].map((presence) =>
      altersRequest(
        `ignores set_presence=${presence}`,
        { path: SYNC, contains: `set_presence=${presence}` },
        { path: `${SYNC}?set_presence=offline` },
      ),
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const start = await bob.syncToken();

    await alice.sync({ query: { set_presence: "unavailable" } });
    const since = await untilPresence(bob, start, alice, { presence: "unavailable" });
    await alice.sync({ query: { set_presence: "online" } });
    await untilPresence(bob, since, alice, { presence: "online" });

    const { presence } = ok(await bob.get(statusOf(alice)));
    expectEqual(presence, "online", "the presence by GET");
  },
);

check(
  "CS.presence.basic",
  "the server shows the presence of a new member to the others and theirs to the member",
  {
    mutant: altersAnswer(
      "tells nobody",
      { path: SYNC, contains: "mark=incremental" },
      { set: { "/presence": { events: [] } } },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const user of [alice, bob]) ok(await user.put(statusOf(user), { presence: "online" }));
    const [sinceOfAlice, sinceOfBob] = await Promise.all([alice.syncToken(), bob.syncToken()]);

    await bob.join(roomId);

    await untilPresence(alice, sinceOfAlice, bob);
    await untilPresence(bob, sinceOfBob, alice);
  },
);

check(
  "CS.presence.basic",
  "the server shows presence from all the rooms that a user shares",
  {
    mutant: [0, 1].map((index) =>
      claims(
        `stores nothing for user ${index}`,
        { method: "PUT", path: STATUS, contains: `status of ${index}` },
        {},
      ),
    ),
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const members = [bob, charlie];
    for (const member of members) {
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await member.join(roomId);
    }
    const since = await alice.syncToken();
    const messages = members.map((_, index) => `status of ${index}`);

    for (const [index, member] of members.entries()) {
      const status = { presence: "unavailable", status_msg: messages[index] };
      ok(await member.put(statusOf(member), status));
    }

    const seen = new Set<unknown>();
    await alice.syncUntil(
      since,
      "presence of two users of different rooms",
      (body) => {
        for (const member of members) seen.add(presenceOf(member, body)?.status_msg);
        return messages.every((message) => seen.has(message)) || undefined;
      },
      { deadlineMs: 5_000 },
    );
  },
);

check(
  "CS.presence.forbidden",
  "the server refuses presence for another user and unknown states",
  {
    mutant: [
      claims("sets it for others", { method: "PUT", path: STATUS, contains: "spoofed" }, {}),
      claims("takes any state", { method: "PUT", path: STATUS, contains: '"zz"' }, {}),
      altersAnswer(
        "changes it nevertheless",
        { method: "GET", path: STATUS },
        { set: { "/status_msg": "spoofed" } },
      ),
    ],
  },
  async (world) => {
    const [bob, mallory] = await world.users("bob", "mallory");
    const roomId = await bob.createRoom({ preset: "public_chat" });
    await mallory.join(roomId);
    const status = { presence: "unavailable", status_msg: "my own" };
    ok(await bob.put(statusOf(bob), status));

    const spoofed = await mallory.put(statusOf(bob), { presence: "online", status_msg: "spoofed" });
    const unknown = await bob.put(statusOf(bob), { presence: "zz", status_msg: "unknown" });

    expectMatrixError(spoofed, 403, "M_FORBIDDEN");
    expectMatrixError(unknown, 400);
    expectContains(ok(await bob.get(statusOf(bob))), status, "the presence after the refusals");
  },
);

check(
  "CS.presence.forbidden",
  "the server shows a stranger's presence or refuses it",
  {
    mutant: [
      altersAnswer(
        "fails on strangers",
        { method: "GET", path: STATUS },
        { status: 500, body: { errcode: "M_UNKNOWN", error: "no" } },
      ),
      altersAnswer(
        "answers without presence",
        { method: "GET", path: STATUS },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const [alice, mallory] = await world.users("alice", "mallory");
    ok(await alice.put(statusOf(alice), { presence: "online" }));

    const response = await mallory.get(statusOf(alice));

    world.note(`the presence of a stranger answers ${response.status}`);
    if (response.status === 200) {
      const { presence } = ok(response);
      expectThat(STATES.includes(String(presence)), `one of ${STATES.join()}`, presence, response);
    } else {
      expectMatrixError(response, [403, 404]);
    }
  },
);
