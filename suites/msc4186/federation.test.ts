import { awakeMs } from "#harness/awake";
import { allRooms, stateOf } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { eventsAt, textAt } from "#harness/match/json";
import { meet, message } from "#harness/peer/meeting";
import { stateShown } from "#harness/peer/room-state";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { converge, promote, share, split } from "#harness/world/sharing";
import { EVERYTHING, untilMembership } from "./membership.ts";
import { idsIn, LATER, resultOf, sendMessages, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

const OWN_SERVERS = { isolated: {}, deadlineMs: 180_000 };
const POLL_MS = 30_000;
const SOON_MS = 5_000;
/** One after the other. */
const FIRST_FOUR = Array.from({ length: 4 }, () => "/rooms/*/timeline/0");

check(
  "MSC4186.fed.remote-message",
  "the server ends a poll when a message of another server comes",
  {
    mutant: [
      answers("does not take it for new", { set: { "/rooms/*/num_live": 0 } }, LATER),
      answers("does not raise bump_stamp", { set: { "/rooms/*/bump_stamp": 1 } }, LATER),
      answers("keeps it back", { remove: ["/rooms"] }, LATER),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await share(world);
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 5 });
      const before = resultOf(await connection.initial(request), roomId);
      await connection.drain(request);

      const poll = connection.sync(request, { timeoutMs: POLL_MS });
      const sent = await bob.send(roomId, "hello");
      const started = awakeMs();
      const room = resultOf(await poll, roomId);
      const elapsedMs = awakeMs() - started;

      const limitMs = SOON_MS * alice.context.timeoutScale;
      expectThat(elapsedMs < limitMs, `the answer within ${limitMs} ms`, `${elapsedMs} ms`);
      expectEqual(idsIn(room), [sent], "the timeline");
      expectEqual(room.num_live, 1, "num_live");
      const [old = 0, bumped = 0] = [before.bump_stamp, room.bump_stamp];
      expectThat(bumped > old, `a bump_stamp above ${old}`, bumped);
    });
  },
);

check(
  "MSC4186.fed.late-event",
  "the server sends once what another server sent while both were apart",
  {
    mutant: answers("leaves out old events", { remove: FIRST_FOUR }, LATER),
    ...OWN_SERVERS,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const shared = await share(world);
      const { alice, bob, roomId } = shared;
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 50 });
      await connection.initial(request);
      const cut = await split(world);
      const [mine, theirs] = [
        await sendMessages(alice, roomId, 3, "of alice"),
        await sendMessages(bob, roomId, 3, "of bob"),
      ];
      await cut.untilTried();
      await connection.drain(request);
      await cut.heal();
      await converge(world, shared, [...mine, ...theirs]);
      const last = await alice.send(roomId, "last");
      await settled(alice, roomId, last);

      const got: string[] = [];
      const pages: string[] = [];
      await connection.until(request, `event ${last}`, ({ rooms }) => {
        const room = rooms[roomId];
        got.push(...idsIn(room));
        if (room?.limited === true) pages.push(textAt(room, "prev_batch"));
        return got.includes(last) ? true : undefined;
      });
      for (const from of pages) {
        const target = path`/_matrix/client/v3/rooms/${roomId}/messages`;
        const page = ok(await alice.get(target, { dir: "b", from, limit: 50 }));
        got.push(...eventsAt(page, "chunk").map(({ event_id }) => event_id));
        world.note("the timeline is limited after the split");
      }

      const late = got.filter((id) => theirs.includes(id));
      expectEqual([...new Set(late)].sort(), [...theirs].sort(), "what the other server had sent");
      if (pages.length === 0) expectEqual(late.length, theirs.length, "how often it came");
    });
  },
);

check(
  "MSC4186.fed.late-event",
  "the server puts the room of an old event that comes now on top",
  { mutant: answers("leaves it where it was", { remove: ["/rooms"] }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, peer, mallory, room } = await meet(world);
      const newer = await alice.createRoom();
      await settled(alice, newer, await alice.send(newer, "newer"));
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 5 });
      await connection.initial(request);
      const anHourAgo = Date.now() - 3_600_000;
      const draft = { ...message(mallory, "old"), originServerTs: anHourAgo };
      const { id } = await peer.send(room, draft);

      const late = await connection.untilEvent(request, room.roomId, id);
      const top = { lists: { all: { range: [0, 0] as const, timelineLimit: 1 } } };
      const { rooms } = await sync.connection(alice, "top").initial(top);

      expectEqual(late.num_live, 1, "num_live of the old event");
      expectEqual(Object.keys(rooms), [room.roomId], "the room on top");
    });
  },
);

check(
  "MSC4186.fed.arrival-order",
  "the server puts an event that comes late behind what was there before it, whatever it follows",
  { mutant: answers("turns the order round", { reverse: ["/rooms/*/timeline"] }, LATER) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, peer, mallory, room } = await meet(world);
      const { roomId, extremities } = room;
      const connection = sync.connection(alice);
      const request = allRooms({ timelineLimit: 20 });
      await connection.initial(request);
      await connection.drain(request);

      const earlier = await sendMessages(alice, roomId, 3, "earlier");
      const late = await peer.send(room, { ...message(mallory, "late"), prevEvents: extremities });
      await sync.connection(alice, "other").untilEvent(request, roomId, late.id);
      const got: string[] = [];
      await connection.until(request, "the late event", ({ rooms }) => {
        got.push(...idsIn(rooms[roomId]));
        return got.includes(late.id) ? true : undefined;
      });

      expectEqual(got, [...earlier, late.id], "the order of the timeline");
    });
  },
);

