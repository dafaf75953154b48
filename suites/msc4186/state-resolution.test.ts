/** State that changes where branches of a room meet, as a peer builds them: nothing of it is in the newest events. */
import { STABLE } from "#harness/clients/sliding-sync/dialect";
import {
  allRooms,
  type RequiredState,
  type SlidingRequest,
  stateOf,
} from "#harness/clients/sliding-sync/request";
import { isStub } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { Draft, PeerRoom } from "#harness/peer/room";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { timelineOf } from "./results.ts";
import { answers, inDialect, inEachDialect, type Sync } from "./sync.ts";

const MINUTE_MS = 60_000;
const VERSION = "11";

interface Visit {
  readonly alice: Session;
  readonly peer: Peer;
  readonly founder: string;
  readonly mallory: string;
  readonly room: PeerRoom;
}

/** A room of the peer with two of its users, the second of whom may set the topic, that alice has joined. */
async function visit(world: World): Promise<Visit> {
  world.needs(`room-version:${VERSION}`);
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const [founder, mallory] = [peer.user("founder"), peer.user("mallory")];
  const join = { type: "m.room.member", content: { membership: "join" } };
  const room = peer.createRoom({
    creator: founder,
    version: VERSION,
    powerLevels: { events: { "m.room.topic": 0 } },
    events: [{ ...join, sender: mallory, stateKey: mallory }],
  });
  peer.serve(room);
  const via = { server_name: peer.serverName, via: peer.serverName };
  ok(await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, via));
  return { alice, peer, founder, mallory, room };
}

function message(sender: string): Draft {
  const content = { msgtype: "m.text", body: "where branches meet" };
  return { type: "m.room.message", sender, content };
}

async function send({ peer, room }: Visit, draft: Draft): Promise<Pdu> {
  return await peer.send(room, draft);
}

/**
 * Two versions of a state event in a row, of which resolution prefers the first; then a message beside the second, so
 * that the branches meet and the first is back.
 */
async function flipBack(
  sync: Sync,
  visited: Visit,
  state: Omit<Draft, "content">,
  contents: readonly [Draft["content"], Draft["content"]],
  request: SlidingRequest,
) {
  const { alice, peer, founder, room } = visited;
  const connection = sync.connection(alice);
  await connection.initial(request);
  const now = Date.now();
  const first = await send(visited, { ...state, content: contents[0], originServerTs: now });
  await connection.untilEvent(request, room.roomId, first.id);
  const second = await send(visited, {
    ...state,
    content: contents[1],
    originServerTs: now - MINUTE_MS,
  });
  await connection.untilEvent(request, room.roomId, second.id);

  const beside = await send(visited, { ...message(founder), prevEvents: [first.id] });
  await peer.fence(room, alice);
  const result = await connection.untilEvent(request, room.roomId, beside.id);
  await connection.drain(request);

  const { type, stateKey = "" } = state;
  expectEqual(room.stateEvent(type, stateKey)?.id, first.id, "by our resolver, the event in force");
  const shown = connection.view.room(room.roomId)?.state.get(`${type}|${stateKey}`);
  return { first, second, result, shown };
}

const NO_STATE = answers("sends no state", { remove: ["/rooms/*/required_state"] });
const ONLY_TIMELINE = answers(
  "tells of state only what it put there itself",
  { remove: ["/rooms/*/required_state"] },
  { contains: "pos" },
);

check(
  "MSC4186.state.resolution-reset",
  "the server tells that state resolution has brought an older topic back",
  { mutant: [NO_STATE, ONLY_TIMELINE] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const visited = await visit(world);
      const topic = { type: "m.room.topic", stateKey: "", sender: visited.founder };
      const contents = [{ topic: "first" }, { topic: "second" }] as const;
      const request = allRooms({ timelineLimit: 20, requiredState: stateOf("m.room.topic") });

      const { first, shown } = await flipBack(sync, visited, topic, contents, request);

      expectEqual(shown?.event_id, first.id, "the topic event that a client has");
    });
  },
);

check(
  "MSC4186.lazy.nongappy-all-changes",
  "the server sends a member whom state resolution has changed, although no event of the timeline has",
  { mutant: [NO_STATE, ONLY_TIMELINE] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const visited = await visit(world);
      const { mallory } = visited;
      const member = { type: "m.room.member", stateKey: mallory, sender: mallory };
      const join = { membership: "join" };
      const contents = [
        { ...join, displayname: "first" },
        { ...join, displayname: "second" },
      ] as const;
      const requiredState: RequiredState = { lazyMembers: true };
      const request = allRooms({ timelineLimit: 20, requiredState });

      const flipped = await flipBack(sync, visited, member, contents, request);

      const { first, result, shown } = flipped;
      expectThat(result.limited !== true, "limited false, as the limit is large enough", result);
      const isInTimeline = timelineOf(result).includes(first.id);
      expectThat(!isInTimeline, "a timeline without the member event", result);
      expectEqual(shown?.event_id, first.id, "the member event that a client has");
    });
  },
);

check(
  "MSC4186.state.deleted-stub",
  "the server tells that state resolution has dropped a topic",
  {
    mutant: [
      answers("keeps quiet", { remove: ["/rooms/*/required_state"] }, { contains: '"pos"' }),
      answers("sends the old topic still", {
        set: { "/rooms/*/required_state/*/content": { topic: "of one who is banned" } },
      }),
    ],
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const visited = await visit(world);
      const { alice, peer, founder, mallory, room } = visited;
      const request = allRooms({ timelineLimit: 20, requiredState: stateOf("m.room.topic") });
      const connection = sync.connection(alice);
      await connection.initial(request);
      const [fork] = room.extremities;
      const topic = await send(visited, {
        type: "m.room.topic",
        stateKey: "",
        sender: mallory,
        content: { topic: "of one who is banned" },
      });
      await connection.untilEvent(request, room.roomId, topic.id);

      const ban = await send(visited, {
        type: "m.room.member",
        stateKey: mallory,
        sender: founder,
        content: { membership: "ban" },
        ...(fork === undefined ? {} : { prevEvents: [fork] }),
      });
      await peer.fence(room, alice);
      let isStubSent = false;
      let isAnew = false;
      await connection.until(request, `event ${ban.id}`, ({ rooms }) => {
        const { required_state: state = [], initial } = rooms[room.roomId] ?? {};
        isStubSent ||= state.some((entry) => entry.type === "m.room.topic" && isStub(entry));
        isAnew ||= initial === true;
        return timelineOf(rooms[room.roomId]).includes(ban.id) || undefined;
      });

      expectEqual(room.stateEvent("m.room.topic")?.id, undefined, "the topic by our resolver");
      expectEqual(await alice.state(room.roomId, "m.room.topic"), undefined, "the topic by GET");
      expectThat(isStubSent || isAnew, "a stub of the topic, or the room anew", "neither");
      const shown = connection.view.room(room.roomId)?.state.get("m.room.topic|");
      expectEqual(shown, undefined, "the topic event that a client has");
    });
  },
);
