import type { Filters, SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { ENCRYPTED, setDirect, tag, untag } from "./filters.ts";
import { timelineOf } from "./results.ts";
import { answers, forgets, inEachDialect } from "./sync.ts";

const TAG = "u.crucible";
const LIMIT = 5;

function listOf(filters: Filters): SlidingRequest {
  return { lists: { all: { range: [0, 9], timelineLimit: LIMIT, filters } } };
}

interface Room {
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
}

/** How a room that all rules matched comes to match none, and later matches again. */
interface Detour {
  readonly options?: typeof ENCRYPTED;
  /** While the room matches. */
  readonly matching: SlidingRequest;
  /** While it does not; the same request unless given. */
  readonly other?: SlidingRequest;
  readonly out?: (room: Room) => Promise<void>;
  readonly back?: (room: Room) => Promise<void>;
}

async function expectCaughtUp(
  world: World,
  { options = {}, matching, other = matching, out, back }: Detour,
): Promise<void> {
  await inEachDialect(world, async (sync) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom(options);
    if (matching.lists?.all?.filters?.tags !== undefined) await tag(alice, roomId, TAG);
    const connection = sync.connection(alice);
    const { rooms } = await connection.initial(matching);
    expectThat(rooms[roomId] !== undefined, "the room while it matches", rooms);

    await out?.({ alice, bob, roomId });
    await connection.drain(other);
    const missed = await alice.send(roomId, "while the room is out");
    const unheard = await connection.drain(other);
    await back?.({ alice, bob, roomId });
    const fence = await alice.send(roomId, "when the room is back");
    const seen: string[] = [];
    let isGapTold = false;
    await connection.until(matching, `event ${fence}`, (synced) => {
      const result = synced.rooms[roomId];
      seen.push(...timelineOf(result));
      isGapTold ||= result?.limited === true;
      return timelineOf(result).includes(fence) || undefined;
    });

    expectThat(unheard.rooms[roomId] === undefined, "nothing of a room that is out", unheard);
    const isWhole = isGapTold || seen.includes(missed);
    expectThat(isWhole, `event ${missed} of the gap, or limited true`, seen);
  });
}

const LOSES = answers("loses what happened meanwhile", { remove: ["/rooms/*/timeline/0"] });

check(
  "MSC4186.filter.room-returns-after-gap",
  "the server makes up for what happened while a tag that is left out kept the room out",
  { mutant: LOSES },
  async (world) =>
    await expectCaughtUp(world, {
      matching: listOf({ notTags: [TAG] }),
      out: ({ alice, roomId }) => tag(alice, roomId, TAG),
      back: ({ alice, roomId }) => untag(alice, roomId, TAG),
    }),
);

check(
  "MSC4186.filter.room-returns-after-gap",
  "the server makes up for what happened while a tag that is asked for kept the room out",
  { mutant: LOSES },
  async (world) =>
    await expectCaughtUp(world, {
      matching: listOf({ tags: [TAG] }),
      out: ({ alice, roomId }) => untag(alice, roomId, TAG),
      back: ({ alice, roomId }) => tag(alice, roomId, TAG),
    }),
);

check(
  "MSC4186.filter.room-returns-after-gap",
  "the server makes up for what happened while m.direct kept the room out",
  { mutant: LOSES },
  async (world) =>
    await expectCaughtUp(world, {
      matching: listOf({ isDm: false }),
      out: ({ alice, bob, roomId }) => setDirect(alice, bob, [roomId]),
      back: ({ alice, bob }) => setDirect(alice, bob, []),
    }),
);

check(
  "MSC4186.filter.room-returns-after-gap",
  "the server makes up for what happened while a filter for encrypted rooms kept the room out",
  { mutant: LOSES },
  async (world) =>
    await expectCaughtUp(world, {
      options: ENCRYPTED,
      matching: listOf({ isEncrypted: true }),
      other: listOf({ isEncrypted: false }),
    }),
);

check(
  "MSC4186.filter.room-returns-after-gap",
  "the server makes up for what happened while a filter for invites kept the room out",
  { mutant: LOSES },
  async (world) =>
    await expectCaughtUp(world, {
      matching: listOf({ isInvited: false }),
      other: listOf({ isInvited: true }),
    }),
);

check(
  "MSC4186.filter.room-returns-after-gap",
  "the server makes up for what happened while a request without its list kept the room out",
  { mutant: LOSES },
  async (world) => await expectCaughtUp(world, { matching: listOf({}), other: {} }),
);

check(
  "MSC4186.filter.room-leaves-list",
  "the server goes on with a room that another list matches still",
  {
    mutant: [
      forgets("sends the room anew"),
      answers("ends the room with the list", { remove: ["/rooms/*/timeline"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const list = { range: [0, 9], timelineLimit: LIMIT } as const;
      const tagged = { ...list, filters: { tags: [TAG] } };
      for (const rest of ["a list", "a subscription"]) {
        const roomId = await alice.createRoom();
        await tag(alice, roomId, TAG);
        const request: SlidingRequest =
          rest === "a list"
            ? { lists: { tagged, other: list } }
            : { lists: { tagged }, subscriptions: { [roomId]: { timelineLimit: LIMIT } } };
        const connection = sync.connection(alice, rest === "a list" ? "list" : "subscription");
        await connection.initial(request);

        await untag(alice, roomId, TAG);
        await connection.drain(request);
        for (const text of ["one", "two"]) {
          const sent = await alice.send(roomId, text);
          const result = await connection.untilEvent(request, roomId, sent);

          const what = `with ${rest} left: a delta with the new message only`;
          const isDelta = result.initial !== true && result.limited !== true;
          expectThat(isDelta && timelineOf(result).length === 1, what, result);
        }
      }
    });
  },
);
