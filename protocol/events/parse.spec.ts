import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import { CanonicalJsonError } from "./canonical-json.ts";
import type { JsonObject } from "./event.ts";
import { EventFormatError } from "./event-format-error.ts";
import { eventId, hasValidHash } from "./hashes.ts";
import { mutate } from "./mutation.ts";
import { MAX_DEPTH, MAX_EVENT_BYTES, parseEvent } from "./parse.ts";
import { RECORDED_EVENTS, recordedKey } from "./recorded-rooms.ts";
import { redact } from "./redact.ts";
import { verifyEvent } from "./signatures.ts";

function version(id: number) {
  const found = ROOM_VERSIONS.get(`${id}`);
  if (found === undefined) throw new Error(`no room version ${id}`);
  return found;
}

const HASH = "A".repeat(43);
const EVENT = {
  type: "m.room.topic",
  state_key: "",
  sender: "@alice:hs1:8448",
  room_id: "!room:hs1",
  content: { topic: "t" },
  auth_events: ["$a"],
  prev_events: ["$b"],
  origin_server_ts: 5,
  depth: 3,
  hashes: { sha256: "h" },
  signatures: { hs1: { "ed25519:1": "s" } },
};
/** The same for versions 1 and 2. */
const PAIRED = {
  ...EVENT,
  event_id: "$e:hs1",
  auth_events: [["$a:hs1", { sha256: "h" }]],
  prev_events: [["$b:hs1", {}]],
};
const CREATE = { ...EVENT, type: "m.room.create", auth_events: [], prev_events: [] };

/** The error's code and place. */
function refusal(id: number, raw: unknown): readonly [string, string] {
  try {
    parseEvent(raw, version(id));
  } catch (error) {
    if (error instanceof EventFormatError || error instanceof CanonicalJsonError) {
      return [error.code, error.place];
    }
    throw error;
  }
  throw new Error("it is an event");
}

function without(pdu: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(pdu).filter(([key]) => key !== name));
}

test("reads what Synapse made", () => {
  for (const { pdu, version, eventId: id, roomId } of RECORDED_EVENTS) {
    expect(parseEvent(pdu, version)).toMatchObject({
      id,
      roomId,
      type: pdu.type,
      sender: pdu.sender,
    });
  }
});

test("gives the parts of an event", () => {
  const parts = {
    type: "m.room.topic",
    stateKey: "",
    sender: "@alice:hs1:8448",
    roomId: "!room:hs1",
    content: { topic: "t" },
    originServerTs: 5,
    depth: 3,
  };
  expect(parseEvent(EVENT, version(11))).toEqual({
    ...parts,
    id: eventId(EVENT, version(11)),
    authEvents: ["$a"],
    prevEvents: ["$b"],
  });
  expect(parseEvent(PAIRED, version(1))).toEqual({
    ...parts,
    id: "$e:hs1",
    authEvents: ["$a:hs1"],
    prevEvents: ["$b:hs1"],
  });
  expect(parseEvent(without(EVENT, "state_key"), version(11))).not.toHaveProperty("stateKey");
});

test("reads what is redacted where it stands below version 11", () => {
  const redaction = { ...EVENT, type: "m.room.redaction", redacts: "$x" };
  expect(parseEvent(redaction, version(10)).redacts).toBe("$x");
  expect(parseEvent(redaction, version(11))).not.toHaveProperty("redacts");
  expect(parseEvent({ ...redaction, type: "other" }, version(10))).not.toHaveProperty("redacts");
  expect(refusal(10, { ...redaction, redacts: 1 })).toEqual(["WRONG_TYPE", "$.redacts"]);
});

