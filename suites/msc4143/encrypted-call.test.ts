/** Encrypted calls as a whole: clients, homeservers, token services and SFUs together (MSC4143 §End-to-end encryption). */
import { framesOf, lastTone, type Spell } from "#harness/clients/rtc/media/hearing";
import { check } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { claims } from "#harness/world/mutants";
import { cut } from "#harness/world/sharing";
import { WHOLE_CALL, WholeCall } from "./encrypted-call.ts";
import { FOR_LEAVES, LOSES_KEYS } from "./media-keys.ts";

const EACH = ["alice", "bob", "carol"];
/** As the text recommends it, one rotation that is under way, and a second. */
const SHUT_OUT_MS = 11_000;
/** After which what was under way has been played. */
const PLAYED_MS = 1_000;
const CUT_MS = 5_000;
const RECOVERED_MS = 5_000;
/** Clients leave by what they have scheduled, which is told here to be there, and to have been sent. */
const LEAVES_LOST = [
  claims(
    "schedules nothing",
    {
      method: "PUT",
      path: "/_matrix/client/v3/rooms/*/send/**",
      contains: "msc4140.delay",
    },
    { delay_id: "claimed" },
  ),
  claims("sends nothing", { method: "POST", path: "/_matrix/client/**/delayed_events/**" }, {}),
].flatMap(({ rules }) => rules);

check(
  "RTC.e2ee.call",
  "three members on two homeservers hear each other by keys that their clients have exchanged",
  { ...WHOLE_CALL, mutant: LOSES_KEYS },
  async (world) => {
    await using call = await WholeCall.open(world, { alice: {}, bob: { role: "hs2" }, carol: {} });
    await call.join(EACH);

    for (const listener of EACH)
      for (const speaker of EACH)
        if (speaker !== listener) await call.untilHears(listener, speaker);

    const announced = await call.talker("bob").announced(call.talker("alice"));
    expectEqual(announced, "gcm", "the encryption of alice's track as it is announced");
  },
);

check(
  "RTC.e2ee.call",
  "a member with a wrong key, and one without, hears nothing of its sender",
  { ...WHOLE_CALL, mutant: LOSES_KEYS },
  async (world) => {
    await using call = await WholeCall.open(world, {
      alice: {},
      bob: { handing: { alice: "wrong" } },
      carol: { handing: { alice: "nothing" } },
      dave: {},
    });
    await call.join([...EACH, "dave"]);
    for (const [listener, speaker] of [
      ["dave", "alice"],
      ["bob", "carol"],
      ["carol", "bob"],
    ] as const)
      await call.untilHears(listener, speaker);

    for (const listener of ["bob", "carol"]) {
      await call.expectDeaf(listener, "alice");
      const keys = call.talker(listener).keysOf(call.talker("alice"));
      expectThat(/lacks key \d+ of alice/.test(keys), "the key that is missing by name", keys);
      world.note(keys);
    }
  },
);

check(
  "MSC4143.rotate.leave",
  "a member who leaves hears the others no more, and those hear each other on",
  {
    ...WHOLE_CALL,
    mutant: [LOSES_KEYS, { name: "loses leaves", rules: LEAVES_LOST }],
  },
  async (world) => {
    for (const need of ["sfu", "media"]) world.needs(need);
    await using call = await WholeCall.open(world, { alice: {}, bob: {}, carol: {} });
    await call.join(EACH, FOR_LEAVES);
    await call.untilHears("bob", "alice");
    await call.untilHears("carol", "alice");
    const before = call.talker("alice").ownKeys().length;

    const leftMs = Date.now();
    await call.talker("bob").leaveButListen();
    const rotatedMs = await call.untilRotated("alice", before);
    await world.quietPeriod(2 * PLAYED_MS);

    await call.expectDeaf("bob", "alice", rotatedMs + PLAYED_MS);
    await call.untilHears("carol", "alice", rotatedMs);
    const [alice, bob, carol] = EACH.map((name) => call.talker(name));
    if (alice === undefined || bob === undefined || carol === undefined) return;
    const silentMs = (lastTone(await bob.spellsOf(alice), alice.hz) ?? leftMs) - leftMs;
    expectThat(silentMs <= SHUT_OUT_MS, `bob shut out within ${SHUT_OUT_MS} ms`, `${silentMs} ms`);
    const gapMs = longestGap(await carol.spellsOf(alice), alice.hz, leftMs);
    world.note(
      `bob heard on for ${silentMs} ms after he left; carol's longest gap was ${gapMs} ms`,
    );
    world.note(bob.keysOf(alice));
  },
);

