/** State after the timeline where members are loaded lazily, by its name in v1.16 or by that of MSC4222. */
import { Unsupported } from "#harness/errors";
import type { JsonObject, MatrixEvent } from "#harness/match/json";
import { ASK_STATE_AFTER, stateAfter } from "#harness/match/state-after";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { room, timeline } from "#harness/world/session";
import { ids } from "./rooms.ts";
import { presentState, SYNC, stateIds, syncWith } from "./syncs.ts";

const MEMBER = "m.room.member";
const IN_SYNC = { path: SYNC, contains: "use_state_after" };
const KEYS = ["state_after", "org.matrix.msc4222.state_after"];

/** A filter with so many events of the timeline. */
function lazy(limit: number): JsonObject {
  return { room: { timeline: { limit }, state: { lazy_load_members: true } } };
}

/** Member events of a room's state. @throws Unsupported when the server tells state in the older way */
function membersAfter(
  body: JsonObject,
  section: "join" | "leave",
  roomId: string,
): readonly MatrixEvent[] {
  const events = stateAfter(room(body, section, roomId));
  if (events === undefined) throw new Unsupported("state_after", "the server tells state alone");
  return events.filter(({ type }) => type === MEMBER);
}

check(
  "CS.sync.state-after-joins",
  "the server tells of a member who was invited and has joined since",
  {
    mutant: altersAnswer("leaves members out of it", IN_SYNC, {
      replace: KEYS.map((key) => [`"${key}":{"events":[`, `"${key}":{"left_out":[`]),
    }),
  },
  async (world) => {
    const [alice, bob, carol] = await world.users("alice", "bob", "carol");
    // Of a room with a name the members are not told for the name's sake.
    const roomId = await alice.createRoom({ preset: "public_chat", name: "named" });
    await carol.join(roomId);
    const options = { filter: lazy(10), query: ASK_STATE_AFTER };
    const { next_batch: since } = await alice.sync(options);

    await alice.invite(roomId, bob);
    await bob.join(roomId);
    const last = await bob.send(roomId, "hello");
    const later = await syncWith(world, alice, { ...options, since }, roomId, last);
    const initial = await carol.sync(options);

    const key = `${MEMBER}|${bob.userId}`;
    const join = (await presentState(alice, roomId))[key];
    for (const [what, body] of [
      ["a later answer", later],
      ["a first answer", initial],
    ] as const) {
      const told = stateIds(membersAfter(body, "join", roomId));
      expectEqual(told[key], join, `bob in ${what}`);
    }
  },
);

check(
  "CS.sync.state-after-left",
  "the server tells nothing in state_after of what members did once the user had left",
  {
    mutant: altersAnswer("tells a name of later", IN_SYNC, {
      replace: [['"displayname":"before"', '"displayname":"later"']],
    }),
  },
  async (world) => {
    const [alice, bob, carol, dana] = await world.users("alice", "bob", "carol", "dana");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    for (const member of [bob, dana]) await member.join(roomId);
    const rename = (displayname: string) =>
      dana.setState(roomId, MEMBER, { membership: "join", displayname }, dana.userId);
    await rename("before");
    const first = await alice.send(roomId, "first");
    const start = { filter: lazy(1), query: ASK_STATE_AFTER };
    const { next_batch: since } = await syncWith(world, bob, start, roomId, first);
    const spoken = await dana.send(roomId, "spoken");
    await bob.leave(roomId);
    await rename("later");
    await carol.join(roomId);

    const options = { since, filter: lazy(20), query: ASK_STATE_AFTER };
    const body = await world.eventually(async () => {
      const answer = await bob.sync(options);
      const shown = ids(timeline(answer, roomId, "leave"));
      expectThat(shown.includes(spoken), "the last message under leave", shown);
      return answer;
    });

    const later = membersAfter(body, "leave", roomId).filter(
      ({ content, state_key }) => content.displayname === "later" || state_key === carol.userId,
    );
    expectEqual(later, [], "memberships of after the departure, in state_after");
  },
);