describe("in version 12", () => {
  test("the room's id is made of the create event's", () => {
    const create = without(CREATE, "room_id");
    const { id, roomId } = parseEvent(create, version(12));
    expect(roomId).toBe(`!${id.slice(1)}`);
    expect(parseEvent({ ...EVENT, room_id: roomId }, version(12)).roomId).toBe(roomId);
  });

  test("no create event has a room id, all others have one of that form", () => {
    expect(refusal(12, CREATE)).toEqual(["NOT_ALLOWED", "$.room_id"]);
    expect(refusal(12, without(EVENT, "room_id"))).toEqual(["MISSING", "$.room_id"]);
    expect(refusal(12, EVENT)).toEqual(["BAD_ID", "$.room_id"]);
    expect(refusal(11, without(CREATE, "room_id"))).toEqual(["MISSING", "$.room_id"]);
    expect(refusal(12, without({ ...CREATE, state_key: "a" }, "room_id"))[0]).toBe("MISSING");
    expect(parseEvent({ ...EVENT, room_id: `!${HASH}` }, version(12)).roomId).toBe(`!${HASH}`);
  });
});

describe("refuses", () => {
  test.each([
    "type",
    "sender",
    "room_id",
    "content",
    "auth_events",
    "prev_events",
    "origin_server_ts",
    "depth",
    "hashes",
    "signatures",
  ])("an event without %s, or with a wrong one", (name) => {
    expect(refusal(11, without(EVENT, name))).toEqual(["MISSING", `$.${name}`]);
    for (const wrong of [null, true]) {
      expect(refusal(11, { ...EVENT, [name]: wrong })).toEqual(["WRONG_TYPE", `$.${name}`]);
    }
  });

  test.each([
    ["what is no object", [], ["WRONG_TYPE", "$"]],
    ["null", null, ["WRONG_TYPE", "$"]],
    ["a text", "{}", ["WRONG_TYPE", "$"]],
    ["a state key that is no string", { ...EVENT, state_key: null }, ["WRONG_TYPE", "$.state_key"]],
    ["unsigned that is no object", { ...EVENT, unsigned: [] }, ["WRONG_TYPE", "$.unsigned"]],
    ["hashes without SHA-256", { ...EVENT, hashes: {} }, ["MISSING", "$.hashes.sha256"]],
    [
      "signatures of a server that are no object",
      { ...EVENT, signatures: { hs1: "s" } },
      ["WRONG_TYPE", "$.signatures.hs1"],
    ],
    [
      "a signature that is no string",
      { ...EVENT, signatures: { hs1: { "ed25519:1": 1 } } },
      ["WRONG_TYPE", '$.signatures.hs1["ed25519:1"]'],
    ],
    [
      "cited events that are no ids",
      { ...EVENT, prev_events: ["$b", ["$c", {}]] },
      ["WRONG_TYPE", "$.prev_events[1]"],
    ],
    [
      "eleven auth events",
      { ...EVENT, auth_events: Array.from({ length: 11 }, () => "$a") },
      ["TOO_MANY", "$.auth_events"],
    ],
    [
      "twenty-one previous events",
      { ...EVENT, prev_events: Array.from({ length: 21 }, () => "$a") },
      ["TOO_MANY", "$.prev_events"],
    ],
    ["a negative depth", { ...EVENT, depth: -1 }, ["OUT_OF_RANGE", "$.depth"]],
    ["a sender without a server", { ...EVENT, sender: "@alice" }, ["BAD_ID", "$.sender"]],
    ["a sender without a sigil", { ...EVENT, sender: "alice:hs1" }, ["BAD_ID", "$.sender"]],
    ["a sender of no server", { ...EVENT, sender: "@alice:hs 1" }, ["BAD_ID", "$.sender"]],
    ["a sender with NUL", { ...EVENT, sender: "@a\0:hs1" }, ["BAD_ID", "$.sender"]],
    ["a room id with another sigil", { ...EVENT, room_id: "#room:hs1" }, ["BAD_ID", "$.room_id"]],
    [
      "half a surrogate pair",
      { ...EVENT, content: { a: "\ud83d" } },
      ["LONE_SURROGATE", "$.content.a"],
    ],
    ["undefined", { ...EVENT, content: { a: undefined } }, ["NOT_JSON", "$.content.a"]],
  ])("%s", (_, raw, expected) => {
    expect(refusal(11, raw)).toEqual(expected);
  });

  test("in versions 1 and 2 anything but pairs, and no id", () => {
    expect(refusal(2, { ...PAIRED, auth_events: ["$a:hs1"] })).toEqual([
      "WRONG_TYPE",
      "$.auth_events[0]",
    ]);
    expect(refusal(2, { ...PAIRED, auth_events: [["$a:hs1"]] })).toEqual([
      "WRONG_TYPE",
      "$.auth_events[0]",
    ]);
    expect(refusal(2, { ...PAIRED, auth_events: [[1, {}]] })).toEqual([
      "WRONG_TYPE",
      "$.auth_events[0][0]",
    ]);
    expect(refusal(2, { ...PAIRED, auth_events: [["$a", 1]] })).toEqual([
      "WRONG_TYPE",
      "$.auth_events[0][1]",
    ]);
    expect(refusal(2, { ...PAIRED, auth_events: [["$a", { sha256: 1 }]] })).toEqual([
      "WRONG_TYPE",
      "$.auth_events[0][1].sha256",
    ]);
    expect(refusal(2, without(PAIRED, "event_id"))).toEqual(["MISSING", "$.event_id"]);
    expect(refusal(2, { ...PAIRED, event_id: "$e" })).toEqual(["BAD_ID", "$.event_id"]);
    expect(refusal(3, PAIRED)).toEqual(["WRONG_TYPE", "$.auth_events[0]"]);
  });

  test("numbers that are no integers of 53 bits, from version 6 on", () => {
    for (const [number, code] of [
      [1.5, "NOT_INTEGER"],
      [2 ** 53, "OUT_OF_RANGE"],
    ] as const) {
      const raw = { ...EVENT, content: { number } };
      expect(refusal(6, raw)).toEqual([code, "$.content.number"]);
      expect(parseEvent(raw, version(5)).content).toEqual({ number });
    }
    expect(parseEvent({ ...EVENT, depth: MAX_DEPTH }, version(5)).depth).toBe(MAX_DEPTH);
    expect(refusal(5, { ...EVENT, depth: 2 ** 53 })).toEqual(["OUT_OF_RANGE", "$.depth"]);
    expect(refusal(5, { ...EVENT, depth: 1.5 })).toEqual(["WRONG_TYPE", "$.depth"]);
    expect(refusal(5, { ...EVENT, origin_server_ts: 0.5 })[0]).toBe("WRONG_TYPE");
    expect(parseEvent({ ...EVENT, origin_server_ts: -(2 ** 63) }, version(5))).toBeDefined();
    expect(refusal(5, { ...EVENT, origin_server_ts: 2 ** 63 })[0]).toBe("OUT_OF_RANGE");
  });
});

