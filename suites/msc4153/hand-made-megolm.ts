/** A megolm session that no client has made (Megolm ratchet; client-server API, "m.megolm.v1.aes-sha2"). */

import { createCipheriv, createHash, createHmac, hkdfSync } from "node:crypto";
import { keyPair } from "#harness/clients/identities";
import { encodeBase64 } from "#protocol/events/base64";
import { signBytes } from "#protocol/events/ed25519";
import type { JsonObject } from "#protocol/events/event";

/** First bytes of each format, and the length of a message's authentication code. */
const [SHARED, EXPORTED, MESSAGE, MAC_BYTES] = [2, 1, 3, 8];
/** Tags of a message's index and ciphertext. */
const [INDEX, CIPHERTEXT] = [0x08, 0x12];
/** Of a ratchet: four parts of 32 bytes. */
const PARTS = [0, 1, 2, 3];

export interface HandMadeSession {
  readonly sessionId: string;
  /** As in `m.room_key`. */
  readonly sharedKey: string;
  /** As in exports and backups. */
  readonly exportedKey: string;
  /** Content of the session's first event. */
  readonly encrypt: (roomId: string, type: string, content: JsonObject) => JsonObject;
}

/** @param seed of all its secrets: whoever reads the check knows them */
export function handMadeSession(seed: string): HandMadeSession {
  const digest = (name: unknown) => createHash("sha256").update(`${seed} ${name}`).digest();
  const ratchet = Buffer.concat(PARTS.map(digest));
  const { secret, publicKey } = keyPair(`${seed} signing`);
  const sign = (bytes: Buffer) => Buffer.concat([bytes, signBytes(bytes, secret)]);
  const key = (version: number) =>
    Buffer.concat([Buffer.from([version, 0, 0, 0, 0]), ratchet, Buffer.from(publicKey, "base64")]);
  const sessionId = publicKey;
  const encrypt = (roomId: string, type: string, content: JsonObject) => {
    const text = JSON.stringify({ type, content, room_id: roomId });
    const keys = Buffer.from(hkdfSync("sha256", ratchet, new Uint8Array(), "MEGOLM_KEYS", 80));
    const cipher = createCipheriv("aes-256-cbc", keys.subarray(0, 32), keys.subarray(64));
    const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    const head = Buffer.from([MESSAGE, INDEX, 0, CIPHERTEXT, ...varint(ciphertext.length)]);
    const payload = Buffer.concat([head, ciphertext]);
    const mac = createHmac("sha256", keys.subarray(32, 64)).update(payload).digest();
    const message = sign(Buffer.concat([payload, mac.subarray(0, MAC_BYTES)]));
    return {
      algorithm: "m.megolm.v1.aes-sha2",
      session_id: sessionId,
      ciphertext: encodeBase64(message),
    };
  };
  return {
    sessionId,
    sharedKey: encodeBase64(sign(key(SHARED))),
    exportedKey: encodeBase64(key(EXPORTED)),
    encrypt,
  };
}

/** Seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
}
