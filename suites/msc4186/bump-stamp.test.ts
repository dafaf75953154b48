import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { allRooms } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { LATER, resultOf, settled } from "./rooms.ts";
import { answers, inEachDialect } from "./sync.ts";

const REQUEST = allRooms({ timelineLimit: 1 });
const DIGITS = [..."123456789"];
/** Servers may take the time for it. */
const APART_MS = 50;

function stampOf(connection: SlidingConnection, roomId: string): number {
  const stamp = connection.view.room(roomId)?.bumpStamp;
  expectThat(stamp !== undefined, `a bump_stamp of ${roomId}`, stamp);
  return stamp;
}

check(
  "MSC4186.meta.bump-stamp-types",
  "the server raises bump_stamp for the types of proper activity",
  {
    mutant: [
      answers("never raises it", { set: { "/rooms/*/bump_stamp": 1 } }),
      answers("never sends it again", { remove: ["/rooms/*/bump_stamp"] }, LATER),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(REQUEST);
      const contents = {
        "m.room.message": { msgtype: "m.text", body: "hello" },
        "m.room.encrypted": { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "x" },
        "m.sticker": { body: "sticker", url: "mxc://example.org/sticker", info: {} },
        "m.call.invite": {
          call_id: "call",
          version: 0,
          lifetime: 60_000,
          offer: { type: "offer", sdp: "v=0" },
        },
        "m.poll.start": { "m.poll": { question: { "m.text": [{ body: "?" }] }, answers: [] } },
      };
      const act = {
        ...Object.fromEntries(
          Object.entries(contents).map(([type, content]) => [
            type,
            () => alice.send(roomId, content, type),
          ]),
        ),
        "m.beacon_info": () =>
          alice.setState(roomId, "m.beacon_info", { live: true, timeout: 1_000 }, alice.userId),
      };

      for (const [type, send] of Object.entries(act)) {
        const before = stampOf(connection, roomId);
        await world.quietPeriod(APART_MS);
        await connection.untilEvent(REQUEST, roomId, await send());
        const after = stampOf(connection, roomId);
        expectThat(after > before, `a bump_stamp above ${before} after ${type}`, after);
      }
    });
  },
);

check(
  "MSC4186.meta.bump-stamp-types",
  "the server does not raise bump_stamp for state, reactions and redactions",
  {
    mutant: answers(
      "raises it for all",
      { set: { "/rooms/*/bump_stamp": Number.MAX_SAFE_INTEGER } },
      LATER,
    ),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const [first, last] = [await alice.send(roomId, "one"), await alice.send(roomId, "two")];
      await settled(alice, roomId, last);
      const connection = sync.connection(alice);
      await connection.initial(REQUEST);
      const before = stampOf(connection, roomId);
      const relation = { rel_type: "m.annotation", event_id: last, key: "+" };
      const target = path`/_matrix/client/v3/rooms/${roomId}/redact/${first}/${world.name("txn")}`;
      const act = {
        "m.room.topic": () => alice.setState(roomId, "m.room.topic", { topic: "new" }),
        "m.reaction": () => alice.send(roomId, { "m.relates_to": relation }, "m.reaction"),
        "m.room.redaction": async () => textAt(ok(await alice.put(target)), "event_id"),
        "m.room.member": () =>
          alice.setState(
            roomId,
            "m.room.member",
            { membership: "join", displayname: "another name" },
            alice.userId,
          ),
      };

      for (const [type, send] of Object.entries(act)) {
        await world.quietPeriod(APART_MS);
        await connection.untilEvent(REQUEST, roomId, await send());
        const after = stampOf(connection, roomId);
        expectThat(after <= before, `a bump_stamp of at most ${before} after ${type}`, after);
      }
      const fresh = sync.connection(alice, "fresh");
      await fresh.initial(REQUEST);
      const stamp = stampOf(fresh, roomId);
      expectThat(stamp <= before, `at most ${before} on a fresh connection`, stamp);
    });
  },
);

check(
  "MSC4186.meta.bump-stamp-order",
  "the server gives the room with the later message no smaller bump_stamp",
  {
    mutant: answers("counts backwards", {
      replace: DIGITS.map((digit) => [`stamp":${digit}`, `stamp":-${digit}`]),
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomIds: string[] = [];
      for (let index = 0; index < 5; index++) roomIds.push(await alice.createRoom());
      // In another order than that of their making.
      roomIds.reverse();
      for (const roomId of roomIds) await settled(alice, roomId, await alice.send(roomId, "hello"));

      const connection = sync.connection(alice);
      await connection.initial(REQUEST);

      const stamps = roomIds.map((roomId) => stampOf(connection, roomId));
      const sorted = stamps.toSorted((left, right) => left - right);
      expectEqual(stamps, sorted, "the stamps in the order of the messages");
    });
  },
);

check(
  "MSC4186.meta.bump-stamp-nonneg",
  "the server gives rooms of other servers a bump_stamp that clients can hold",
  {
    mutant: [
      answers("gives a negative one", { set: { "/rooms/*/bump_stamp": -7 } }),
      answers("gives none", { remove: ["/rooms/*/bump_stamp"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
      const roomId = await alice.createRoom({ preset: "public_chat" });
      for (let index = 0; index < 5; index++) await alice.send(roomId, `before ${index}`);
      await bob.join(roomId, alice);
      // Has the server fetch what was before.
      ok(await bob.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, { dir: "b", limit: 20 }));

      const connection = sync.connection(bob);
      resultOf(await connection.initial(REQUEST), roomId);

      const stamp = stampOf(connection, roomId);
      expectThat(stamp >= 0, "a bump_stamp of at least 0", stamp);
    });
  },
);

check(
  "MSC4186.meta.bump-stamp-nonmember",
  "the server does not raise bump_stamp of a room that one is only invited to",
  {
    mutant: answers(
      "raises it",
      { set: { "/rooms/*/bump_stamp": Number.MAX_SAFE_INTEGER } },
      { contains: "fresh" },
    ),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom();
      await alice.invite(roomId, bob);
      const connection = sync.connection(bob);
      await connection.until(REQUEST, "the invite", ({ rooms }) => rooms[roomId]);
      const before = stampOf(connection, roomId);
      for (let index = 0; index < 5; index++) {
        await settled(alice, roomId, await alice.send(roomId, `message ${index}`));
      }

      await connection.sync(REQUEST);
      const fresh = sync.connection(bob, "fresh");
      await fresh.initial(REQUEST);

      expectEqual(stampOf(connection, roomId), before, "the bump_stamp after 5 messages");
      expectEqual(stampOf(fresh, roomId), before, "the bump_stamp on a fresh connection");
    });
  },
);
