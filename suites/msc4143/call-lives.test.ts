/**
 * How matrix-js-sdk joins a call, stays in it and leaves it (MSC4143 §Membership lifecycle), as others see it. By these checks
 * no homeserver fails.
 */
import type { JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { LEGACY_MEMBER, MEMBER, SLOT } from "#harness/clients/rtc/names";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersRequest, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import {
  CALL_ROOM,
  ENCRYPTION,
  expectInCall,
  hears,
  inCalls,
  joined,
  nextMember,
  OPEN,
  SLOT_ID,
  SLOW,
  STEADY,
  scene,
  sticksFor,
} from "./callers.ts";

const SENDS = { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/*/*" };
const SCHEDULES = { method: "PUT", contains: "org.matrix.msc4140.delay=" };
/** The library has all that it sends stick so long. */
const HOUR = "sticky_duration_ms=3600000";
const STICKY_MS = 10_000;
const RENEW_MS = 5_000;
check(
  "MSC4143.member.id-unique",
  "the client joins under a new id each time when the application leaves it to the library",
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
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(alice);

      const ids: unknown[] = [];
      for (let count = 0; count < 2; count++) {
        const since = await bob.syncToken();
        await call.join(roomId, { by: "sticky", memberId: "library", library: STEADY });
        const { content } = await nextMember(bob, roomId, since, "join");
        ids.push(at(content, "member", "id"));
        await call.leave(roomId);
      }

      expectEqual(new Set(ids).size, 2, "the number of ids that a device has joined under twice");
    });
  },
);

check(
  "MSC4143.member.leave",
  "the client leaves so that nobody sees it any more, also who syncs from the beginning",
  {
    ...SLOW,
    mutant: [
      altersRequest("leaves for a moment", SCHEDULES, { head: [[HOUR, "sticky_duration_ms=1"]] }),
      altersRequest("leaves under another key", SCHEDULES, {
        set: { "/msc4354_sticky_key": "other" },
      }),
    ],
  },
  async (world) => {
    const here = await scene(world);
    const { bob, roomId } = here;
    const carol = await world.user("carol");
    await carol.join(roomId);
    await inCalls(async (callers) => {
      const { call, observer } = await joined(world, callers, here, STEADY);

      await call.leave(roomId);

      await expectInCall(world, observer, roomId, []);
      await nextMember(bob, roomId, undefined, "leave");
      const late = await callers.start(carol);
      const roster = await late.roster(roomId);
      expectEqual(roster, [], "who is in the call for a client that syncs from the beginning");
    });
  },
);

check(
  "MSC4143.member.leave",
  "the client says that it leaves by its membership",
  {
    ...SLOW,
    mutant: altersRequest("says something else", SCHEDULES, {
      set: { "/member": { membership: "other" } },
    }),
  },
  async (world) => {
    const here = await scene(world);
    await inCalls(async (callers) => {
      const since = await here.bob.syncToken();
      const { call } = await joined(world, callers, here, STEADY);

      await call.leave(here.roomId);

      const { content } = await nextMember(here.bob, here.roomId, since, "leave");
      expectEqual(at(content, "member", "membership"), "leave", "the membership of who leaves");
    });
  },
);

/** How many were in the call after each change. */
function sizes(call: JsSdkCall): readonly number[] {
  return call.happened.flatMap((each) => (each.what === "roster" ? [each.members.length] : []));
}

