import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import {
  answersUntil,
  dataOf,
  meet,
  read,
  stopTyping,
  type,
  typingIn,
  withExtension,
} from "./extensions.ts";
import { answers, answersInstead, inEachDialect, type Sync } from "./sync.ts";

const ROOMS = allRooms({ timelineLimit: 1 });
/** Typing in both dialects, of no room that there is. */
const TYPING = {
  typing: { rooms: { "!x:y": {} } },
  "org.matrix.msc4508.typing": { rooms: { "!x:y": {} } },
};
const FORGETS = answers("leaves data about rooms out", { remove: ["/extensions/*/rooms/*"] });
const REFUSES = answersInstead(
  "refuses what it does not know",
  400,
  { errcode: "M_BAD_JSON", error: "" },
  { contains: "extensions" },
);

check(
  "MSC4508.ext.default-off",
  "the server sends nothing of extensions that are not enabled",
  { mutant: answers("sends typing to everybody", { set: { "/extensions": TYPING } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const key = sync.dialect.extensions.typing;
      await type(bob, roomId);

      for (const extensions of [undefined, {}, { [key]: {} }, { [key]: { enabled: false } }]) {
        const request = extensions === undefined ? ROOMS : { ...ROOMS, extensions };
        const answer = await sync.connection(alice).initial(request);
        const what = `the section of ${key} for ${JSON.stringify(extensions)}`;
        expectEqual(answer.extensions[key], undefined, what, answer.http);
      }
    });
  },
);

check(
  "MSC4508.ext.unknown-ignored",
  "the server ignores extensions that it does not know",
  { mutant: [REFUSES, FORGETS] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const connection = sync.connection(alice);
      await type(bob, roomId);
      const unknown = { "org.matrix-crucible.unknown": { enabled: true, rooms: 1 } };
      const request = withExtension(
        { ...ROOMS, extensions: unknown },
        sync.dialect.extensions.typing,
      );

      const first = await connection.initial(request);
      const second = await connection.send(request);

      expectEqual(typingIn(first, sync, roomId), [bob.userId], "who types", first.http);
      ok(second);
    });
  },
);

check(
  "MSC4508.ext.toggle",
  "the server lets extensions be switched on and off within a connection",
  {
    mutant: [
      REFUSES,
      FORGETS,
      answers(
        "goes on when it is switched off",
        { set: { "/extensions": TYPING } },
        { contains: '"enabled":false' },
      ),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const connection = sync.connection(alice);
      const key = sync.dialect.extensions.typing;
      const off = { ...ROOMS, extensions: { [key]: { enabled: false } } };
      const on = withExtension(ROOMS, key);
      const told = (users: readonly string[]) =>
        connection.until(on, `typing of ${users.join() || "nobody"}`, (answer) => {
          return String(typingIn(answer, sync, roomId)) === String(users) ? answer : undefined;
        });
      await connection.initial(off);

      for (let round = 0; round < 2; round++) {
        await connection.sync(on);
        await type(bob, roomId);
        await told([bob.userId]);
        await stopTyping(bob, roomId);
        await told([]);
        const answer = await connection.sync(off);
        expectEqual(answer.extensions[key], undefined, "the section when it is off", answer.http);
      }
    });
  },
);

