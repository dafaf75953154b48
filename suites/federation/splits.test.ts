/** Two real servers that can not reach each other for a while, and what becomes of their room afterwards. */
import { HarnessError } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { ASK_STATE_AFTER, stateAfter } from "#harness/match/state-after";
import { EVENT, SEND } from "#harness/peer/meeting";
import { slot, stateShown } from "#harness/peer/room-state";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { room, type Session } from "#harness/world/session";
import { converge, cut, NUDGE, promote, share, split } from "#harness/world/sharing";
import { domainOf } from "#protocol/auth/auth-event";
import { history } from "./history.ts";

const MEMBER_STATE = "/_matrix/client/v3/rooms/*/state/m.room.member/*";
const MESSAGES = "/_matrix/client/v3/rooms/*/messages";
const NOT_FOUND = { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } };
const STATE_MS = 15_000;
const OWN_SERVERS = { isolated: {}, deadlineMs: 120_000 };

/** @throws CheckFailure when there is none. */
async function answerOf(request: Promise<HttpResponse>): Promise<HttpResponse> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof HarnessError && error.code === "HS_NO_ANSWER")) throw error;
    fail("an answer", error.what);
  }
}

/** Bodies of what the sender has sent, without nudges, oldest first, each as often as it is there. */
async function bodies(session: Session, roomId: string, sender: Session) {
  const events = await history(session, roomId);
  return events
    .filter(({ type, sender: name }) => type === "m.room.message" && name === sender.userId)
    .map(({ content }) => content.body)
    .filter((body) => body !== NUDGE)
    .reverse();
}

check(
  "FED.chaos.catch-up-nudged",
  "the servers have all events of both sides after a split and a message from each",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer("loses what was sent in the split", { path: EVENT }, NOT_FOUND),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;

    const between = await split(world);
    const ids = [];
    for (const text of ["1", "2", "3"]) {
      ids.push(await alice.send(roomId, `alice ${text}`), await bob.send(roomId, `bob ${text}`));
    }
    ids.push(await alice.setState(roomId, "m.room.topic", { topic: "in the split" }));
    await between.untilTried();
    await between.heal();

    await converge(world, shared, ids);
  },
);

check(
  "FED.chaos.catch-up-nudged",
  "the server comes to the state of a room although a split began when it had hardly joined",
  {
    ...OWN_SERVERS,
    mutant: {
      name: "has no state",
      rules: [
        {
          match: { path: "/_matrix/client/v3/rooms/*/state" },
          phase: "before",
          action: { kind: "answer", ...NOT_FOUND },
        },
      ],
    },
  },
  async (world) => {
    const [alice, bob] = [await world.user("alice"), await world.user("bob", "hs2")];
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const cuts = [];
    for (const name of ["state", "state_ids"]) {
      const match = { from: "hs2", to: "hs1", path: `/_matrix/federation/v1/${name}/*` };
      cuts.push(await world.fault(match, "before", { kind: "reset" }));
    }

    await bob.join(roomId, alice);
    await world.quietPeriod(3_000);
    for (const one of cuts) await one[Symbol.asyncDispose]();
    await Promise.all([alice.send(roomId, NUDGE), bob.send(roomId, NUDGE)]);

    const target = path`/_matrix/client/v3/rooms/${roomId}/state`;
    const response = await answerOf(bob.request("GET", target, { timeoutMs: STATE_MS }));
    expectStatus(response, 200);
  },
);

check(
  "FED.chaos.one-way",
  "the servers lose and double nothing when only one can not reach the other",
  {
    ...OWN_SERVERS,
    mutant: [
      altersAnswer("loses what was sent meanwhile", { path: EVENT }, NOT_FOUND),
      altersAnswer(
        "shows a message twice",
        { path: MESSAGES },
        { replace: [['"body":"alice 1"', '"body":"alice 2"']] },
      ),
    ],
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;

    const oneWay = await cut(world, "hs1", "hs2");
    const ids = [await alice.send(roomId, "alice 1"), await alice.send(roomId, "alice 2")];
    await oneWay.untilTried();
    const heard = await bob.send(roomId, "bob");
    await alice.syncUntilEvent(undefined, roomId, heard);
    await oneWay.heal();
    await converge(world, shared, ids);

    for (const session of [alice, bob]) {
      const seen = await bodies(session, roomId, alice);
      expectEqual(seen, ["alice 1", "alice 2"], `what ${session.userId} sees of alice`);
    }
  },
);

check(
  "FED.chaos.state-equal",
  "the servers agree on the state when each has changed the same keys in a split",
  {
    ...OWN_SERVERS,
    mutant: claims(
      "keeps to itself what it has",
      { from: "hs1", to: "hs2", path: SEND },
      { pdus: {} },
    ),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    await promote(shared);
    const charlie = await world.user("charlie");
    await charlie.join(roomId);

    const between = await split(world);
    await bob.setState(roomId, "m.room.topic", { topic: "bob" });
    await alice.setState(roomId, "m.room.topic", { topic: "alice" });
    await alice.setState(roomId, "m.room.join_rules", { join_rule: "invite" });
    await bob.setState(roomId, "m.room.join_rules", { join_rule: "knock" });
    await bob.setState(roomId, "m.room.name", { name: "bob" });
    await alice.ban(roomId, charlie);
    await between.untilTried();
    await between.heal();

    await converge(world, shared);
  },
);