check(
  "MSC4143.member.renew",
  "the client renews its membership in time, and others drop it when it does so no more",
  {
    ...SLOW,
    mutant: [
      claims("loses renewals", { ...SENDS, contains: '"m.relation"' }),
      sticksFor("is told that nothing lasts", 1_000),
    ],
  },
  async (world) => {
    const here = await scene(world);
    await world.rule({
      name: "what sticks does so for some seconds only",
      match: { ...SENDS, contains: HOUR, check: here.alice.context.check },
      phase: "before",
      action: { kind: "rewrite", head: [[HOUR, `sticky_duration_ms=${STICKY_MS}`]] },
    });
    await inCalls(async (callers) => {
      const { call, observer } = await joined(world, callers, here, {
        ...STEADY,
        membershipEventExpiryMs: RENEW_MS,
        membershipEventExpiryHeadroomMs: RENEW_MS / 2,
      });
      const renewals = () =>
        call.sent(MEMBER).filter(({ delayMs, status }) => delayMs === undefined && status === 200);

      await world.eventually(
        () => expectThat(renewals().length > 3, "three renewals", `${renewals().length - 1}`),
        { deadlineMs: 5 * RENEW_MS },
      );
      expectThat(
        !sizes(observer).includes(0),
        "a member who is there all the time",
        sizes(observer),
      );
      call.suspend();

      await world.eventually(() => expectInCall(world, observer, here.roomId, []), {
        deadlineMs: STICKY_MS + 10_000,
      });
      const last = await here.bob.event(here.roomId, renewals().at(-1)?.eventId ?? "");
      const dropped = observer.happened.findLast(({ what }) => what === "roster")?.atMs ?? 0;
      const lateMs = dropped - last.origin_server_ts - STICKY_MS;
      expectThat(lateMs > -2_000, "a member who is dropped when its time is over", `${lateMs} ms`);
      world.note(`a member that was not renewed was dropped ${lateMs} ms after its time`);
    });
  },
);

check(
  "MSC4143.member.no-e2ee-in-plain-room",
  "the clients exchange no media keys in a room that is not encrypted",
  {
    ...SLOW,
    mutant: hears("is told that the room is encrypted", ['"m.room.other"', '"m.room.encryption"']),
  },
  async (world) => {
    const here = await scene(world, {
      ...CALL_ROOM,
      initial_state: [{ ...ENCRYPTION, type: "m.room.other", state_key: "" }],
    });
    const { alice, bob, roomId } = here;
    const encryption = { type: "org.matrix.msc4143.per_member" };
    await alice.setState(roomId, SLOT, { ...OPEN, encryption }, SLOT_ID);
    // There their devices come to know each other.
    const encrypted = await alice.createRoom({
      ...CALL_ROOM,
      initial_state: [{ ...ENCRYPTION, state_key: "" }],
    });
    await bob.join(encrypted);
    await inCalls(async (callers) => {
      const calls = await Promise.all(
        [alice, bob].map((session) => callers.start(session, { crypto: "signed" })),
      );
      for (const call of calls) await call.join(roomId, { by: "sticky", library: STEADY });
      for (const call of calls) {
        await world.eventually(async () =>
          expectEqual((await call.roster(roomId)).length, 2, "how many are in the call"),
        );
      }

      await world.quietPeriod(2_000);

      for (const call of calls) {
        const others = call.keys().filter(({ userId }) => userId !== call.session.userId);
        expectEqual(others.length, 0, "the number of media keys that have come from others");
      }
    });
  },
);

/** A membership as deployed clients write it as state. */
function legacyMember({ deviceId }: Session, expiresMs: number): JsonObject {
  return {
    application: "m.call",
    call_id: "",
    scope: "m.room",
    device_id: deviceId,
    expires: expiresMs,
    focus_active: { type: "livekit", focus_selection: "oldest_membership" },
    foci_preferred: [],
  };
}

check(
  "RTC.legacy.expires",
  "the client drops a member of the older kind when its time is over, although its state stays",
  { ...SLOW, mutant: hears("is told of a longer time", ['"expires":8000', '"expires":800000']) },
  async (world) => {
    const { alice, bob, roomId } = await scene(world);
    await inCalls(async (callers) => {
      const call = await callers.start(bob);
      const key = `_${alice.userId}_${alice.deviceId}_m.call`;

      await alice.setState(roomId, LEGACY_MEMBER, legacyMember(alice, 8_000), key);

      await expectInCall(world, call, roomId, [`${alice.userId}:${alice.deviceId}`]);
      await expectInCall(world, call, roomId, []);
      expectThat(
        at(await alice.state(roomId, LEGACY_MEMBER, key), "expires") === 8_000,
        "the membership in the state",
        await alice.state(roomId, LEGACY_MEMBER, key),
      );
    });
  },
);