describe("takes", () => {
  test.each([
    ["a historical localpart", { sender: "@Ä ö!😀:hs1" }],
    ["an empty localpart", { sender: "@:hs1" }],
    ["an IPv6 address", { sender: "@a:[1234:5678::abcd]:5678" }],
    ["a room id with odd letters", { room_id: "!ro om/😀:hs1" }],
    ["keys that nobody knows", { "org.example.key": [null], age_ts: 1 }],
    ["a time before 1970", { origin_server_ts: -1 }],
    ["no signatures", { signatures: {} }],
    ["ten auth events", { auth_events: Array.from({ length: 10 }, () => "$a") }],
  ])("%s", (_, change) => {
    expect(parseEvent({ ...EVENT, ...change }, version(11)).type).toBe("m.room.topic");
  });
});

describe("limits", () => {
  test.each(["type", "state_key"])("%s to 255 bytes, not letters", (name) => {
    for (const text of ["a".repeat(255), `${"é".repeat(127)}a`]) {
      expect(parseEvent({ ...EVENT, [name]: text }, version(11))).toBeDefined();
    }
    for (const text of ["a".repeat(256), "é".repeat(128), "😀".repeat(64)]) {
      expect(refusal(11, { ...EVENT, [name]: text })).toEqual(["TOO_LONG", `$.${name}`]);
    }
  });

  test("ids to 255 bytes", () => {
    const id = (sigil: string, length: number) => `${sigil}${"a".repeat(length - 5)}:hs1`;
    for (const [name, sigil] of [
      ["sender", "@"],
      ["room_id", "!"],
      ["event_id", "$"],
    ] as const) {
      expect(parseEvent({ ...PAIRED, [name]: id(sigil, 255) }, version(1))).toBeDefined();
      expect(refusal(1, { ...PAIRED, [name]: id(sigil, 256) })).toEqual(["TOO_LONG", `$.${name}`]);
    }
  });

  test.each(["a", "é", "\u0001", "😀"])(
    "the whole to 65536 bytes of canonical JSON, of %j",
    (letter) => {
      const padded = (body: string) => ({ ...EVENT, content: { body } });
      const size = (raw: object) => Buffer.byteLength(JSON.stringify(raw));
      const each = size(padded(letter)) - size(padded(""));
      const room = MAX_EVENT_BYTES - size(padded(""));
      const body = letter.repeat(Math.floor(room / each)) + "a".repeat(room % each);

      expect(size(padded(body))).toBe(MAX_EVENT_BYTES);
      expect(parseEvent(padded(body), version(11))).toBeDefined();
      expect(refusal(11, padded(`${body}a`))).toEqual(["TOO_LARGE", "$"]);
    },
  );
});

