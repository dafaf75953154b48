/** Olm messages made by hand. */
import { randomBytes } from "node:crypto";

/** Version of Olm messages, and the tags of a first one's fields (Olm, "Message Format"). */
const VERSION = 3;
const TAGS = { oneTimeKey: 0x0a, baseKey: 0x12, identityKey: 0x1a, message: 0x22 };
/** Of an inner message: ratchet key, chain index, ciphertext; a truncated MAC follows. */
const INNER = { ratchetKey: 0x0a, chainIndex: 0x10, ciphertext: 0x22 };
const MAC_BYTES = 8;

/** A first message for this one-time key, well formed and by nobody: no key decrypts it. */
export function preKeyMessage(oneTimeKey: Buffer): {
  readonly body: string;
  readonly identityKey: string;
} {
  const identityKey = randomBytes(32);
  const inner = Buffer.concat([
    Buffer.of(VERSION),
    field(INNER.ratchetKey, randomBytes(32)),
    Buffer.of(INNER.chainIndex, 0),
    field(INNER.ciphertext, randomBytes(32)),
    randomBytes(MAC_BYTES),
  ]);
  const body = Buffer.concat([
    Buffer.of(VERSION),
    field(TAGS.oneTimeKey, oneTimeKey),
    field(TAGS.baseKey, randomBytes(32)),
    field(TAGS.identityKey, identityKey),
    field(TAGS.message, inner),
  ]);
  return { body: unpadded(body), identityKey: unpadded(identityKey) };
}

/** Bytes that are shorter than 128, with their tag. */
function field(tag: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, bytes.length), bytes]);
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
