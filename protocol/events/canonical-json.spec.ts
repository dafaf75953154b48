import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CanonicalJsonError, canonicalJson, MAX_NESTING } from "./canonical-json.ts";

const strict = (value: unknown) => canonicalJson(value, { strict: true });
const lenient = (value: unknown) => canonicalJson(value, { strict: false });

/** The error's code and place. */
function refusal(value: unknown, isStrict = true): readonly [string, string] {
  try {
    canonicalJson(value, { strict: isStrict });
  } catch (error) {
    if (error instanceof CanonicalJsonError) return [error.code, error.place];
  }
  throw new Error("it was encoded");
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

describe("the examples of the specification", () => {
  test.each([
    ["{}", "{}"],
    ['{"one": 1, "two": "Two"}', '{"one":1,"two":"Two"}'],
    ['{"b": "2", "a": "1"}', '{"a":"1","b":"2"}'],
    [
      '{"auth": {"success": true, "mxid": "@john.doe:example.com", "profile": {"display_name": "John Doe", "three_pids": [{"medium": "email", "address": "john.doe@example.org"}, {"medium": "msisdn", "address": "123456789"}]}}}',
      '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
    ],
    ['{"a": "日本語"}', '{"a":"日本語"}'],
    ['{"本": 2, "日": 1}', '{"日":1,"本":2}'],
    ['{"a": "\\u65E5"}', '{"a":"日"}'],
    ['{"a": null}', '{"a":null}'],
    ['{"a": -0, "b": 1e10}', '{"a":0,"b":10000000000}'],
  ])("%s", (text, canonical) => {
    expect(strict(JSON.parse(text))).toBe(canonical);
  });
});

test("sorts keys by code point, not by UTF-16 unit", () => {
  const value = {
    "\u{10000}": 1,
    "\uffff": 2,
    "\ue000": 3,
    "\u{1f600}": 4,
    a: 5,
    "": 6,
    "10": 7,
    "9": 8,
  };
  expect(strict(value)).toBe(
    '{"":6,"10":7,"9":8,"a":5,"\ue000":3,"\uffff":2,"\u{10000}":1,"\u{1f600}":4}',
  );
});

test("sorts a key before those that it begins", () => {
  expect(strict({ "😀b": 1, "😀": 2, "😀a": 3 })).toBe('{"😀":2,"😀a":3,"😀b":1}');
});

test("escapes what must be escaped, in the shortest way, and nothing else", () => {
  expect(strict('\b\t\n\f\r"\\/\u0000\u001f\u007f\u2028é😀')).toBe(
    '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028é😀"',
  );
});

test("keeps keys that mean something to JavaScript", () => {
  const text = '{"__proto__":{"constructor":1},"toJSON":null}';
  expect(strict(JSON.parse(text))).toBe(text);
});

test.each([
  ["a fraction", { a: [1, 1.5] }, ["NOT_INTEGER", "$.a[1]"]],
  ["an integer beyond 2^53 - 1", { a: 2 ** 53 }, ["OUT_OF_RANGE", "$.a"]],
  ["one below", -(2 ** 53), ["OUT_OF_RANGE", "$"]],
  ["NaN", { "a b": { c: Number.NaN } }, ["NOT_JSON", '$["a b"].c']],
  ["infinity", [Number.NEGATIVE_INFINITY], ["NOT_JSON", "$[0]"]],
  ["undefined", { a: undefined }, ["NOT_JSON", "$.a"]],
  ["a hole", new Array(1), ["NOT_JSON", "$[0]"]],
  ["a bigint", [1n], ["NOT_JSON", "$[0]"]],
  ["a function", { toString: () => "" }, ["NOT_JSON", "$.toString"]],
  ["half a pair in a text", { a: "\ud83d" }, ["LONE_SURROGATE", "$.a"]],
  ["half a pair in a key", { a: { "\ude00": 1 } }, ["LONE_SURROGATE", '$.a["\\ude00"]']],
] as const)("refuses %s and says where", (_, value, expected) => {
  expect(refusal(value)).toEqual(expected);
});

test("refuses what is nested too deeply, cycles among it", () => {
  const cycle: unknown[] = [];
  cycle.push({ a: cycle });

  expect(strict(nested(MAX_NESTING))).toHaveLength(JSON.stringify(nested(MAX_NESTING)).length);
  expect(refusal(nested(MAX_NESTING + 1))[0]).toBe("TOO_DEEP");
  expect(refusal(nested(30_000))[0]).toBe("TOO_DEEP");
  expect(refusal(cycle)[0]).toBe("TOO_DEEP");
});

test.each([
  [1.5, "1.5"],
  [-0.1, "-0.1"],
  [0.0001, "0.0001"],
  [0.00001, "1e-05"],
  [-1.25e-7, "-1.25e-07"],
  [5e-324, "5e-324"],
  [2 ** 53, "9007199254740992"],
  [1e21, "1000000000000000000000"],
  [-1e23, "-99999999999999991611392"],
])("writes %d as Python does where that is allowed", (value, text) => {
  expect(lenient(value)).toBe(text);
  expect(() => strict(value)).toThrow(CanonicalJsonError);
});

test("still refuses without strictness what no JSON can hold", () => {
  expect(refusal(Number.POSITIVE_INFINITY, false)).toEqual(["NOT_JSON", "$"]);
  expect(refusal("\udc00", false)).toEqual(["LONE_SURROGATE", "$"]);
});

test("gives back what it was given, in the same way each time", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary", noUnicodeString: false }), (value) => {
      const text = lenient(value);
      expect(lenient(JSON.parse(text))).toBe(text);
      expect(lenient(JSON.parse(JSON.stringify(value)))).toBe(text);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test("throws nothing but its own error", () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
      fc.boolean(),
      (value, isStrict) => {
        try {
          canonicalJson(value, { strict: isStrict });
        } catch (error) {
          expect(error).toBeInstanceOf(CanonicalJsonError);
        }
      },
    ),
    { numRuns: 300, seed: 2 },
  );
});