describe("mutated events", () => {
  const poison = fc.oneof(
    { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
    fc.constantFrom<unknown>(undefined, Number.NaN, -0, 1e300, "\ud800", {}, [], [[]], "__proto__"),
    fc.anything({ maxDepth: 2 }),
  );
  const recorded = fc.constantFrom(...RECORDED_EVENTS);
  const versions = fc.constantFrom(...ROOM_VERSIONS.values());
  const numRuns = 1_500;

  test("are events or refused by name, and then every function takes them", () => {
    fc.assert(
      fc.property(
        recorded,
        versions,
        fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
        poison,
        ({ pdu }, other, choices, replacement) => {
          const mutated = mutate(pdu, choices, replacement);
          try {
            parseEvent(mutated, other);
          } catch (error) {
            if (error instanceof EventFormatError || error instanceof CanonicalJsonError) return;
            throw error;
          }
          const event = mutated as JsonObject;
          hasValidHash(event);
          redact(event, other);
          verifyEvent(event, other, () => undefined, 0);
        },
      ),
      { numRuns, seed: 4 },
    );
  });

  test("pass hash and signature only where they mean the same", () => {
    fc.assert(
      fc.property(
        recorded,
        fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
        fc.jsonValue({ maxDepth: 2 }),
        ({ pdu, version, eventId: id }, choices, replacement) => {
          const { signatures, unsigned: _, ...covered } = pdu;
          const mutated = mutate(covered, choices, replacement);
          if (typeof mutated !== "object" || mutated === null || Array.isArray(mutated)) return;
          const event = { ...mutated, signatures } as JsonObject;
          let parsed: string;
          try {
            parsed = parseEvent(event, version).id;
          } catch {
            return;
          }
          const isIntact = hasValidHash(event);
          const isSigned = verifyEvent(event, version, recordedKey, Date.now()) === undefined;
          const isSame = hasSameMeaning(mutated, covered);
          if (isIntact && isSigned) expect([parsed, isSame]).toEqual([id, true]);
        },
      ),
      { numRuns: 300, seed: 5 },
    );
  });

  function hasSameMeaning(left: unknown, right: unknown): boolean {
    const sorted = (_: string, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value;
    return JSON.stringify(left, sorted) === JSON.stringify(right, sorted);
  }
});
