/** What becomes of a client in a call whose process dies: MSC4143 §Membership lifecycle, MSC4140 §Scheduling a delayed event. */
import type { Call, DelayedEvent } from "#harness/clients/rtc/delayed-events";
import { Heartbeat } from "#harness/clients/rtc/heartbeat";
import { LEGACY_MEMBER, MEMBER, STICKY_DURATION } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { at, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { type Session, stateBefore, timeline } from "#harness/world/session";
import { type Shared, share } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { BATCH_MS, delayedEvents } from "./delayed.ts";
import { claimsTo, takesDelayFor } from "./delayed-mutants.ts";
import { observe } from "./observers.ts";
import { member, openSlot, roster } from "./rosters.ts";
import { LONG_MS } from "./sticky.ts";

/** Deployed clients take 8 s and 5 s. */
const DELAY_MS = 4_000;
const INTERVAL_MS = 800;
/** More than its delay: without its restarts the leave had been sent by then. */
const BEATS = 7;
/** What the project wants to hear of; the text lets servers add `BATCH_MS`. */
const PROMPT_MS = 2_000;
/** For what one server has to reach the other. */
const FEDERATED_MS = 10_000;
const PATIENT = { deadlineMs: 120_000 };

/** Mutants of both profiles. */
const NOT_RESTARTED = claimsTo("restart");
const TOO_SOON = takesDelayFor("sends the leave too soon", DELAY_MS, 1_600);

/** A server that does not tell the other one of leaves. */
function keepsLeaves(contains: string) {
  return {
    name: "tells no other server that somebody has left",
    rules: [
      {
        match: { from: "hs1", to: "hs2", path: "/_matrix/federation/v1/send/*", contains },
        phase: "before" as const,
        action: { kind: "answer" as const, status: 200, body: { pdus: {} } },
      },
    ],
  };
}

check(
  "RTC.chaos.crash-leave",
  "the servers tell that a member has left whose client was killed, by what sticks",
  { ...PATIENT, mutant: [NOT_RESTARTED, TOO_SOON, keepsLeaves('"membership":"leave"')] },
  async (world) => {
    world.needs("sticky-events");
    const shared = await share(world);
    const { alice, roomId } = shared;
    await openSlot(alice, roomId);
    const observers = await observe(shared);
    const memberId = world.name("member");
    const isLeave = ({ type, content }: MatrixEvent) =>
      type === MEMBER && at(content, "member", "membership") === "leave";
    await using heartbeat = start(world, alice, roomId, {
      join: {
        path: path`/_matrix/client/v3/rooms/${roomId}/send/${MEMBER}/${world.name("txn")}`,
        query: { [STICKY_DURATION]: LONG_MS },
        body: member(memberId, "join", "livekit"),
      },
      leave: {
        type: MEMBER,
        content: member(memberId, "leave", "none"),
        delayMs: DELAY_MS,
        stickyMs: LONG_MS,
      },
    });
    const expectMembers = async (expected: readonly string[], deadlineMs: number) => {
      for (const observer of observers) {
        await world.eventually(
          async () => {
            await observer.sync();
            const members = (await roster(observer, roomId)).map((one) => one.memberId);
            expectEqual(members, expected, `members by ${observer.session.server.serverName}`);
          },
          { deadlineMs },
        );
      }
    };

    await heartbeat.untilBeats(BEATS);
    await expectMembers([memberId], FEDERATED_MS);
    await expectLeave(world, heartbeat, shared, "sticks", isLeave);

    await expectMembers([], FEDERATED_MS);
  },
);

check(
  "RTC.chaos.crash-leave",
  "the servers tell that a member has left whose client was killed, by state",
  { ...PATIENT, mutant: [NOT_RESTARTED, TOO_SOON, keepsLeaves('"content":{}')] },
  async (world) => {
    const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.joinWhole(roomId, alice);
    const stateKey = `_${alice.userId}_${alice.deviceId}_m.call`;
    const content = { application: "m.call", device_id: alice.deviceId };
    const isLeave = ({ type, state_key, content: told }: MatrixEvent) =>
      type === LEGACY_MEMBER && state_key === stateKey && told.device_id === undefined;
    await using heartbeat = start(world, alice, roomId, {
      join: {
        path: path`/_matrix/client/v3/rooms/${roomId}/state/${LEGACY_MEMBER}/${stateKey}`,
        query: {},
        body: content,
      },
      leave: { type: LEGACY_MEMBER, stateKey, content: {}, delayMs: DELAY_MS },
    });
    const expectState = async (expected: JsonObject) => {
      for (const observer of [alice, bob]) {
        const what = `the membership by ${observer.server.serverName}`;
        await world.eventually(async () =>
          expectEqual(await observer.state(roomId, LEGACY_MEMBER, stateKey), expected, what),
        );
      }
    };

    await heartbeat.untilBeats(BEATS);
    await expectState(content);
    await expectLeave(world, heartbeat, { alice, bob, roomId }, "is state", isLeave);

    await expectState({});
  },
);

function start(
  world: World,
  session: Session,
  roomId: string,
  { join, leave }: { join: Call; leave: DelayedEvent },
): Heartbeat {
  const { form } = delayedEvents(world);
  return Heartbeat.start(session, {
    join,
    leave: form.encode(roomId, leave, world.name("txn")),
    events: form.events,
    delayMs: DELAY_MS,
    intervalMs: INTERVAL_MS,
  });
}

/**
 * Kills the client, and expects its leave on both servers at its time, and not before.
 *
 * @param profile completes "a leave that"
 */
async function expectLeave(
  world: World,
  heartbeat: Heartbeat,
  { alice, bob, roomId }: Shared,
  profile: string,
  isLeave: (event: MatrixEvent) => boolean,
): Promise<void> {
  const [here, there] = [await watch(alice, roomId, isLeave), await watch(bob, roomId, isLeave)];
  const { askedAt, answeredAt } = await heartbeat.kill();

  const [at1, at2] = await Promise.all([
    here(DELAY_MS + BATCH_MS),
    there(DELAY_MS + BATCH_MS + FEDERATED_MS),
  ]);

  for (const [server, seenAt] of [
    [alice.server, at1],
    [bob.server, at2],
  ] as const) {
    const afterMs = seenAt - askedAt;
    const expected = `the leave on ${server.role} at least ${DELAY_MS} ms after its last restart`;
    expectThat(afterMs >= DELAY_MS, expected, `after ${afterMs} ms`);
    const lateMs = seenAt - answeredAt - DELAY_MS;
    const isPrompt = lateMs <= PROMPT_MS;
    world.note(
      `${server.role} told it ${lateMs} ms late${isPrompt ? "" : `, over ${PROMPT_MS} ms`}`,
    );
    world.measured({
      name: `a killed client's leave that ${profile}, lateness`,
      subject: server.role,
      rooms: 1,
      unit: "ms",
      values: [Math.max(0, lateMs)],
    });
  }
}

/** From now on; when a client of this session comes to know of the leave, by the machine's clock. */
async function watch(
  session: Session,
  roomId: string,
  isLeave: (event: MatrixEvent) => boolean,
): Promise<(deadlineMs: number) => Promise<number>> {
  const since = await session.syncToken();
  return async (deadlineMs) => {
    const find = (body: JsonObject) =>
      [...timeline(body, roomId), ...stateBefore(body, roomId)].find(isLeave);
    await session.syncUntil(since, "the leave", find, { deadlineMs });
    return Date.now();
  };
}
