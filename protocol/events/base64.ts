/** Base64 without padding, in both alphabets (specification, appendices §Unpadded Base64). */

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`;
const SIZE_OF_TABLE = 128;
const UNKNOWN = 0xff;

const STRICT_VALUES = valuesOf(STANDARD);
const URL_SAFE_VALUES = valuesOf(URL_SAFE);
const LENIENT_VALUES = valuesOf(STANDARD, URL_SAFE);

/** Unpadded, standard alphabet: hashes, keys and signatures. */
export function encodeBase64(bytes: Uint8Array): string {
  return encode(bytes, STANDARD);
}

/** Unpadded, URL-safe alphabet: event ids since room version 4. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encode(bytes, URL_SAFE);
}

/**
 * The bytes, or undefined when the text is not what an encoder would have written: no padding, no bits left over, one
 * alphabet.
 */
export function decodeBase64Strictly(
  text: string,
  alphabet: "standard" | "url-safe" = "standard",
): Uint8Array | undefined {
  return decode(text, alphabet === "standard" ? STRICT_VALUES : URL_SAFE_VALUES, true);
}

/**
 * The bytes, or undefined. Takes both alphabets, with and without padding, and ignores bits left over, as the
 * specification asks of receivers. Python, thus Synapse, even skips characters of neither alphabet; this does not.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  return decode(text.replace(/={1,2}$/, ""), LENIENT_VALUES, false);
}

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const bits =
      ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    text += alphabet.charAt(bits >> 18) + alphabet.charAt((bits >> 12) & 63);
    if (left > 1) text += alphabet.charAt((bits >> 6) & 63);
    if (left > 2) text += alphabet.charAt(bits & 63);
  }
  return text;
}

function decode(text: string, values: Uint8Array, isExact: boolean): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let length = 0;
  let bits = 0;
  let bitCount = 0;
  for (let index = 0; index < text.length; index++) {
    const value = values[text.charCodeAt(index)] ?? UNKNOWN;
    if (value === UNKNOWN) return undefined;
    bits = ((bits << 6) | value) & 0xfff;
    bitCount += 6;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes[length++] = bits >> bitCount;
  }
  const leftOver = bits & ((1 << bitCount) - 1);
  return isExact && leftOver !== 0 ? undefined : bytes;
}

function valuesOf(...alphabets: readonly string[]): Uint8Array {
  const values = new Uint8Array(SIZE_OF_TABLE).fill(UNKNOWN);
  for (const alphabet of alphabets) {
    for (let value = 0; value < alphabet.length; value++) {
      values[alphabet.charCodeAt(value)] = value;
    }
  }
  return values;
}
