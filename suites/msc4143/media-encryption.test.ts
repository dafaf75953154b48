/**
 * What becomes of encrypted media: MSC4143 §End-to-end encryption, MSC4195 §End-to-end encryption. Verdicts on LiveKit's client library,
 * which encrypts and decrypts here. "Not heard" is always beside somebody who hears it meanwhile.
 */
import { SLOT } from "#harness/clients/rtc/names";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, fail } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import {
  Call,
  expectDeaf,
  handOver,
  type JoinOptions,
  type Member,
  speak,
  statesOf,
  untilHeard,
  WITH_MEDIA,
} from "./media.ts";

/** Seen as one that is not to be encrypted, a slot is entered without encryption. */
const DOWNGRADES = altersAnswer(
  "shows the slot without its encryption",
  { method: "GET", path: `/_matrix/client/v3/rooms/*/state/${SLOT}/**` },
  { remove: ["/encryption"] },
);
const HANDING = { method: "PUT", path: "/_matrix/client/v3/sendToDevice/**" };
const GARBLES = altersRequest("hands on another key", HANDING, {
  set: { "/messages/*/*/secret": Buffer.alloc(32).toString("base64") },
});
/** For a library to tell what it has found. */
const TOLD_MS = 5_000;
/** After a key has come late; what the project wants is a tenth of a second. */
const LATE_MS = 5_000;

const newKey = () => crypto.getRandomValues(new Uint8Array(32));

/** Alice, with a key of her own, and listeners beside her, of whom nobody has it yet. */
async function meet(
  call: Call,
  listeners: Readonly<Record<string, Pick<JoinOptions, "encryption">>>,
  index = 0,
) {
  const alice = await call.join("alice", call.alice);
  const others: Member[] = [];
  for (const [name, options] of Object.entries(listeners))
    others.push(await call.join(name, await call.user(name), options));
  const key = newKey();
  if (await isEncrypted(alice)) await alice.media.setKey(alice.media.identity, index, key);
  return { alice, key, others };
}

/** A slot that was shown without encryption is entered without, and no key is of use then. */
async function isEncrypted({ media }: Member): Promise<boolean> {
  return (await media.report()).isEncrypting;
}

async function give(from: Member, to: Member, index: number, key: Uint8Array): Promise<void> {
  const arrived = await handOver(from.session, to.session, index, key);
  if (await isEncrypted(to)) await to.media.setKey(from.media.identity, arrived.index, arrived.key);
}

check(
  "RTC.e2ee.right-key",
  "who has the key of a member hears it",
  { ...WITH_MEDIA, mutant: [GARBLES, DOWNGRADES] },
  async (world) => {
    await using call = await Call.open(world, "m.call#right", { isEncrypted: true });
    const { alice, key, others } = await meet(call, { bob: {} });
    const [bob = alice] = others;
    await give(alice, bob, 0, key);

    await speak(alice);

    await untilHeard(world, bob, alice);
    await expectEncrypted(bob, alice);
    expectEqual((await statesOf(bob, alice)).at(-1), "ok", "bob's encryption state of alice");
  },
);

check(
  "RTC.e2ee.wrong-key",
  "who has another key hears nothing of a member",
  { ...WITH_MEDIA, mutant: DOWNGRADES },
  async (world) => {
    await using call = await Call.open(world, "m.call#wrong", { isEncrypted: true });
    const { alice, key, others } = await meet(call, { bob: {}, carol: {} });
    const [bob = alice, carol = alice] = others;
    await give(alice, bob, 0, key);
    await give(alice, carol, 0, newKey());

    await speak(alice);

    await untilHeard(world, bob, alice);
    await expectDeaf(world, carol, alice);
    world.note(`carol's library tells: ${(await statesOf(carol, alice)).join(", ") || "nothing"}`);
  },
);