check(
  "RTC.e2ee.plain-in-encrypted-slot",
  "a member's sound is not played that comes in clear",
  { ...WHOLE_CALL, mutant: LOSES_KEYS },
  async (world) => {
    await using call = await WholeCall.open(world, {
      alice: {},
      bob: {},
      carol: { isPlain: true },
    });
    await call.join(EACH);
    await call.untilHears("alice", "bob");

    const [alice, carol] = [call.talker("alice"), call.talker("carol")];
    await world.eventually(async () => {
      const announced = await alice.announced(carol);
      expectEqual(announced, "none", "the encryption of carol's track as it is announced");
    });
    await world.quietPeriod(PLAYED_MS);
    const frames = framesOf(await alice.spellsOf(carol), carol.hz);
    const expected = "nothing of carol's to be played by the client library @livekit/rtc-node";
    expectThat(frames === 0, expected, `her tone in ${frames} frames of 10 ms`);
  },
);

check(
  "RTC.media.only-members",
  "somebody with a token who has not joined hears nobody, and is no member for anybody",
  { ...WHOLE_CALL, mutant: LOSES_KEYS },
  async (world) => {
    await using call = await WholeCall.open(world, { alice: {}, bob: {}, mallory: {} });
    await call.join(["alice", "bob"]);
    const mallory = call.talker("mallory");
    await mallory.enter();
    await call.connect(["mallory"]);
    await call.untilHears("alice", "bob");
    await call.untilHears("bob", "alice");
    await world.quietPeriod(PLAYED_MS);

    for (const name of ["alice", "bob"]) {
      await call.expectDeaf("mallory", name);
      const { client } = call.talker(name);
      const identities = (await client.roster(call.roomId)).map(({ identity }) => identity);
      const known = EACH.slice(0, 2).map((each) => call.talker(each).identity);
      expectEqual(identities.toSorted(), known.toSorted(), `who is in the call for ${name}`);
      const isMember = identities.includes(mallory.identity);
      expectThat(!isMember, `mallory to be nobody in the call for ${name}`, identities);
    }
    world.note(mallory.keysOf(call.talker("alice")));
  },
);

check(
  "RTC.chaos.to-device-loss",
  "a member hears the others again soon after a cut in which a new key could not come",
  {
    ...WHOLE_CALL,
    isolated: {},
    mutant: claims(
      "loses what is sent to the other server",
      { from: "hs1", to: "hs2", path: "/_matrix/federation/v1/send/*" },
      { pdus: {} },
    ),
  },
  async (world) => {
    const leavers = ["carol", "dave"];
    await using call = await WholeCall.open(world, {
      alice: {},
      bob: { role: "hs2" },
      carol: {},
      dave: {},
    });
    await call.join([...EACH, "dave"], FOR_LEAVES);
    for (const listener of ["bob", ...leavers]) await call.untilHears(listener, "alice");

    // A server that only looks now and then whether something waits for another may do so by chance right after one cut, not after two.
    for (const leaver of leavers) {
      const before = call.talker("alice").ownKeys().length;
      const between = await cut(world, "hs1", "hs2");
      await call.talker(leaver).leaveButListen();
      const rotatedMs = await call.untilRotated("alice", before);
      await between.untilTried();
      await world.quietPeriod(CUT_MS);
      await call.expectDeaf("bob", "alice", rotatedMs + PLAYED_MS);
      world.note(call.talker("bob").keysOf(call.talker("alice")));
      await between.heal();
      const healedMs = Date.now();

      const heardMs = (await call.untilHears("bob", "alice", healedMs)) - healedMs;
      expectThat(heardMs <= RECOVERED_MS, `it within ${RECOVERED_MS} ms`, `${heardMs} ms`);
      world.note(`bob heard alice ${heardMs} ms after the cut`);
    }
  },
);

/** Without the tone, from a moment on. */
function longestGap(spells: readonly Spell[], hz: number, since: number): number {
  const tone = spells.filter(({ sound, to }) => sound === hz && to >= since);
  const gaps = tone.slice(1).map(({ from }, index) => from - (tone[index]?.to ?? from));
  return Math.max(0, ...gaps);
}
