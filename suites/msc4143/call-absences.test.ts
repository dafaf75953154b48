/**
 * What becomes of a member whose device sleeps, or whose server is away, for longer than its delayed leave waits (MSC4143
 * §Membership lifecycle): by matrix-js-sdk, as others see it. By these checks no homeserver fails.
 */
import { LEGACY_MEMBER, MEMBER } from "#harness/clients/rtc/names";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersRequest, claims, refuses } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { expectInCall, inCalls, joined, nextMember, SLOW, scene } from "./callers.ts";
import { delayedEvents, expectScheduled } from "./delayed.ts";

const SENDS = { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/*/*" };
const SCHEDULES = { method: "PUT", contains: "org.matrix.msc4140.delay=" };
const DEADMAN = {
  ...SLOW,
  mutant: [
    refuses("schedules nothing", SCHEDULES, 404, "M_UNRECOGNIZED"),
    claims("promises to schedule", SCHEDULES, { delay_id: "syd_promised" }),
  ],
};

/** A member for whom a leave is scheduled at any time, also when its device has slept for longer than the delay. */
async function expectGuarded(world: World, by: "sticky" | "state"): Promise<void> {
  const here = await scene(world);
  const { alice, roomId } = here;
  const type = by === "sticky" ? MEMBER : LEGACY_MEMBER;
  const delayed = delayedEvents(world);
  await inCalls(async (callers) => {
    const library = {
      delayedLeaveEventDelayMs: 4_000,
      delayedLeaveEventRestartMs: 1_000,
      // It is about to renew its membership when it falls asleep.
      membershipEventExpiryMs: 600_000,
      membershipEventExpiryHeadroomMs: 596_000,
    };
    const { call, observer, memberId } = await joined(world, callers, here, library, by);
    const expectScheduledLeave = async () => {
      const ids = call.sent(type).flatMap(({ delayId }) => delayId ?? []);
      const delayId = ids.at(-1);
      expectThat(delayId !== undefined, "a leave that is scheduled for a member", "none");
      expectScheduled(await delayed.lookUp(alice, delayId));
    };
    await expectScheduledLeave();

    call.suspend();
    await expectInCall(world, observer, roomId, []);
    const before = call.happened.length;
    call.resume();

    await expectInCall(world, observer, roomId, [memberId]);
    await expectScheduledLeave();
    const since = call.happened
      .slice(before)
      .flatMap((each) => (each.what === "sent" && each.type === type ? [each] : []));
    const first = since.find(({ status }) => status === 200);
    expectThat(
      first?.delayId !== undefined,
      "a leave that is scheduled before the client joins again",
      since,
    );
  });
}

check(
  "RTC.chaos.no-leave-without-deadman",
  "the client joins by events that stick only while a leave is scheduled, also after a sleep",
  DEADMAN,
  (world) => expectGuarded(world, "sticky"),
);

check(
  "RTC.chaos.no-leave-without-deadman",
  "the client joins by state only while a leave is scheduled, also after a sleep",
  DEADMAN,
  (world) => expectGuarded(world, "state"),
);

check(
  "RTC.chaos.hs-outage-longer",
  "the client that its server could not hear for longer than its delay has left, and is back afterwards",
  {
    ...SLOW,
    isolated: {},
    mutant: altersRequest("has another one leave", SCHEDULES, {
      set: { "/msc4354_sticky_key": "other" },
    }),
  },
  async (world) => {
    const here = await scene(world);
    const { bob, roomId } = here;
    await inCalls(async (callers) => {
      const { observer, memberId } = await joined(world, callers, here, {
        delayedLeaveEventDelayMs: 4_000,
        delayedLeaveEventRestartMs: 1_000,
        networkErrorRetryMs: 1_000,
        maximumNetworkErrorRetryCount: 100,
      });
      const since = await bob.syncToken();

      await world.actOnServer("hs1", "kill");
      await world.quietPeriod(6_000);
      await world.actOnServer("hs1", "restart");

      const left = await nextMember(bob, roomId, since, "leave");
      expectEqual(left.content.msc4354_sticky_key, memberId, "the key of the leave");
      const back = await nextMember(bob, roomId, since, "join");
      const isLater = back.origin_server_ts >= left.origin_server_ts;
      expectThat(isLater, "a join after the leave", back.origin_server_ts - left.origin_server_ts);
      const id = String(at(back.content, "member", "id"));
      await expectInCall(world, observer, roomId, [id]);
    });
  },
);

check(
  "RTC.chaos.hs-outage-longer",
  "the client joins under a new id after its leave was sent",
  {
    ...SLOW,
    mutant: altersRequest(
      "always has one id",
      { ...SENDS, contains: '"member"' },
      {
        set: { "/member/id": "same" },
      },
    ),
  },
  async (world) => {
    const here = await scene(world);
    const { bob, roomId } = here;
    await inCalls(async (callers) => {
      const { call, observer, memberId } = await joined(world, callers, here, {
        delayedLeaveEventDelayMs: 4_000,
        delayedLeaveEventRestartMs: 1_000,
      });
      const since = await bob.syncToken();

      call.suspend();
      await expectInCall(world, observer, roomId, []);
      call.resume();

      const { content } = await nextMember(bob, roomId, since, "join");
      const id = at(content, "member", "id");
      expectThat(id !== memberId, "another member id than before", String(id));
    });
  },
);