check(
  "RTC.e2ee.missing-key",
  "who lacks the key of a member is told so, and hears it once the key has come",
  {
    ...WITH_MEDIA,
    mutant: [
      DOWNGRADES,
      altersRequest("hands on a key of another index", HANDING, {
        set: { "/messages/*/*/index": 4 },
      }),
      GARBLES,
    ],
  },
  async (world) => {
    await using call = await Call.open(world, "m.call#missing", { isEncrypted: true });
    const index = 3;
    const { alice, key, others } = await meet(call, { bob: {}, carol: {} }, index);
    const [bob = alice, carol = alice] = others;
    await give(alice, bob, index, key);
    await speak(alice);
    await alice.media.useKey(index);
    await untilHeard(world, bob, alice);

    await world.eventually(
      async () => {
        const states = await statesOf(carol, alice);
        if (states.includes("missing-key")) return;
        fail(
          `carol's library tells that she lacks key ${index} of alice (${alice.media.identity})`,
          states.join(", ") || "nothing",
        );
      },
      { deadlineMs: TOLD_MS },
    );
    await expectDeaf(world, carol, alice);

    await give(alice, carol, index, key);
    const given = Date.now();
    const deadlineMs = LATE_MS;
    const missing = `key ${index} of alice (${alice.media.identity})`;
    const began = await untilHeard(world, carol, alice, { since: given, deadlineMs }).catch(
      async (error) => {
        world.note(`carol still lacks ${missing}: ${(await statesOf(carol, alice)).join(", ")}`);
        throw error;
      },
    );
    world.note(`carol lacked ${missing}, and heard her ${began - given} ms after it had come`);
  },
);

check(
  "RTC.e2ee.sfu-blind",
  "what the SFU carries is not to be heard without keys",
  { ...WITH_MEDIA, mutant: DOWNGRADES },
  async (world) => {
    await using call = await Call.open(world, "m.call#blind", { isEncrypted: true });
    const { alice, key, others } = await meet(call, { bob: {}, eve: { encryption: "none" } });
    const [bob = alice, eve = alice] = others;
    await give(alice, bob, 0, key);

    await speak(alice);

    await untilHeard(world, bob, alice);
    await expectDeaf(world, eve, alice);
    await expectEncrypted(eve, alice);
  },
);

check(
  "MSC4195.e2ee.params",
  "keys become those of frames by HKDF with the salt of the text",
  { ...WITH_MEDIA, mutant: [GARBLES, DOWNGRADES] },
  async (world) => {
    await using call = await Call.open(world, "m.call#params", { isEncrypted: true });
    const { alice, key, others } = await meet(call, {
      bob: {},
      pbkdf2: { encryption: { derivation: "pbkdf2" } },
      salted: { encryption: { salt: "another salt" } },
    });
    const [bob = alice, pbkdf2 = alice, salted = alice] = others;
    for (const listener of others) await give(alice, listener, 0, key);

    await speak(alice);

    await untilHeard(world, bob, alice);
    await expectDeaf(world, pbkdf2, alice);
    await expectDeaf(world, salted, alice);
  },
);

check(
  "MSC4195.e2ee.params",
  "256 keys of a member are kept apart",
  { ...WITH_MEDIA, mutant: [GARBLES, DOWNGRADES] },
  async (world) => {
    await using call = await Call.open(world, "m.call#ring", { isEncrypted: true });
    const { alice, key, others } = await meet(call, { bob: {}, carol: {} });
    const [bob = alice, carol = alice] = others;
    for (const listener of others) await give(alice, listener, 0, key);
    // In a smaller ring they would take the place of the first.
    for (const index of [16, 128, 254]) await give(alice, bob, index, newKey());
    await give(alice, carol, 255, newKey());

    await speak(alice);

    await untilHeard(world, bob, alice);
    await expectEncrypted(bob, alice);
    await untilHeard(world, carol, alice);
  },
);

/** The track says by which cipher it is encrypted. */
async function expectEncrypted(listener: Member, speaker: Member): Promise<void> {
  const { participants } = await listener.media.report();
  const tracks = participants
    .filter(({ identity }) => identity === speaker.media.identity)
    .flatMap((participant) => participant.tracks);
  const [first = {}] = tracks;
  expectContains({ ...first }, { kind: "audio", encryption: "gcm" }, `${speaker.name}'s track`);
}
