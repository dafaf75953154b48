import { STABLE } from "#harness/clients/sliding-sync/dialect";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import {
  answersUntil,
  dataOf,
  meet,
  stopTyping,
  type,
  typingIn,
  withExtension,
} from "./extensions.ts";
import { wokenBy } from "./polls.ts";
import { answers, inDialect, inEachDialect, type Sync } from "./sync.ts";

const FORGETS = answers("leaves rooms out", { remove: ["/extensions/*/rooms/*"] });
const SOMEBODY = { rooms: { "!x:y": { type: "m.typing", content: { user_ids: ["@a:b"] } } } };

function allWithTyping({ dialect }: Sync): SlidingRequest {
  return withExtension(allRooms({ timelineLimit: 1 }), dialect.extensions.typing);
}

function windowOf({ dialect }: Sync, last: number): SlidingRequest {
  const lists = { all: { range: [0, last] as const, timelineLimit: 1 } };
  return withExtension({ lists }, dialect.extensions.typing);
}

check(
  "MSC4508.typing.initial",
  "the server sends who types to a new connection",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      await type(bob, roomId);

      const answer = await sync.connection(alice).initial(allWithTyping(sync));

      expectEqual(typingIn(answer, sync, roomId), [bob.userId], "who types", answer.http);
    });
  },
);

check(
  "MSC4508.typing.initial",
  "the server sends who types in a room that comes into range, since before the position",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      await alice.createRoom();
      await type(bob, roomId);
      const connection = sync.connection(alice);
      await connection.initial(windowOf(sync, 0));
      await connection.sync(windowOf(sync, 0));

      const answer = await connection.sync(windowOf(sync, 1));

      expectEqual(typingIn(answer, sync, roomId), [bob.userId], "who types", answer.http);
    });
  },
);

check(
  "MSC4508.typing.initial",
  "the server sends who types in a room that comes back into range",
  { mutant: FORGETS },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const newest = await alice.createRoom();
      const connection = sync.connection(alice);
      await connection.initial(windowOf(sync, 1));
      await connection.sync(windowOf(sync, 0));
      await type(bob, roomId);
      await alice.send(newest, "still the newest");
      await connection.sync(windowOf(sync, 0));

      const answer = await connection.sync(windowOf(sync, 1));

      expectEqual(typingIn(answer, sync, roomId), [bob.userId], "who types", answer.http);
    });
  },
);

check(
  "MSC4508.typing.change",
  "the server ends a poll when somebody starts or stops, and sends all who type",
  {
    mutant: [
      FORGETS,
      answers("sends changes only", { remove: ["/extensions/*/rooms/*/content/user_ids/1"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const charlie = await world.user("charlie");
      await charlie.join(roomId);
      const request = allWithTyping(sync);
      const connection = sync.connection(alice);
      await connection.initial(request);
      const steps = [
        { act: () => type(bob, roomId), expected: [bob] },
        { act: () => type(charlie, roomId), expected: [bob, charlie] },
        { act: () => stopTyping(bob, roomId), expected: [charlie] },
        { act: () => stopTyping(charlie, roomId), expected: [] },
      ];

      for (const { act, expected } of steps) {
        const answer = await wokenBy(sync, connection, request, "typing", act);
        const users = expected.map(({ userId }) => userId).sort();
        expectEqual(typingIn(answer, sync, roomId), users, "who types", answer.http);
      }
    });
  },
);

check(
  "MSC4508.typing.joined-only",
  "the server tells who is invited or was kicked nothing of typing",
  {
    mutant: answers("sends typing of any room", {
      set: { "/extensions": { typing: SOMEBODY, "org.matrix.msc4508.typing": SOMEBODY } },
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const invitedTo = await alice.createRoom();
      await alice.invite(invitedTo, bob);
      const control = await bob.createRoom();
      const request = allWithTyping(sync);
      const connection = sync.connection(bob);
      await connection.initial(request);
      await alice.kick(roomId, bob);
      await connection.drain(request);

      await type(alice, roomId);
      await type(alice, invitedTo);
      const fence = await bob.send(control, "fence");
      const seen = await answersUntil(connection, request, control, fence);
      const fresh = await sync.connection(bob, "fresh").initial(request);

      for (const answer of [...seen, fresh]) {
        const rooms = at(answer.extensions, sync.dialect.extensions.typing, "rooms") ?? {};
        const others = Object.keys(rooms).filter((id) => id !== control);
        expectEqual(others, [], "other rooms with typing", answer.http);
      }
    });
  },
);

check(
  "MSC4508.typing.timeout",
  "the server tells when somebody has stopped without a word",
  {
    mutant: answers("leaves empty lists out", {
      replace: [['"user_ids":[]', '"user_ids":["@a:b"]']],
    }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      const request = allWithTyping(sync);
      const connection = sync.connection(alice);
      await connection.initial(request);

      const begun = connection.until(request, "bob typing", (answer) =>
        typingIn(answer, sync, roomId)?.includes(bob.userId) === true ? true : undefined,
      );
      await type(bob, roomId, 2_000);
      await begun;
      await connection.until(
        request,
        "nobody typing",
        (answer) => (typingIn(answer, sync, roomId)?.length === 0 ? true : undefined),
        // The text sets no bound, and timers of servers are coarse.
        { deadlineMs: 20_000 },
      );
    });
  },
);

check(
  "MSC4508.typing.prefix",
  "the server knows the typing extension by its prefixed name",
  { mutant: FORGETS },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      await type(bob, roomId);
      const request = withExtension(allWithTyping(sync), "typing");

      const answer = await sync.connection(alice).initial(request);

      expectEqual(typingIn(answer, sync, roomId), [bob.userId], "who types", answer.http);
      const other = dataOf(answer, "typing", roomId);
      expectThat(other === undefined, "nothing by the other name", other, answer.http);
    });
  },
);

check(
  "MSC4508.typing.no-star",
  "the server takes an asterisk for the name of a list",
  {
    mutant: answers("takes it for all lists", {
      set: { "/extensions": { "org.matrix.msc4508.typing": SOMEBODY } },
    }),
  },
  async (world) => {
    await inDialect(world, STABLE, async (sync) => {
      const { alice, bob, roomId } = await meet(world);
      await type(bob, roomId);
      const key = sync.dialect.extensions.typing;
      const request = withExtension(allRooms({ timelineLimit: 1 }), key, { lists: ["*"] });

      const { extensions, http } = await sync.connection(alice).initial(request);

      expectEqual(Object.keys(at(extensions, key, "rooms") ?? {}), [], "rooms with typing", http);
    });
  },
);
