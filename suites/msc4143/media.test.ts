/** What an SFU makes of media: MSC4195 introduction, and what its clients rely on. */
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import {
  Call,
  judged,
  LISTING,
  type Member,
  speak,
  spellsOf,
  untilHeard,
  WITH_MEDIA,
} from "./media.ts";
import { GET_TOKEN, serviceThat } from "./tokens.ts";

const NOBODY = { sid: "PA_other", identity: "somebody else" };
/** For the SFU to tell the others that one has left, on a busy machine too. */
const TOLD_MS = 5_000;
/** What the project wants to hear of. */
const PROMPT_MS = 1_000;
/** For it to notice that one is gone without a word: its peer connection has to time out. */
const LOST_MS = 60_000;

check(
  "RTC.media.plain",
  "the SFU carries sound between members",
  {
    ...WITH_MEDIA,
    mutant: [
      serviceThat("lets nobody hear", "no-subscribe", "m.call#plain"),
      serviceThat("hides who speaks", "hidden", "m.call#plain"),
      serviceThat("makes no room", "no-room", "m.call#plain"),
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#plain");
    const bobs = await call.user("bob");
    const alice = await call.join("alice", call.alice);
    const bob = await call.join("bob", bobs);

    const began = Date.now();
    await speak(alice, bob);

    const [heardByBob, heardByAlice] = await Promise.all([
      untilHeard(world, bob, alice),
      untilHeard(world, alice, bob),
    ]);
    const values = [heardByBob, heardByAlice].map((at) => at - began);
    world.note(`both heard each other ${Math.max(...values)} ms after they began to speak`);
    world.measured({
      name: "from speaking to being heard",
      subject: "sfu1",
      rooms: 1,
      unit: "ms",
      values,
    });
    // Sound of one is not that of the other.
    const wrong = (await spellsOf(bob, alice)).filter(({ sound }) => sound === bob.hz);
    expectEqual(wrong, [], "tones of bob's in what bob hears of alice");
  },
);

check(
  "RTC.media.video",
  "the SFU carries pictures between members, in their order",
  {
    ...WITH_MEDIA,
    mutant: [
      serviceThat("lets nobody see", "no-subscribe", "m.call#video"),
      serviceThat("lets nobody show pictures", "sound-only", "m.call#video"),
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#video");
    const bobs = await call.user("bob");
    const alice = await call.join("alice", call.alice);
    const bob = await call.join("bob", bobs);

    const began = Date.now();
    await judged("alice sends pictures", () => alice.media.publishPicture());

    const seen = await world.eventually(
      async () => {
        const [track] = (await bob.media.report()).seen;
        if (track !== undefined && track.numbers.length >= 40) return track;
        const came = track === undefined ? "no picture" : `${track.numbers.length} test pictures`;
        fail("bob sees 40 test pictures of alice's", came);
      },
      { deadlineMs: 20_000 },
    );
    expectEqual([seen.width, seen.height], [320, 240], "the size of what bob sees");
    // Numbers begin again after 256.
    const steps = seen.numbers
      .slice(1)
      .map((number, at) => (number - (seen.numbers[at] ?? 0) + 256) % 256);
    const back = steps.filter((step) => step > 128);
    expectEqual(back, [], "pictures that came before their time");
    world.note(`the first picture came ${(seen.first ?? began) - began} ms after alice showed it`);
  },
);

check(
  "RTC.media.leave",
  "the SFU tells the others that a member has left, or was lost",
  {
    ...WITH_MEDIA,
    mutant: [
      altersAnswer("keeps who has left", LISTING, { set: { "/participants/-1": NOBODY } }),
      serviceThat("hides who leaves", "hidden", "leave-alice"),
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#leave");
    const [bobs, carols] = [await call.user("bob"), await call.user("carol")];
    const alice = await call.join("alice", call.alice, { memberId: world.name("leave-alice") });
    const bob = await call.join("bob", bobs);
    const carol = await call.join("carol", carols);
    await speak(alice, carol);
    await Promise.all([untilHeard(world, bob, alice), untilHeard(world, bob, carol)]);

    const leftAt = Date.now();
    await alice.media.leave();
    const lostAt = Date.now();
    await carol.media.kill();

    const promptMs = (await untilGone(call, bob, alice, TOLD_MS)) - leftAt;
    world.note(
      `${promptMs <= PROMPT_MS ? "" : "late: "}alice was gone ${promptMs} ms after she began to leave`,
    );
    const lostMs = (await untilGone(call, bob, carol, LOST_MS)) - lostAt;
    world.note(`carol was gone ${lostMs} ms after her process was killed`);
    await expectListed(call, bob);
  },
);

/** The SFU's listing comes to have one member only: it is written after those who are there have been told. */
async function expectListed(call: Call, member: Member): Promise<void> {
  await call.world.eventually(async () => {
    const listed = (await call.listed(member)).map(({ identity }) => identity);
    expectEqual(listed, [member.media.identity], "who is in the room by the SFU's listing");
  });
}

/** When the listener's library told that one has left. */
async function untilGone(
  { world }: Call,
  listener: Member,
  { name, media }: Member,
  deadlineMs: number,
): Promise<number> {
  return await world.eventually(
    async () => {
      const { notes } = await listener.media.report();
      const gone = notes.find(
        ({ what, identity }) => what === "participant-left" && identity === media.identity,
      );
      if (gone !== undefined) return gone.at;
      fail(`${listener.name} is told that ${name} has left`, "nothing of it");
    },
    { deadlineMs },
  );
}

check(
  "RTC.media.unpublish-right",
  "the SFU lets nobody send whose token does not say so",
  {
    ...WITH_MEDIA,
    mutant: [
      serviceThat("lets everybody send", "publish-for-all", "m.call#silent"),
      altersAnswer("takes what they send", LISTING, {
        set: { "/participants/*/tracks": [{ sid: "TR_any", type: "AUDIO" }] },
      }),
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#silent");
    const bobs = await call.user("bob", "hs2");
    const alice = await call.join("alice", call.alice);
    const bob = await call.join("bob", bobs, { sfuOf: call.alice });
    await speak(alice);
    await untilHeard(world, bob, alice);

    // The SFU does not answer, and the library waits 10 s for it.
    const refused = await bob.media.publishTone(bob.hz).then(
      () => "published",
      () => "refused",
    );

    expectEqual(refused, "refused", "what becomes of a tone of bob's");
    const tracks = (await call.listed(alice))
      .filter(({ identity }) => identity === bob.media.identity)
      .map((participant) => participant.tracks);
    expectEqual(tracks, [[]], "tracks of bob's by the SFU's listing");
    expectEqual(await spellsOf(alice, bob), [], "what alice hears of bob");
  },
);

check(
  "RTC.media.duplicate-identity",
  "the SFU removes who is there when another one comes with the same identity",
  {
    ...WITH_MEDIA,
    mutant: [
      altersRequest(
        "takes the second for somebody else",
        { method: "POST", path: GET_TOKEN, contains: "again=1" },
        { set: { "/member_id": "somebody-else" } },
      ),
      altersAnswer("shows them both", LISTING, { set: { "/participants/0/identity": "another" } }),
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#twice");
    const memberId = world.name("member");
    const first = await call.join("the first", call.alice, { memberId });

    const second = await call.join("the second", call.alice, { memberId, query: { again: "1" } });

    const reason = await world.eventually(
      async () => {
        const { notes } = await first.media.report();
        const end = notes.find(({ what }) => what === "disconnected");
        if (end !== undefined) return end.reason;
        fail("the first is disconnected", "it is still there");
      },
      { deadlineMs: TOLD_MS },
    );
    // DUPLICATE_IDENTITY of LiveKit's protocol.
    expectEqual(reason, 2, "why the first was disconnected");
    const { isConnected } = await second.media.report();
    expectThat(isConnected, "the second is connected", "it is not");
    await expectListed(call, second);
  },
);
