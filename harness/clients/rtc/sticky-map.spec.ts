import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject, MatrixEvent } from "#harness/match/json";
import { heldByJsSdk } from "./js-sdk-map.ts";
import { StickyMap } from "./sticky-map.ts";

const NOW = Date.now();

interface Parts {
  readonly id: string;
  readonly ts?: number;
  readonly duration?: number;
  readonly key?: unknown;
  readonly sender?: string;
  readonly type?: string;
  readonly remaining?: unknown;
}

function event({
  id,
  ts = NOW,
  duration = 60_000,
  key = "key",
  sender = "@alice:hs1",
  type = "m.rtc.member",
  remaining = duration,
}: Parts): MatrixEvent {
  return {
    event_id: id,
    type,
    sender,
    origin_server_ts: ts,
    content: { msc4354_sticky_key: key },
    msc4354_sticky: { duration_ms: duration },
    unsigned: { msc4354_sticky_duration_ttl_ms: remaining },
  };
}

function mapOf(...events: readonly MatrixEvent[]): StickyMap {
  const map = new StickyMap();
  for (const each of events) map.add(each, NOW);
  return map;
}

function idsOf(map: StickyMap, now = NOW): readonly string[] {
  return map.at(now).map((value) => value.event.event_id);
}

describe("of two values for a key", () => {
  test.each([
    [
      "the later one of equal duration",
      event({ id: "$b" }),
      event({ id: "$a", ts: NOW + 1 }),
      "$a",
    ],
    [
      "the one that ends last",
      event({ id: "$a", duration: 90_000 }),
      event({ id: "$b", ts: NOW + 1 }),
      "$a",
    ],
    [
      "the one with the higher id, when both end at once",
      event({ id: "$a" }),
      event({ id: "$b" }),
      "$b",
    ],
  ])("%s counts, whichever came first", (_, one, other, expected) => {
    expect(idsOf(mapOf(one, other))).toEqual([expected]);
    expect(idsOf(mapOf(other, one))).toEqual([expected]);
  });
});

test("senders, types and keys are apart", () => {
  const map = mapOf(
    event({ id: "$1" }),
    event({ id: "$2", key: "other" }),
    event({ id: "$3", sender: "@bob:hs1" }),
    event({ id: "$4", type: "m.other" }),
  );
  expect(idsOf(map).toSorted()).toEqual(["$1", "$2", "$3", "$4"]);
});

test("an event without stickiness or key is no value", () => {
  const map = mapOf(event({ id: "$1", remaining: "soon" }), event({ id: "$2", key: 7 }), {
    ...event({ id: "$3" }),
    unsigned: {},
  });
  expect(idsOf(map)).toEqual([]);
});

test("a value ends when the server says so", () => {
  const map = mapOf(event({ id: "$1", duration: 60_000, remaining: 5_000 }));
  expect(idsOf(map, NOW + 4_999)).toEqual(["$1"]);
  expect(idsOf(map, NOW + 5_000)).toEqual([]);
});

test("a redacted value does not bring back what it has replaced, whichever came first", () => {
  const [older, newer] = [event({ id: "$a" }), event({ id: "$b", ts: NOW + 1 })];
  const map = mapOf(older, newer);
  map.redact("$b");
  expect(idsOf(map)).toEqual([]);
  const early = new StickyMap();
  early.redact("$b");
  for (const each of [newer, older]) early.add(each, NOW);
  expect(idsOf(early)).toEqual([]);
});

test("takes the sticky section, the timeline and redactions of a sync", () => {
  const map = new StickyMap();
  const redaction = {
    type: "m.room.redaction",
    event_id: "$r",
    sender: "@mod:hs1",
    origin_server_ts: NOW,
    content: { redacts: "$2" },
  };
  const joined: JsonObject = {
    msc4354_sticky: { events: [event({ id: "$1" }), event({ id: "$2", key: "2" })] },
    timeline: { events: [event({ id: "$3", key: "3" }), redaction] },
  };
  map.take({ rooms: { join: { "!room": joined } } }, "!room", NOW);
  expect(idsOf(map).toSorted()).toEqual(["$1", "$3"]);
});

const place = {
  key: fc.constantFrom("a", "b"),
  sender: fc.constantFrom("@alice:hs1", "@bob:hs1"),
};

const parts = fc.record({
  ...place,
  ts: fc.integer({ min: NOW, max: NOW + 5 }),
  duration: fc.constantFrom(60_000, 60_001, 60_003),
});

const room = fc
  .array(parts, { maxLength: 8 })
  .map((list) => list.map((each, index) => event({ id: `$${index}`, ...each })));

test("holds the same after any order of the same events and redactions", () => {
  const shuffled = room.chain((events) =>
    fc.record({
      events: fc.constant(events),
      order: fc.shuffledSubarray(events, { minLength: events.length }),
      redacted: fc.subarray(events),
    }),
  );
  fc.assert(
    fc.property(shuffled, ({ events, order, redacted }) => {
      const one = mapOf(...events);
      for (const { event_id } of redacted) one.redact(event_id);
      const other = new StickyMap();
      for (const { event_id } of redacted) other.redact(event_id);
      for (const each of order) other.add(each, NOW);
      expect(idsOf(other)).toEqual(idsOf(one));
    }),
  );
});

test("holds what matrix-js-sdk holds, where durations are equal and times differ", () => {
  const distinct = fc
    .uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 8 })
    .chain((offsets) =>
      fc.tuple(...offsets.map((offset) => fc.record({ ...place, ts: fc.constant(NOW + offset) }))),
    )
    .map((list) => list.map((each, index) => event({ id: `$${index}`, ...each })));
  fc.assert(
    fc.property(distinct, (events) => {
      expect(idsOf(mapOf(...events)).toSorted()).toEqual(heldByJsSdk(events).toSorted());
    }),
  );
});
