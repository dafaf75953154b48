import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { agree, type ConvergeContext } from "./converge.ts";
import { castOf, pdu, trafficOf } from "./traffic-for-specs.ts";

const { id: NUDGE, event: NUDGE_PDU } = pdu("hs1");
const ROLES = ["hs1", "hs2"];

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** hs1 has nudged hs2, where nothing comes; what hs1 takes for part of the room is given. */
function wait(participantsOfHs1: readonly string[]) {
  const samples = ROLES.map((role) => ({
    role,
    user: {},
    state: { "m.room.topic|": `$topic of ${role}` },
    extremities: role === "hs1" ? [NUDGE] : ["$old"],
    shown: new Map((role === "hs1" ? ["$old", NUDGE] : ["$old"]).map((event) => [event, 0])),
    participants: new Set(role === "hs1" ? participantsOfHs1 : ["hs1.test", "hs2.test"]),
  }));
  const sampleOf = (role: string) => samples.find((sample) => sample.role === role);
  const again: (readonly string[])[] = [];
  const notes: string[] = [];
  const unanswered: ReturnType<ConvergeContext["unanswered"]>[number][] = [];
  const fakes = {
    cast: castOf(),
    eyes: {
      sample: async (_: unknown, role: string) => sampleOf(role),
      shown: (_: string, role: string) => sampleOf(role)?.shown,
      told: () => undefined,
    },
    traffic: trafficOf(),
    journal: { write: (record: { readonly text?: string }) => notes.push(record.text ?? "") },
    roles: ROLES,
    signal: new AbortController().signal,
    unanswered: () => unanswered,
    nudge: async (_: string, roles: readonly string[]) => {
      again.push(roles);
      return [];
    },
  };
  const nudges = [{ room: "main", event: NUDGE, from: "hs1", receivers: ["hs2"] }];
  const agreement = agree(
    fakes as unknown as ConvergeContext,
    nudges,
    "nudged",
    Date.now(),
    new Map(),
  );
  let over: unknown;
  void agreement.then((agreed) => {
    over = agreed;
  });
  const overAfter = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return over;
  };
  /** From now on hs2 answers as hs1 does, and has shown the nudge; its clients may have been told less. */
  const comeTo = (told: "all" | "less") => {
    const [first, second] = samples;
    if (first === undefined || second === undefined) throw new TypeError("no samples");
    fakes.traffic.show(NUDGE_PDU, "hs2.test");
    Object.assign(second, { state: first.state, extremities: [NUDGE] });
    second.shown.set(NUDGE, Date.now());
    if (told === "less") fakes.eyes.shown = (_, role) => new Map([[`$only on ${role}`, 0]]);
  };
  /** hs1 hears that hs2 is in the room after all. */
  const learn = () => {
    Object.assign(samples[0] ?? {}, { participants: new Set(["hs1.test", "hs2.test"]) });
  };
  return { overAfter, again, comeTo, unanswered, notes, learn };
}

test("a server says one thing more as long as the last one has not come where it should", async () => {
  const { overAfter, again } = wait(["hs1.test", "hs2.test"]);

  expect(await overAfter(29_000)).toBe(undefined);
  expect(await overAfter(2_500)).toMatchObject({ agreedAt: null });
  expect(again).toEqual(Array.from({ length: 6 }, () => ["hs1"]));
});

test("a server that the sender no longer takes for part of the room is not waited for", async () => {
  const { overAfter, again } = wait(["hs1.test"]);

  expect(await overAfter(6_000)).toMatchObject({ agreedAt: null });
  expect(again).toEqual([]);
});

test("a server that hears later who else is there says one thing more for them", async () => {
  const { overAfter, again, learn } = wait(["hs1.test"]);

  await overAfter(1_000);
  expect(again).toEqual([]);
  learn();
  await overAfter(2_000);
  expect(again).toContainEqual(["hs1"]);
});

test("as long as a server waits for an answer that a fault has swallowed, what it has got may still be shown", async () => {
  const { overAfter, unanswered, notes } = wait(["hs1.test"]);
  unanswered.push({ from: "hs2", to: "hs3", method: "POST", path: "/missing", since: Date.now() });

  expect(await overAfter(29_000)).toBe(undefined);
  expect(await overAfter(2_500)).toMatchObject({ agreedAt: null });
  expect(notes).toEqual(["hs2 has had no answer of hs3 for 30 s: POST /missing"]);
});

test.each([
  ["has told its clients", "all", 100],
  ["still tells its clients something else", "less", 350],
] as const)("our share is short when the last server %s", async (_, told, atMost) => {
  const { overAfter, comeTo } = wait(["hs1.test", "hs2.test"]);

  await overAfter(5_020);
  comeTo(told);
  const agreement = (await overAfter(2_000)) as { agreedAt: number; detectionMs: number };
  expect(agreement.agreedAt).toBeGreaterThan(0);
  expect(agreement.detectionMs).toBeLessThanOrEqual(atMost);
});

test("when a server has shown the last of what all have counts as its own time, not as ours", async () => {
  const { overAfter, comeTo } = wait(["hs1.test", "hs2.test"]);

  await overAfter(5_020);
  const last = Date.now();
  comeTo("all");
  const agreement = (await overAfter(2_000)) as { agreedAt: number; detectionMs: number };
  expect(agreement.detectionMs).toBe(agreement.agreedAt - last);
});
