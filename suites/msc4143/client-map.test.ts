/** What matrix-js-sdk makes of what sticks (MSC4354 §Addendum). By these checks no homeserver fails. */
import { heldByJsSdk } from "#harness/clients/rtc/js-sdk-map";
import type { MatrixEvent } from "#harness/match/json";
import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { LAST_ONLY, LONG_MS, SECTION, SYNC, stick, sticky, stuck } from "./sticky.ts";

const LIBRARY = "the client library matrix-js-sdk";
const KEYED = { content: { msc4354_sticky_key: "key" } };

/** A list in all orders. */
function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

/** What sticks in a room as the server tells it, once all of these are there. */
async function told(session: Session, roomId: string, ids: readonly string[]) {
  await session.send(roomId, "for the timeline");
  const { found } = await session.syncUntil(
    undefined,
    "the sticky events",
    (body) => {
      const events = stuck(body, roomId);
      return events.length === ids.length ? events : undefined;
    },
    { filter: LAST_ONLY },
  );
  return found;
}

/** In whatever order the events come, the library holds this one and no other. */
function expectHeld(events: readonly MatrixEvent[], id: string): void {
  for (const order of permutations(events)) {
    const what = `what ${LIBRARY} holds after ${order.map(({ event_id }) => event_id).join(", ")}`;
    expectEqual(heldByJsSdk(order), [id], what);
  }
}

check(
  "MSC4143.member.ephemeral-map-order",
  "the client holds the last of several values of equal duration, in whatever order they come",
  {
    mutant: altersAnswer(
      "takes the earliest for the last",
      { path: SYNC },
      { replace: [['"origin_server_ts":', '"origin_server_ts":-']] },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const ids: string[] = [];
    for (let count = 0; count < 4; count++) ids.push(await stick(alice, roomId, KEYED));

    const events = await told(alice, roomId, ids);

    expectHeld(events, ids.at(-1) ?? "");
  },
);

check(
  "MSC4143.member.ephemeral-map-order",
  "the client holds the value that ends last, also when another one was sent after it",
  {
    mutant: altersAnswer(
      "takes the shorter for the longer",
      { path: SYNC },
      { replace: [[`"duration_ms":${LONG_MS}`, '"duration_ms":1']] },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const lasting = await stick(alice, roomId, KEYED);
    const shorter = await stick(alice, roomId, { ...KEYED, durationMs: LONG_MS / 2 });

    const events = await told(alice, roomId, [lasting, shorter]);

    expectHeld(events, lasting);
  },
);

check(
  "MSC4143.member.ephemeral-map-order",
  "the client holds the value with the highest id of those that end at the same time",
  {
    mutant: altersAnswer(
      "tells one of them by a higher id",
      { path: SYNC },
      { set: { [`${SECTION}/events/0/event_id`]: "$~" } },
    ),
  },
  async (world) => {
    const { alice, peer, room, mallory } = await meet(world);
    const originServerTs = Date.now();
    const ids: string[] = [];
    for (let count = 0; count < 3; count++) {
      const pdu = await peer.send(room, sticky(mallory, { ...KEYED, originServerTs }));
      ids.push(pdu.id);
    }
    await peer.fence(room, alice);

    const events = await told(alice, room.roomId, ids);

    expectHeld(events, ids.toSorted().at(-1) ?? "");
  },
);
