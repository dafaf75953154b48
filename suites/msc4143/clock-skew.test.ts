/** Who is in a call of two servers, one of whose clocks is wrong: MSC4354 §Time. */

import { MEMBER } from "#harness/clients/rtc/names";
import { HarnessError } from "#harness/errors";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { share } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { BATCH_MS, delayedEvents, serverTime } from "./delayed.ts";
import { observe } from "./observers.ts";
import { member, openSlot, roster } from "./rosters.ts";
import { HIDES, LONG_MS, SYNC, stick } from "./sticky.ts";

/** Of the two, as the features have it; what the check itself takes is in it too. */
const APART_MS = 30_000;
const LEAST_APART_MS = 20_000;
const DELAY_MS = 1_000;
const TOLD_MS = 15_000;

const MUTANTS = [
  HIDES,
  altersAnswer(
    "takes what comes from another clock for over",
    { path: SYNC },
    { replace: [['"msc4354_sticky_duration_ttl_ms":', '"msc4354_was_sticky_ms":']] },
  ),
  claims(
    "loses leaves",
    { path: "/_matrix/client/v3/rooms/*/send/**", contains: '"membership":"leave"' },
    { event_id: "$claimed", delay_id: "claimed" },
  ),
];

check(
  "RTC.chaos.clock-skew",
  "servers tell of the same members when the clock of one is ahead",
  { isolated: { features: ["clock-ahead"] }, deadlineMs: 150_000, mutant: MUTANTS },
  judge,
);

check(
  "RTC.chaos.clock-skew",
  "servers tell of the same members when the clock of one is behind",
  { isolated: { features: ["clock-behind"] }, deadlineMs: 150_000, mutant: MUTANTS },
  judge,
);

/** Members of both join; some leave, and clients of some die, whose leaves come due. */
async function judge(world: World): Promise<void> {
  const delayed = delayedEvents(world);
  const shared = await share(world);
  const { alice, bob, roomId } = shared;
  const apartMs = (await serverTime(bob, roomId)) - (await serverTime(alice, roomId));
  if (Math.abs(apartMs) < LEAST_APART_MS) {
    throw new HarnessError("INTERNAL", {
      what: `the servers' clocks are ${apartMs} ms apart, and were to be ${APART_MS} ms`,
    });
  }
  world.note(`the clocks are ${apartMs} ms apart`);
  await openSlot(alice, roomId);
  const observers = await observe(shared);
  const expectMembers = async (expected: readonly string[], what: string, deadlineMs = TOLD_MS) => {
    for (const observer of observers) {
      await world.eventually(
        async () => {
          await observer.sync();
          const seen = (await roster(observer, roomId)).map(({ memberId }) => memberId);
          const by = `${what}, by ${observer.session.server.serverName}`;
          expectEqual(seen.toSorted(), expected.toSorted(), by);
        },
        { deadlineMs },
      );
    }
  };
  const tell = (session: Session, id: string, membership: "join" | "leave") =>
    stick(session, roomId, { type: MEMBER, content: member(id, membership, "livekit") });
  const group = (name: string) =>
    [alice, bob].map((session) => [session, world.name(name)] as const);
  const [staying, leaving, dying] = [group("staying"), group("leaving"), group("dying")];
  const ids = (...groups: (typeof staying)[]) => groups.flat().map(([, id]) => id);

  for (const [session, id] of [...staying, ...leaving, ...dying]) await tell(session, id, "join");
  await expectMembers(ids(staying, leaving, dying), "the members after all have joined");
  for (const [session, id] of leaving) await tell(session, id, "leave");
  for (const [session, id] of dying) {
    await delayed.scheduled(session, roomId, {
      type: MEMBER,
      content: member(id, "leave", "none"),
      delayMs: DELAY_MS,
      stickyMs: LONG_MS,
    });
  }

  await world.quietPeriod(DELAY_MS);
  await expectMembers(ids(staying), "the members after some have left", TOLD_MS + BATCH_MS);
}
