/** Media keys that matrix-js-sdk sends (MSC4143 §Distributing keys). By these checks no homeserver fails. */
import { digestOf } from "#harness/clients/rtc/call-party";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat } from "#harness/world/expect";
import {
  Call,
  CLIENTS,
  LIBRARY,
  LOSES_LEAVES,
  LOSES_LETTERS,
  SAME_KEY,
  told,
} from "./media-keys.ts";

/** Whoever joins gets a key that is new. */
const ALWAYS_NEW = { keyRotationGracePeriodMs: 0, useKeyDelay: 0 };

check(
  "MSC4143.key.recipients",
  "the client sends its key to who is in the call, not to others of the room, and not to who has left",
  { ...CLIENTS, mutant: [SAME_KEY, LOSES_LEAVES] },
  async (world) => {
    await using call = await Call.open(world, {
      parties: ["bob", "carol", "dave"],
      config: ALWAYS_NEW,
    });
    await call.joinAlice();
    await call.join("bob");
    const before = (await call.keysAt("bob", 1)).map(({ key }) => digestOf(key));

    await call.member("bob").leave();
    await call.untilGone(call.member("bob").memberId);
    await call.join("carol");
    // The library sends a key to all who get it in one request: with this one, all has come that anybody was sent so far.
    const atCarol = await call.keysAt("carol", 1);
    const later = atCarol.map(({ key }) => digestOf(key));

    const early = atCarol.filter(({ key }) => before.includes(digestOf(key)));
    expectEqual(early.map(told), [], "the keys from before her join at carol");
    // What was on its way when he left is none of them.
    const atBob = await call.member("bob").party.keys();
    const shared = atBob.filter(({ key }) => later.includes(digestOf(key)));
    expectEqual(shared.map(told), [], "the keys from after his leave at bob");
    expectEqual((await call.member("dave").party.keys()).map(told), [], "the keys at dave");
  },
);

check(
  "MSC4143.key.length",
  "the client's key has 32 bytes or more",
  { ...CLIENTS, mutant: SAME_KEY },
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    await call.joinAlice();
    await call.join("bob");

    const [letter] = await call.keysAt("bob", 1);

    const bytes = Buffer.from(letter?.key.reveal() ?? "", "base64").length;
    expectThat(bytes >= 32, `a key of 32 bytes or more from ${LIBRARY}`, `${bytes} bytes`);
  },
);

check(
  "MSC4143.key.length",
  "the client makes a new key each time that it joins",
  { ...CLIENTS, mutant: SAME_KEY },
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    await call.joinAlice();
    await call.join("bob");
    const [first] = await call.keysAt("bob", 1);

    await call.alice.leave(call.roomId);
    await call.joinAlice();
    const again = (await call.keysAt("bob", 2)).at(-1);

    expectThat(
      first !== undefined && again !== undefined && digestOf(first.key) !== digestOf(again.key),
      `another key of ${LIBRARY} after another join`,
      again && told(again),
    );
  },
);

check(
  "MSC4143.key.wire",
  "the client sends its key as the text writes it",
  { ...CLIENTS, mutant: LOSES_LETTERS },
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    const memberId = await call.joinAlice();
    await call.join("bob");

    const [letter] = await call.keysAt("bob", 1);

    expectContains(
      letter,
      { form: "text", outcome: "decrypted", memberId, roomId: call.roomId },
      `the first key from ${LIBRARY}`,
    );
  },
);

check(
  "MSC4143.key.wire-legacy",
  "the client sends its key as deployed clients read it",
  { ...CLIENTS, mutant: [LOSES_LETTERS, SAME_KEY] },
  async (world) => {
    await using call = await Call.open(world, { parties: ["bob"] });
    const memberId = await call.joinAlice();
    await call.join("bob");

    const [letter] = await call.keysAt("bob", 1);

    const { deviceId, userId } = call.alice.session;
    const form = "deployed";
    const proven = { outcome: "decrypted", sender: userId, senderDevice: deviceId };
    expectContains(letter, { form, ...proven }, `the first key from ${LIBRARY}`);
    expectContains(
      letter?.content,
      {
        room_id: call.roomId,
        member: { id: memberId, claimed_device_id: deviceId },
        session: { application: "m.call" },
      },
      `what ${LIBRARY} says of it`,
    );
    const sentMs = Number(letter?.content.sent_ts);
    expectThat(sentMs <= Date.now(), "the time when it was sent", letter?.content.sent_ts);
  },
);
