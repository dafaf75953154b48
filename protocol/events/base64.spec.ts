import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64, decodeBase64Strictly, encodeBase64, encodeBase64Url } from "./base64.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

test.each([
  ["", ""],
  ["f", "Zg"],
  ["fo", "Zm8"],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg"],
  ["fooba", "Zm9vYmE"],
  ["foobar", "Zm9vYmFy"],
])("the specification's example %j", (text, encoded) => {
  expect(encodeBase64(bytesOf(text))).toBe(encoded);
  expect(decodeBase64(encoded)).toEqual(bytesOf(text));
  expect(decodeBase64Strictly(encoded)).toEqual(bytesOf(text));
});

test("has two alphabets", () => {
  const bytes = new Uint8Array([0xfb, 0xff, 0xbf]);
  expect(encodeBase64(bytes)).toBe("+/+/");
  expect(encodeBase64Url(bytes)).toBe("-_-_");
  expect(decodeBase64Strictly("-_-_", "url-safe")).toEqual(bytes);
  expect(decodeBase64Strictly("+/+/", "url-safe")).toBeUndefined();
  expect(decodeBase64Strictly("-_-_")).toBeUndefined();
  expect(decodeBase64("+_-/")).toEqual(bytes);
});

test.each([
  ["padding", "Zg=="],
  ["bits left over", "Zh"],
])("takes %s only leniently", (_, text) => {
  expect(decodeBase64(text)).toEqual(bytesOf("f"));
  expect(decodeBase64Strictly(text)).toBeUndefined();
});

test.each(["Z", "Zm9vY", "Z g", "Zm9v\n", "Zm=9v", "Zg===", "Zé", "Z!", "😀"])(
  "never takes %j",
  (text) => {
    expect(decodeBase64(text)).toBeUndefined();
    expect(decodeBase64Strictly(text)).toBeUndefined();
  },
);

test("agrees with Node about all bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = Buffer.from(bytes).toString("base64").replaceAll("=", "");
      expect(encodeBase64(bytes)).toBe(text);
      expect(encodeBase64Url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      expect(decodeBase64Strictly(text)).toEqual(bytes);
      expect(decodeBase64Strictly(encodeBase64Url(bytes), "url-safe")).toEqual(bytes);
    }),
    { seed: 1 },
  );
});
