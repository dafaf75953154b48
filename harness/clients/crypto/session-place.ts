/** What the ciphertext of an `m.room.encrypted` event tells without any key. */
import { isObject } from "#harness/match/json";
import type { SessionPlace } from "./crypto-client.ts";

/** Version of megolm messages, and the tag of the index's field (Megolm ratchet, "Message format"). */
const [VERSION, INDEX_TAG] = [3, 0x08];

export function sessionPlace(content: unknown): SessionPlace {
  const { session_id, ciphertext } = isObject(content) ? content : {};
  return {
    sessionId: typeof session_id === "string" ? session_id : "",
    index: typeof ciphertext === "string" ? indexIn(ciphertext) : undefined,
  };
}

function indexIn(ciphertext: string): number | undefined {
  const bytes = Buffer.from(ciphertext, "base64");
  if (bytes[0] !== VERSION || bytes[1] !== INDEX_TAG) return undefined;
  let index = 0;
  // A variable-length integer, seven bits a byte, the lowest first; indexes have 32 bits.
  for (let at = 2; at < 7; at++) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    index += (byte & 0x7f) * 2 ** (7 * (at - 2));
    if (byte < 0x80) return index;
  }
  return undefined;
}
