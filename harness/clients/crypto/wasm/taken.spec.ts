/** Of which parcels the wasm engine's answer says something, and what. */
import { expect, test } from "vitest";
import { digest } from "../parcel.ts";
import { type LookedAt, takenOf } from "./taken.ts";

const [OWN, OTHER] = ["own device", "other device"];

function olm(sender: string, ciphertexts: Readonly<Record<string, string>>) {
  const ciphertext = Object.fromEntries(
    Object.entries(ciphertexts).map(([key, body]) => [key, { type: 0, body }]),
  );
  const content = { algorithm: "m.olm.v1.curve25519-aes-sha2", sender_key: sender, ciphertext };
  return { type: "m.room.encrypted", sender: "@alice:hs1", content };
}

const from = (sender: string, body: string) => olm(sender, { [OWN]: body });
const decrypted = (senderKey: string): LookedAt => ({ isDecrypted: true, senderKey });
const failed = (raw: ReturnType<typeof olm>, reason?: string): LookedAt => ({
  isDecrypted: false,
  raw,
  reason,
});

/** Outcome by ciphertext. */
function outcomes(
  events: Parameters<typeof takenOf>[0],
  looked: readonly LookedAt[],
): readonly unknown[] {
  return takenOf(events, looked, OWN).map(({ id, outcome }) => [id, outcome]);
}

test("each parcel is told with what came of it, and why it failed", () => {
  const [one, two] = [from("phone", "one"), from("phone", "two")];

  const parcels = takenOf([one, two], [decrypted("phone"), failed(two, "DecryptionFailure")], OWN);

  const base = { sender: "@alice:hs1", isPreKey: true };
  expect(parcels).toEqual([
    { ...base, id: digest("one"), outcome: "decrypted" },
    { ...base, id: digest("two"), outcome: "failed", reason: "DecryptionFailure" },
  ]);
});

test("of what the engine has dropped nothing is told", () => {
  const events = [from("dehydrated", "one"), from("phone", "two"), from("dehydrated", "three")];

  expect(outcomes(events, [decrypted("phone")])).toEqual([[digest("two"), "decrypted"]]);
  expect(outcomes(events, [])).toEqual([]);
});

test("a copy that failed takes nothing from the message that did not", () => {
  const event = from("phone", "one");

  expect(outcomes([event, event], [decrypted("phone"), failed(event)])).toEqual([
    [digest("one"), "decrypted"],
    [digest("one"), "failed"],
  ]);
});

test("what an event has for another device was not decrypted with it", () => {
  const event = olm("phone", { [OTHER]: "one", [OWN]: "two" });

  expect(outcomes([event], [decrypted("phone")])).toEqual([[digest("two"), "decrypted"]]);
});

test("events of other types, and those that the engine adds, stand for no parcel", () => {
  const event = from("phone", "one");
  const plain = { ...event, type: "m.dummy" };
  const added = failed({ ...event, type: "m.key.verification.cancel" });

  expect(outcomes([plain, event], [added, failed(plain), decrypted("phone")])).toEqual([
    [digest("one"), "decrypted"],
  ]);
});
