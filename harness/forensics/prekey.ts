/** What an Olm message of type 0 tells in clear (Olm specification, "Pre-Key Messages"). */

const VERSION = 3;
/** Tag of the field with the one-time key that the sender has used, and the length of a Curve25519 key. */
const [ONE_TIME_KEY, KEY_BYTES] = [0x0a, 32];
/** Other fields of the head, which may come before it: base key and identity key. */
const OTHER_KEYS: readonly (number | undefined)[] = [0x12, 0x1a];

/** Public half of the one-time or fallback key that it was made for, unpadded base64; undefined: it is no such message. */
export function oneTimeKeyIn(body: string): string | undefined {
  const bytes = Buffer.from(body, "base64");
  if (bytes[0] !== VERSION) return undefined;
  for (let at = 1; at + 2 + KEY_BYTES <= bytes.length; at += 2 + KEY_BYTES) {
    if (bytes[at + 1] !== KEY_BYTES) return undefined;
    if (bytes[at] === ONE_TIME_KEY) {
      return unpadded(bytes.subarray(at + 2, at + 2 + KEY_BYTES).toString("base64"));
    }
    if (!OTHER_KEYS.includes(bytes[at])) return undefined;
  }
  return undefined;
}

export function unpadded(base64: string): string {
  return base64.replace(/=+$/, "");
}
