import { path } from "#harness/http/client";
import { at, eventsAt, isObject, listAt, type MatrixEvent } from "#harness/match/json";
import { EVENT, expectUnknown, type Meeting, meet, message } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { type Session, timeline } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { shows } from "./mutants.ts";
import { listed, offer, topic } from "./rejection.ts";

const API = "/_matrix/federation/v1";
const ROOM = "/_matrix/client/v3/rooms/*";
const TOPIC = "m.room.topic";
/** More than two pages of two. */
const REJECTED = 6;
const PAGES_AT_MOST = 40;

interface Offspring extends Meeting {
  /** A topic by a user without the level. */
  readonly rejected: Pdu;
  /** A message that follows nothing but the topic. */
  readonly child: Pdu;
  readonly fence: Pdu;
  /** Of /sync, from before any of them. */
  readonly since: string;
}

/** A room in which the server has got a topic that it has to reject, a right message after it, and a fence. */
async function beget(world: World, version: string): Promise<Offspring> {
  const meeting = await meet(world, { version });
  const { alice, peer, room, mallory } = meeting;
  const since = await alice.syncToken();
  const { pdu: rejected, rejection } = room.add(room.build(topic(mallory, "rejected")));
  expectThat(rejection !== undefined, "a topic that the rules reject", room.version.id);
  const prevEvents = [rejected.id];
  const { pdu: child } = room.add(room.build({ ...message(mallory, "child"), prevEvents }));
  await peer.transmit(room, rejected, child);
  const fence = await peer.fence(room, alice);
  return { ...meeting, rejected, child, fence, since };
}

check(
  "FED.auth.reject-not-in-state",
  "the server keeps a rejected event out of the state, also after an event that follows it",
  {
    mutant: [
      altersAnswer(
        "shows the topic in the state",
        { method: "GET", path: `${ROOM}/state` },
        { set: { "/-1/type": TOPIC } },
      ),
      altersAnswer(
        "has another event in the state before later ones",
        { from: "peer-*", path: `${API}/state_ids/*` },
        { set: { "/pdu_ids/-1": "$rejected" } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, peer, room, child, fence } = await beget(world, version);

      const state = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/state`);
      const later = [
        await peer.client(alice.server.serverName).stateIds(room.roomId, child.id),
        await peer.client(alice.server.serverName).stateIds(room.roomId, fence.id),
      ];

      const events = listAt({ state: state.json }, "state").filter(isObject);
      expectThat(events.length > 0, "state", events, state);
      const topics = events.filter(({ type }) => type === TOPIC);
      expectEqual(topics, [], `the topics in the state of version ${version}`, state);
      const expected = new Set(room.find(fence.id)?.before?.values());
      for (const response of later) {
        const ids = new Set(listAt(ok(response), "pdu_ids"));
        expectEqual(ids, expected, `the state in version ${version}`, response);
      }
    }
  },
);

check(
  "FED.auth.reject-hidden",
  "the server shows a rejected event to nobody, and does not cite it",
  {
    mutant: [
      altersAnswer(
        "shows it in /sync",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/join/*/timeline/events/0/type": TOPIC } },
      ),
      altersAnswer(
        "shows it in /messages",
        { path: `${ROOM}/messages` },
        { set: { "/chunk/0/type": TOPIC } },
      ),
      shows("shows it by its id", { topic: "rejected" }),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, peer, room, rejected, since } = await beget(world, version);

      const sent = await alice.send(room.roomId, "local");
      const { pdu } = await peer.waitForPdu(room, "the message", ({ id }) => id === sent);
      const { bodies } = await alice.syncUntilEvent(since, room.roomId, sent);
      const messages = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/messages`, {
        dir: "b",
        limit: 20,
      });

      const chunk = eventsAt(ok(messages), "chunk");
      expectEqual(chunk.at(0)?.event_id, sent, "the last event of the room", messages);
      const found = [...bodies.flatMap((body) => timeline(body, room.roomId)), ...chunk];
      const topics = found.filter(({ type }) => type === TOPIC);
      expectEqual(topics, [], `the topics that clients see in version ${version}`);
      await expectUnknown(alice, room, rejected.id);
      const cited = listAt(pdu.json, "prev_events");
      expectThat(!cited.includes(rejected.id), "a message that does not cite it", cited);
    }
  },
);

check(
  "FED.auth.reject-pages",
  "the server lets clients page past more rejected events than a page holds",
  {
    mutant: [
      altersAnswer(
        "ends where a page is short",
        { path: `${ROOM}/messages`, contains: "from=" },
        { remove: ["/end"] },
      ),
      altersAnswer(
        "shows them",
        { path: `${ROOM}/messages`, contains: "from=" },
        { set: { "/chunk/-": { type: TOPIC, content: {} } } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const meeting = await meet(world, { version });
      const { alice, peer, room, mallory } = meeting;
      const early = await alice.send(room.roomId, "early");
      await peer.waitForPdu(room, "the early message", ({ id }) => id === early);
      const topics = Array.from({ length: REJECTED }, (_, count) =>
        room.build(topic(mallory, `rejected ${count}`)),
      );
      await offer(meeting, ...topics);
      const late = await alice.send(room.roomId, "late");

      const shown = await pageBack(alice, room.roomId);

      const messages = shown.filter(({ type }) => type === "m.room.message");
      const ids = messages.map(({ event_id }) => event_id);
      expectThat(ids.includes(late), `the late message in version ${version}`, ids);
      expectThat(ids.includes(early), `the early message in version ${version}`, ids);
      const types = shown.map(({ type }) => type);
      expectThat(types.includes("m.room.create"), "the creation of the room", types);
      expectThat(!types.includes(TOPIC), "no topic", types);
    }
  },
);

/** All of a room, by pages of two. */
async function pageBack(session: Session, roomId: string): Promise<readonly MatrixEvent[]> {
  const shown: MatrixEvent[] = [];
  let from: string | undefined;
  for (let page = 0; page < PAGES_AT_MOST; page++) {
    const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
    const response = await session.get(target, { dir: "b", limit: 2, from });
    shown.push(...eventsAt(ok(response), "chunk"));
    const end = at(response.json, "end");
    if (typeof end !== "string") return shown;
    from = end;
  }
  return fail("an end of the room", `${PAGES_AT_MOST} pages, and still there is more`);
}

check(
  "FED.auth.reject-child",
  "the server takes a right event that follows a rejected one",
  {
    mutant: [
      altersAnswer(
        "rejects it as well",
        { method: "GET", path: EVENT },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
      ),
      altersAnswer(
        "does not show it",
        { path: "/_matrix/client/v3/sync" },
        { set: { "/rooms/join/*/timeline/events/*/content": {} } },
      ),
    ],
  },
  async (world) => {
    for (const version of listed(world, "10", "12")) {
      const { alice, room, child, fence, since } = await beget(world, version);

      const event = await alice.event(room.roomId, child.id);
      const { bodies } = await alice.syncUntilEvent(since, room.roomId, fence.id);

      expectEqual(event.content.body, "child", `the body of the child in version ${version}`);
      const seen = bodies.flatMap((body) => timeline(body, room.roomId));
      const bodiesSeen = seen.map(({ content }) => at(content, "body"));
      expectThat(bodiesSeen.includes("child"), "the child in /sync", bodiesSeen);
    }
  },
);