/** Bob types in a room that only a list matches, and in one that only a subscription does. */
async function scopes(sync: Sync) {
  const { world } = sync;
  const encryption = {
    type: "m.room.encryption",
    state_key: "",
    content: { algorithm: "m.megolm.v1.aes-sha2" },
  };
  const { alice, bob, roomId: listed } = await meet(world, { initial_state: [encryption] });
  const subscribed = await alice.createRoom({ preset: "public_chat" });
  await bob.join(subscribed);
  await Promise.all([listed, subscribed].map((roomId) => type(bob, roomId)));
  const request: SlidingRequest = {
    lists: { l: { range: [0, 9], timelineLimit: 1, filters: { isEncrypted: true } } },
    subscriptions: { [subscribed]: { timelineLimit: 1 } },
  };
  /** In which of the two rooms somebody types, by an extension of this scope. */
  const expectTold = async (scope: JsonObject, expected: readonly string[]) => {
    const key = sync.dialect.extensions.typing;
    const answer = await sync.connection(alice).initial(withExtension(request, key, scope));
    const told = Object.entries({ listed, subscribed })
      .filter(([, roomId]) => typingIn(answer, sync, roomId)?.includes(bob.userId) === true)
      .map(([name]) => name);
    expectEqual(told, expected, `the rooms told for ${JSON.stringify(scope)}`, answer.http);
  };
  return { subscribed, expectTold };
}

check(
  "MSC4508.ext.scope-lists-rooms",
  "the server sends data of the lists and rooms that an extension names, or of all",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { subscribed, expectTold } = await scopes(sync);

      await expectTold({}, ["listed", "subscribed"]);
      await expectTold({ rooms: [] }, ["listed"]);
      await expectTold({ rooms: ["!unknown:example.org"] }, ["listed"]);
      await expectTold({ rooms: [subscribed] }, ["listed", "subscribed"]);
      await expectTold({ lists: ["l", "unknown"] }, ["listed", "subscribed"]);
      await expectTold({ lists: [], rooms: [] }, []);
      // MSC3575 writes the default out, and MSC4508 has no such name.
      if (sync.dialect === UNSTABLE)
        await expectTold({ lists: ["*"], rooms: ["*"] }, ["listed", "subscribed"]);
    });
  },
);

check(
  "MSC4508.ext.scope-lists-rooms",
  "the server sends no data of rooms that only lists match when none of these is named",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { expectTold } = await scopes(sync);

      await expectTold({ lists: [] }, ["subscribed"]);
      await expectTold({ lists: ["unknown"] }, ["subscribed"]);
    });
  },
);

check(
  "MSC4508.ext.scope-without-room-result",
  "the server sends data of a room in range that has no result",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const connection = sync.connection(alice);
      const request = withExtension(ROOMS, sync.dialect.extensions.typing);
      await connection.initial(request);
      await connection.drain(request);
      await type(bob, roomId);

      const answer = await connection.until(request, `typing in ${roomId}`, (synced) =>
        typingIn(synced, sync, roomId) === undefined ? undefined : synced,
      );

      expectEqual(typingIn(answer, sync, roomId), [bob.userId], "who types", answer.http);
      if (answer.rooms[roomId] !== undefined) world.note("typing comes with a result of the room");
    });
  },
);

check(
  "MSC4508.ext.no-leak",
  "the server sends no receipts of a room to a user who was kicked",
  {
    mutant: answers("sends receipts of any room", {
      set: { "/extensions": { receipts: { rooms: { "!x:y": { content: { $x: {} } } } } } },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const before = await alice.send(roomId, "before the kick");
      const connection = sync.connection(bob);
      const request = withExtension(withExtension(ROOMS, "receipts"), "account_data");
      await connection.initial(request);
      await alice.kick(roomId, bob);
      const control = await bob.createRoom();
      await connection.drain(request);

      await read(alice, roomId, before);
      await read(alice, roomId, await alice.send(roomId, "after the kick"));
      const fence = await bob.send(control, "fence");
      const later = await answersUntil(connection, request, control, fence);
      const fresh = await sync.connection(bob).initial(request);

      for (const answer of [...later, fresh]) {
        const told = at(answer.extensions, "receipts", "rooms") ?? {};
        expectThat(!JSON.stringify(told).includes(alice.userId), "no receipt", told, answer.http);
        const about = Object.keys(told).filter((id) => id !== control && id !== roomId);
        expectEqual(about, [], "receipts of other rooms", answer.http);
        expectEqual(dataOf(answer, "typing", roomId), undefined, "who types", answer.http);
      }
    });
  },
);