check(
  "FED.chaos.participation",
  "the servers agree on who is in the room after joins and leaves on both sides of a split",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer(
      "still shows somebody who has left",
      { path: "/_matrix/client/v3/rooms/*/joined_members" },
      { set: { "/joined/@left:elsewhere.example": {} } },
    ),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const [carol, dave] = [await world.user("carol"), await world.user("dave", "hs2")];
    await dave.join(roomId, alice);

    const between = await split(world);
    await carol.join(roomId);
    await dave.leave(roomId);
    await alice.send(roomId, "in the split");
    await between.untilTried();
    await between.heal();
    await converge(world, shared);

    const expected = [alice, bob, carol].map(({ userId }) => userId).sort();
    for (const session of [alice, bob]) {
      const target = path`/_matrix/client/v3/rooms/${roomId}/joined_members`;
      const joined = at(ok(await session.get(target)), "joined");
      const users = Object.keys(isObject(joined) ? joined : {}).sort();
      expectEqual(users, expected, `who is in the room by ${session.server.serverName}`);
      const servers = new Set(users.map((user) => domainOf(user)));
      expectEqual(servers.size, 2, `servers in the room by ${session.server.serverName}`);
    }
  },
);

check(
  "FED.chaos.ban-holds",
  "the servers keep a ban although the banned user went on in a split",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer(
      "lets the rename undo the ban",
      { path: MEMBER_STATE },
      { set: { "/membership": "join" } },
    ),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    const mallory = await world.user("mallory", "hs2");
    await mallory.join(roomId, alice);

    const between = await split(world);
    await alice.ban(roomId, mallory);
    await mallory.setState(
      roomId,
      "m.room.member",
      { membership: "join", displayname: "renamed" },
      mallory.userId,
    );
    await mallory.send(roomId, "still here");
    await between.untilTried();
    await between.heal();
    await converge(world, shared);

    for (const session of [alice, bob]) {
      const member = await session.state(roomId, "m.room.member", mallory.userId);
      expectEqual(member?.membership, "ban", `the membership by ${session.server.serverName}`);
    }
  },
);

check(
  "FED.chaos.sync-equals-state",
  "the server tells a client all that a split and its end have changed",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer(
      "never tells of a topic",
      { path: "/_matrix/client/v3/sync" },
      { replace: [['"type":"m.room.topic"', '"type":"x.other"']] },
    ),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    await promote(shared);
    const folded = new Map<string, string>();
    let since: string | undefined;
    const fold = async () => {
      const body = await bob.sync({ since, query: ASK_STATE_AFTER });
      since = body.next_batch;
      const joined = room(body, "join", roomId);
      const changes = joined === undefined ? [] : stateAfter(joined);
      if (changes === undefined) {
        // Servers of v1.16 have to tell it, and others if they know it at all.
        if (folded.size === 0) world.needs("v1.16");
        fail("the state after the timeline", "none");
      }
      for (const { type, state_key = "", event_id } of changes)
        folded.set(slot(type, state_key), event_id);
    };
    await fold();

    const between = await split(world);
    await bob.setState(roomId, "m.room.topic", { topic: "bob" });
    await fold();
    await alice.setState(roomId, "m.room.topic", { topic: "alice" });
    await alice.setState(roomId, "m.room.name", { name: "alice" });
    await bob.setState(roomId, "m.room.join_rules", { join_rule: "invite" });
    await alice.setState(roomId, "m.room.join_rules", { join_rule: "knock" });
    await fold();
    await between.untilTried();
    await between.heal();
    await converge(world, shared);

    const state = await stateShown(bob, roomId);
    await world.eventually(async () => {
      await fold();
      const differing = [...state].filter(([key, id]) => folded.get(key) !== id);
      expectThat(differing.length === 0, "the folded state to be the state", differing);
    });
    expectEqual(folded.size, state.size, "keys of the folded state");
  },
);

check(
  "FED.chaos.alias-upgrade-split",
  "the servers agree on an upgrade in a split, and aliases still lead somewhere",
  {
    ...OWN_SERVERS,
    mutant: altersAnswer(
      "names no replacement",
      { path: "/_matrix/client/v3/rooms/*/state/m.room.tombstone/*" },
      { remove: ["/replacement_room"] },
    ),
  },
  async (world) => {
    const shared = await share(world);
    const { alice, bob, roomId } = shared;
    await promote(shared);
    const [first, second] = [world.name("#first"), world.name("#second")];
    const aliases = [`${first}:${alice.server.serverName}`, `${second}:${bob.server.serverName}`];
    const [ours = "", theirs = ""] = aliases;
    ok(await alice.put(path`/_matrix/client/v3/directory/room/${ours}`, { room_id: roomId }));
    await alice.setState(roomId, "m.room.canonical_alias", { alias: ours });

    const between = await split(world);
    ok(await bob.put(path`/_matrix/client/v3/directory/room/${theirs}`, { room_id: roomId }));
    await bob.setState(roomId, "m.room.canonical_alias", { alias: theirs });
    const upgraded = await alice.post(path`/_matrix/client/v3/rooms/${roomId}/upgrade`, {
      new_version: "11",
    });
    const replacement = at(ok(upgraded), "replacement_room");
    await between.untilTried();
    await between.heal();
    await converge(world, shared);

    for (const session of [alice, bob]) {
      const tombstone = await session.state(roomId, "m.room.tombstone");
      const what = `the replacement by ${session.server.serverName}`;
      expectEqual(tombstone?.replacement_room, replacement, what);
      for (const alias of aliases) {
        const target = path`/_matrix/client/v3/directory/room/${alias}`;
        const room = at(ok(await session.get(target)), "room_id");
        expectThat(room === roomId || room === replacement, `a room of both at ${alias}`, room);
      }
    }
    await bob.join(String(replacement), alice);
  },
);
