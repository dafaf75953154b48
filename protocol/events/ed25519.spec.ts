import { etc, Point, utils, verify } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { expect, test } from "vitest";
import { publicKeyBytes, signBytes, verifyBytes } from "./ed25519.ts";

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index);
const MESSAGE = Uint8Array.of(1, 2, 3);
const ORDER = Point.CURVE().n;
/** Of order eight. */
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${etc.bytesToHex(Uint8Array.from(bytes).reverse())}`);
}

function scalarBytes(scalar: bigint): Uint8Array {
  return etc.hexToBytes(scalar.toString(16).padStart(64, "0")).reverse();
}

/** A signature by a key to which a point of small order is added: with the cofactor, it holds. */
function signWithMixedKey(message: Uint8Array): { signature: Uint8Array; publicKey: Uint8Array } {
  const { scalar, point } = utils.getExtendedPublicKey(SEED);
  const publicKey = point.add(TORSION).toBytes();
  const commitment = Point.BASE.multiply(7n).toBytes();
  const challenge = littleEndian(sha512(etc.concatBytes(commitment, publicKey, message))) % ORDER;
  const response = (7n + challenge * scalar) % ORDER;
  return { signature: etc.concatBytes(commitment, scalarBytes(response)), publicKey };
}

test("verifies what it signed, and nothing else", () => {
  const publicKey = publicKeyBytes(SEED);
  const signature = signBytes(MESSAGE, SEED);
  expect(verifyBytes(signature, MESSAGE, publicKey)).toBe(true);
  expect(verifyBytes(signature, Uint8Array.of(1, 2, 4), publicKey)).toBe(false);
  expect(verifyBytes(signature, MESSAGE, publicKeyBytes(new Uint8Array(32)))).toBe(false);
  for (const index of [0, 31, 32, 63]) {
    const changed = Uint8Array.from(signature);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(verifyBytes(changed, MESSAGE, publicKey)).toBe(false);
  }
});

test("refuses what has another length", () => {
  const publicKey = publicKeyBytes(SEED);
  const signature = signBytes(MESSAGE, SEED);
  expect(verifyBytes(signature.subarray(1), MESSAGE, publicKey)).toBe(false);
  expect(verifyBytes(signature, MESSAGE, publicKey.subarray(1))).toBe(false);
  expect(verifyBytes(new Uint8Array(0), MESSAGE, new Uint8Array(0))).toBe(false);
});

test("refuses a scalar that is not reduced", () => {
  const signature = signBytes(MESSAGE, SEED);
  const scalar = littleEndian(signature.subarray(32));
  const other = etc.concatBytes(signature.subarray(0, 32), scalarBytes(scalar + ORDER));
  expect(verifyBytes(other, MESSAGE, publicKeyBytes(SEED))).toBe(false);
});

test("refuses keys of small order, under which anyone could sign", () => {
  const identity = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0));
  const forged = etc.concatBytes(identity, new Uint8Array(32));
  expect(verifyBytes(forged, MESSAGE, identity)).toBe(false);
  expect(verifyBytes(forged, MESSAGE, TORSION.toBytes())).toBe(false);
});

test("refuses signatures that hold only with the cofactor", () => {
  const verdicts = Array.from({ length: 40 }, (_, index) => {
    const message = Uint8Array.of(index);
    const { signature, publicKey } = signWithMixedKey(message);
    expect(verify(signature, message, publicKey, { zip215: false })).toBe(true);
    return verifyBytes(signature, message, publicKey);
  });
  // One challenge in eight takes the small point away.
  expect(verdicts).toContain(false);
  expect(verdicts.filter((isValid) => isValid).length).toBeLessThan(20);
});
