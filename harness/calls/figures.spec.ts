import { expect, test } from "vitest";
import type { CallTimeline, MemberLane, Span } from "#harness/results/call-timeline";
import { figuresOf } from "./figures.ts";

function lane(user: string, server: string, more: Partial<MemberLane>): MemberLane {
  const empty = {
    published: [],
    delayed: [],
    connected: [],
    tokens: [],
    hears: [],
    keys: [],
    gaps: [],
  };
  return { user, server, ...empty, ...more };
}

const hears = (of: string, ...spans: readonly Span[]) => [
  { of, spans: spans.map((span) => ({ ...span, what: "heard" as const })) },
];

const member = (from: number, to: number) => ({
  kind: "member" as const,
  type: "m.rtc.member",
  key: "m",
  from,
  to,
  updates: [],
  end: "left" as const,
});

function call(...members: readonly MemberLane[]): CallTimeline {
  return { from: 0, to: 10_000, places: [], rules: [], members, cut: 0 };
}

test("counts from when both are there to the first sound, and from the leave to the last", () => {
  const alice = lane("@alice:hs1", "hs1", { published: [member(0, 6_000)] });
  const bob = lane("@bob:hs2", "hs2", {
    published: [member(1_000, 10_000)],
    hears: hears("@alice:hs1", { from: 1_400, to: 3_000 }, { from: 3_100, to: 6_250 }),
  });
  expect(figuresOf(call(alice, bob))).toEqual([
    { name: "join to first audio", subject: "other homeserver", values: [400] },
    { name: "leave to silent", subject: "other homeserver", values: [250] },
  ]);
});

test("takes connections where nobody publishes a membership, and what begins again again", () => {
  const alice = lane("@alice:hs1", "hs1", {
    device: "A",
    connected: [
      { from: 500, to: 2_000 },
      { from: 4_000, to: 10_000 },
    ],
  });
  const spans = [
    { from: 800, to: 1_900 },
    { from: 4_500, to: 10_000 },
  ];
  const bob = lane("@bob:hs1", "hs1", {
    connected: [{ from: 0, to: 10_000 }],
    hears: hears("@alice:hs1/A", ...spans),
  });
  expect(figuresOf(call(alice, bob))).toEqual([
    { name: "join to first audio", subject: "same homeserver", values: [300, 500] },
    { name: "leave to silent", subject: "same homeserver", values: [0] },
  ]);
});

test("tells nothing of what was never heard, and no silence that did not come", () => {
  const alice = lane("@alice:hs1", "hs1", { published: [member(0, 5_000)] });
  const deaf = lane("@bob:hs1", "hs1", { published: [member(0, 10_000)] });
  expect(figuresOf(call(alice, deaf))).toEqual([]);
  const forever = { ...deaf, hears: hears("@alice:hs1", { from: 100, to: 10_000 }) };
  expect(figuresOf(call(alice, forever)).map(({ name }) => name)).toEqual(["join to first audio"]);
});
