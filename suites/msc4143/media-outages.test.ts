/** Calls with media while what they stand on is away for a while: the SFU, and the homeserver. */

import { LEGACY_MEMBER } from "#harness/clients/rtc/names";
import { HarnessError, Unsupported } from "#harness/errors";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { BATCH_MS, delayedEvents, expectInTime, marksIn, message } from "./delayed.ts";
import { claimsTo } from "./delayed-mutants.ts";
import { Call, expectHeardFrom, LISTING, type Member, speak, untilHeard } from "./media.ts";
import { serviceThat } from "./tokens.ts";

const OWN_SERVERS = { isolated: {}, deadlineMs: 150_000 };
/** How long an SFU is away. */
const AWAY_MS = 3_000;
/** Below the time after which clients take a connection for lost. */
const SHORT_MS = 5_000;
const RESUMED_MS = 30_000;

async function twoOf(world: World, slot: string) {
  const call = await Call.open(world, slot);
  try {
    const bobs = await call.user("bob");
    const alice = await call.join("alice", call.alice);
    const bob = await call.join("bob", bobs);
    await speak(alice);
    await untilHeard(world, bob, alice);
    return { call, alice, bob };
  } catch (error) {
    await call[Symbol.asyncDispose]();
    throw error;
  }
}

check(
  "RTC.media.sfu-restart",
  "members who ask for tokens again hear each other again after the SFU was killed",
  {
    ...OWN_SERVERS,
    mutant: serviceThat("makes no room again", "no-room", "again-"),
  },
  async (world) => {
    const { role, capabilities } = world.sfu();
    if (!capabilities.includes("killable")) throw new Unsupported("sfu:killable");
    const { call, alice, bob } = await twoOf(world, "m.call#restarted");
    await using _ = call;

    const killedAt = Date.now();
    await world.actOnServer(role, "kill");
    await world.quietPeriod(AWAY_MS);
    await world.actOnServer(role, "restart");

    const again = (name: string, { session }: Member) =>
      call.join(name, session, { memberId: world.name("again") });
    const alice2 = await again("alice", alice);
    const bob2 = await again("bob", bob);
    await speak(alice2);
    const resumedAt = await untilHeard(world, bob2, alice2);
    world.note(
      `bob heard alice again ${resumedAt - killedAt} ms after the kill, ${AWAY_MS} ms of it on purpose`,
    );
    // It may find the room that was made again.
    const { notes } = await bob.media.report();
    const after = notes
      .filter(({ at }) => at >= killedAt)
      .map(({ what, at }) => `${what} after ${at - killedAt} ms`);
    world.note(`bob's first connection: ${after.join(", ") || "nothing told"}`);
  },
);

check(
  "RTC.media.sfu-netsplit",
  "a member who hears nothing of the SFU for a short time hears on, over the same connection",
  {
    ...OWN_SERVERS,
    mutant: [
      altersAnswer("takes them for others", LISTING, { set: { "/participants/*/sid": "PA_new" } }),
      serviceThat("lets nobody hear", "no-subscribe", "m.call#paused"),
    ],
  },
  async (world) => {
    const { role, capabilities } = world.sfu();
    if (!capabilities.includes("pausable")) throw new Unsupported("sfu:pausable");
    const { call, alice, bob } = await twoOf(world, "m.call#paused");
    await using _ = call;
    const before = await sidsOf(call, bob);

    await world.actOnServer(role, "pause");
    await world.quietPeriod(SHORT_MS);
    await world.actOnServer(role, "resume");
    const since = Date.now();

    const heardAt = await untilHeard(world, bob, alice, { since, deadlineMs: RESUMED_MS });
    world.note(`bob heard alice ${heardAt - since} ms after the SFU had gone on`);
    const { notes, isConnected } = await bob.media.report();
    const ends = notes.filter(({ what }) => what === "disconnected");
    expectThat(isConnected && ends.length === 0, "bob stays connected", "he was disconnected");
    const told = notes.filter(({ what }) => what.startsWith("reconnect")).map(({ what }) => what);
    world.note(`bob's library: ${told.join(", ") || "it did not reconnect"}`);
    expectEqual(await sidsOf(call, bob), before, "who is connected by the SFU's listing");
    const own = await Promise.all(
      [alice, bob].map(async ({ media }) => (await media.report()).sid),
    );
    expectEqual(before, own.toSorted(), "who was connected before it");
  },
);

async function sidsOf(call: Call, member: Member): Promise<readonly string[]> {
  return (await call.listed(member)).map(({ sid }) => String(sid)).toSorted();
}

/** Of the leave; a restart has to be shorter. */
const DELAY_MS = 20_000;
const BEAT_MS = 2_000;

check(
  "RTC.chaos.hs-restart-midcall",
  "the homeserver keeps a member in the call over a restart of its own, and media go on",
  { ...OWN_SERVERS, mutant: claimsTo("restart") },
  async (world) => {
    const { call, alice, bob } = await twoOf(world, "m.call#midcall");
    await using _ = call;
    const { roomId, alice: session } = call;
    const delayed = delayedEvents(world);
    const stateKey = `_${session.userId}_${session.deviceId}_m.call`;
    const content = { application: "m.call", device_id: session.deviceId };
    const leave = { type: LEGACY_MEMBER, stateKey, content: {}, delayMs: DELAY_MS };
    const delayId = await delayed.scheduled(session, roomId, leave);
    await session.setState(roomId, LEGACY_MEMBER, content, stateKey);
    const witness = world.name("witness");
    const other = await session.createRoom();
    const beat = async (last: number) => {
      const from = performance.now();
      expectStatus(await delayed.act(session, delayId, "restart"), 200);
      expectInTime(last, DELAY_MS, "the next restart of the leave");
      return from;
    };

    const scheduled = performance.now();
    await delayed.scheduled(session, other, message(witness, DELAY_MS + BEAT_MS));
    let last = await beat(scheduled);
    const killedAt = Date.now();
    await world.killAndRestart();
    world.note(`the homeserver was away for ${Date.now() - killedAt} ms`);
    last = await beat(last);

    // By then the leave had come, had its restarts not counted.
    const until = scheduled + DELAY_MS + BATCH_MS + BEAT_MS;
    while (!(await marksIn(session, other)).includes(witness)) {
      if (performance.now() > until) {
        throw new HarnessError("DEADLINE", {
          what: `an event that was due after ${DELAY_MS + BEAT_MS} ms did not come`,
          next: "see MSC4140.persist.restart, and the log of the homeserver",
        });
      }
      await world.quietPeriod(BEAT_MS);
      last = await beat(last);
    }
    const kept = await bob.session.state(roomId, LEGACY_MEMBER, stateKey);
    expectEqual(kept, content, "alice's membership after the restart");
    await expectHeardFrom(world, bob, alice, killedAt);
    const { notes } = await bob.media.report();
    const breaks = notes.filter(({ what }) => what === "reconnecting" || what === "disconnected");
    expectEqual(breaks, [], "breaks of bob's connection to the SFU");
  },
);