check(
  "MSC4186.fed.convergence",
  "the server tells by deltas the same state as the other one after each split",
  {
    mutant: answers("leaves out state", { remove: ["/rooms/*/required_state/0"] }, LATER),
    ...OWN_SERVERS,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const shared = await share(world);
      const { alice, bob, roomId } = shared;
      await promote(shared);
      await converge(world, shared);
      const sides = [alice, bob];
      const connections = sides.map((session) => sync.connection(session));
      for (const connection of connections) await connection.initial(EVERYTHING);

      for (const round of [1, 2]) {
        const cut = await split(world);
        for (const session of sides) {
          const name = `${round} of ${session.localpart}`;
          await session.setState(roomId, "m.room.name", { name });
          for (let count = world.integer(3); count >= 0; count--) {
            const key = String(world.integer(3));
            await session.setState(roomId, "org.matrix-crucible.state", { name }, key);
          }
        }
        await cut.untilTried();
        for (const connection of connections) await connection.drain(EVERYTHING);
        await cut.heal();
        await converge(world, shared);
      }

      for (const connection of connections) {
        const { session } = connection;
        const last = await session.send(roomId, "last");
        await connection.untilEvent(EVERYTHING, roomId, last);
        await connection.drain(EVERYTHING);
        const told = [...(connection.view.room(roomId)?.state ?? [])];
        const ids = told.map(([, { event_id }]) => event_id).sort();
        const real = [...(await stateShown(session, roomId)).values()].sort();
        expectEqual(ids, real, `the state as ${session.localpart} is told`);
      }
    });
  },
);

check(
  "MSC4186.member.server-left",
  "the server finds a room that all its users have left by filters",
  {
    mutant: [
      answers("does not find it", { remove: ["/rooms"] }, { contains: "filters" }),
      answers("finds it always", {
        replace: [['"rooms":{}', '"rooms":{"!left:example.org":{"initial":true}}']],
      }),
    ],
    deadlineMs: 120_000,
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
      const type = "org.matrix-crucible.type";
      const encryption = { algorithm: "m.megolm.v1.aes-sha2" };
      const roomId = await alice.createRoom({
        preset: "public_chat",
        creation_content: { type },
        initial_state: [{ type: "m.room.encryption", state_key: "", content: encryption }],
      });
      await bob.joinWhole(roomId, alice);
      await alice.kick(roomId, bob);
      const config = { timelineLimit: 1, requiredState: stateOf("m.room.create") };
      const live = sync.connection(bob, "live");
      await untilMembership(live, EVERYTHING, roomId, "leave");

      const filters = { isEncrypted: true, roomTypes: [type] };
      const found = await sync.connection(bob, "found").initial(allRooms({ ...config, filters }));
      const others = { isEncrypted: false };
      const plain = await sync
        .connection(bob, "plain")
        .initial(allRooms({ ...config, filters: others }));

      expectEqual(Object.keys(found.rooms), [roomId], "encrypted rooms of the type");
      expectEqual(Object.keys(plain.rooms), [], "rooms that are not encrypted");
    });
  },
);

check(
  "MSC4186.member.upgraded-room",
  "the server lists a room that was upgraded and the one in its place",
  {
    mutant: [
      answers("tells nothing", { remove: ["/rooms"] }, LATER),
      answers("sends no tombstone and no create event", {
        set: { "/rooms/*/required_state": [] },
      }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const requiredState = stateOf("m.room.tombstone", "m.room.create");
      const request = allRooms({ timelineLimit: 1, requiredState });
      const connection = sync.connection(alice);
      await connection.initial(request);
      const target = path`/_matrix/client/v3/rooms/${roomId}/upgrade`;
      const create = (await alice.state(roomId, "m.room.create")) ?? {};
      const upgrade = await alice.post(target, { new_version: create.room_version ?? "1" });
      const newId = textAt(ok(upgrade), "replacement_room");

      const both = () => [connection.view.room(roomId), connection.view.room(newId)];
      await connection.until(request, "the tombstone and the new room", () => {
        const [old, fresh] = both();
        const isTold = old?.state.has("m.room.tombstone|") && fresh?.state.has("m.room.create|");
        return isTold === true ? true : undefined;
      });

      const [old, fresh] = both();
      const tombstone = old?.state.get("m.room.tombstone|")?.content;
      expectEqual(tombstone?.replacement_room, newId, "the room that the tombstone names");
      const predecessor = textAt(
        fresh?.state.get("m.room.create|"),
        "content",
        "predecessor",
        "room_id",
      );
      expectEqual(predecessor, roomId, "the predecessor of the new room");
      const { counts } = await sync.connection(alice, "fresh").initial(request);
      expectEqual(counts, { all: 2 }, "the count of a fresh connection");
    });
  },
);
