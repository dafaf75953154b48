/** Ed25519 (RFC 8032), synchronous, verified as libsodium does, whose verdict is that of most servers. */
import { getPublicKey, hash, hashes, Point, sign } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { concatBytes } from "@noble/hashes/utils.js";

// The synchronous functions of noble ask for it.
hashes.sha512 = sha512;

const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

const ORDER = Point.CURVE().n;

/** @param secretKey 32 bytes; the key that belongs to it has 32 as well */
export function publicKeyBytes(secretKey: Uint8Array): Uint8Array {
  return getPublicKey(secretKey);
}

/** @param secretKey 32 bytes; the signature has 64 */
export function signBytes(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return sign(message, secretKey);
}

/**
 * True for the one signature that the owner of the key can make: scalar and points in their only encoding, no point of
 * small order, and the equation without the cofactor. Noble's own verification multiplies by it, also when it is strict,
 * so that keys of mixed order could sign what libsodium, thus Synapse, refuses.
 *
 * @param signature 64 bytes
 * @param publicKey 32 bytes
 */
export function verifyBytes(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  const commitment = signature.subarray(0, PUBLIC_KEY_BYTES);
  const scalar = littleEndian(signature.subarray(PUBLIC_KEY_BYTES));
  if (scalar >= ORDER) return false;
  const key = pointOf(publicKey);
  const claimed = pointOf(commitment);
  if (key === undefined || claimed === undefined) return false;
  const challenge = littleEndian(hash(concatBytes(commitment, publicKey, message))) % ORDER;
  const computed = Point.BASE.multiply(scalar, false).subtract(key.multiply(challenge, false));
  return computed.equals(claimed);
}

function pointOf(bytes: Uint8Array): Point | undefined {
  try {
    const point = Point.fromBytes(bytes);
    return point.isSmallOrder() ? undefined : point;
  } catch {
    return undefined;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let hex = "";
  for (const byte of bytes) hex = byte.toString(16).padStart(2, "0") + hex;
  return BigInt(`0x${hex}`);
}
