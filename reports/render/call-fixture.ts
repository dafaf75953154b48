/** A call with all that pictures show, for specs. */
import type { CallTimeline, MemberLane } from "#harness/results/call-timeline";

const T = 1_790_000_000_000;

function lane(user: string, more: Partial<MemberLane> = {}): MemberLane {
  return {
    user,
    published: [],
    delayed: [],
    connected: [],
    tokens: [],
    hears: [],
    keys: [],
    gaps: [],
    ...more,
  };
}

/** @param text stands wherever others write */
export function wholeCall(text = ""): CallTimeline {
  const s = (seconds: number) => T + seconds * 1_000;
  const type = `org.matrix.msc4143.rtc.member${text}`;
  const delayed = { id: `d${text}`, type, delayMs: 4_000, at: s(1), due: s(9) };
  const restarts = [
    { at: s(3), by: `rtc1${text}` },
    { at: s(5), by: "client" },
  ];
  return {
    from: T,
    to: s(20),
    places: [
      {
        role: `hs1${text}`,
        name: `hs1:8448${text}`,
        down: [{ from: s(6), to: s(8), what: `kill${text}` }],
        acts: [{ from: s(2), to: s(2), what: `snapshot${text}` }],
      },
      { role: "sfu1", down: [], acts: [] },
    ],
    rules: [{ name: `reset hs1 to hs2${text}`, from: s(10), to: s(12), acted: [s(11)] }],
    members: [
      lane(`@alice:hs1${text}`, {
        device: `ALICE${text}`,
        server: `hs1${text}`,
        published: [
          {
            kind: "member",
            type,
            key: `m1${text}`,
            from: s(1),
            to: s(9),
            updates: [s(4)],
            end: "fired",
            stickyMs: 10_000,
          },
          {
            kind: "sticky",
            type,
            key: `v1${text}`,
            from: s(1),
            to: s(3),
            updates: [],
            end: "expired",
            stickyMs: 2_000,
          },
          {
            kind: "legacy member",
            type,
            key: `l1${text}`,
            from: s(12),
            to: s(20),
            updates: [],
            end: "open",
          },
        ],
        connected: [{ from: s(2), to: s(12) }],
        tokens: [
          { at: s(1.5), isGiven: true },
          { at: s(1.6), isGiven: false },
        ],
        delayed: [
          { ...delayed, restarts, end: "fired", endAt: s(9), delegatedAt: s(2) },
          { ...delayed, restarts: [], due: s(5), end: "cancelled", endAt: s(3) },
          { ...delayed, restarts: [], due: s(5), end: "due", endAt: s(5) },
          { ...delayed, restarts: [], due: s(500), end: "waiting", endAt: s(20) },
          { ...delayed, restarts: [], due: s(500), end: "sent", endAt: s(4) },
        ],
        hears: [
          {
            of: `@bob:hs2${text}`,
            spans: [
              { what: "heard", from: s(3), to: s(6) },
              { what: "silent", from: s(6), to: s(8) },
              { what: "missing-key", from: s(8), to: s(12) },
              { what: "failed", from: s(12), to: s(20) },
            ],
          },
        ],
        keys: [
          { at: s(2), what: "uses", of: `@alice:hs1${text}`, index: 0, digest: "0a1b2c3d" },
          { at: s(7), what: "uses", of: `@alice:hs1${text}`, index: 1 },
        ],
        gaps: [
          { what: "eavesdropper", from: s(9), to: s(12) },
          { what: "ghost", from: s(12), to: s(20) },
        ],
      }),
      lane("@bob:hs2", { connected: [{ from: s(3), to: s(20) }] }),
    ],
    cut: 1,
  };
}
