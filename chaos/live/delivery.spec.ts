import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PLAN_FORMAT, parsePlan } from "#scenarios/plan";
import type { Cast } from "./cast.ts";
import { type Delivery, delivered } from "./delivery.ts";
import { castOf, pdu, ROOM, trafficOf } from "./traffic-for-specs.ts";

const PLAN = parsePlan(
  {
    format: PLAN_FORMAT,
    id: "one",
    title: "one message",
    servers: 2,
    users: { alice: "hs1", bob: "hs2" },
    rooms: { main: { creator: "alice", members: ["bob"] } },
    steps: [{ op: "message", id: "said", by: "alice", room: "main" }],
  },
  "one",
);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits until what alice of hs1 said is on hs2. */
function barrier({ isJoined = true } = {}) {
  const said = pdu("hs1");
  const shown = new Set<string>();
  const notes: unknown[] = [];
  const traffic = trafficOf();
  const cast = {
    events: new Map([["said", [said.id]]]),
    actor: () => ({ role: "hs1" }),
  } as unknown as Partial<Cast>;
  const fakes = {
    plan: PLAN,
    cast: castOf(cast),
    traffic,
    trouble: {},
    eyes: { shown: (room: string, role: string) => (room === ROOM && role === "hs2" ? shown : []) },
    syncs: [{ actor: { role: "hs2" }, view: () => (isJoined ? {} : undefined) }],
    journal: { write: (record: unknown) => notes.push(record) },
    signal: new AbortController().signal,
    roles: [],
  };
  let isOver = false;
  void delivered(fakes as unknown as Delivery, undefined, ["hs2"]).then(() => {
    isOver = true;
  });
  const isOverAfter = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return isOver;
  };
  const come = () => traffic.show(said.event, "hs2.test");
  return { come, isOverAfter, notes, shown, said, traffic };
}

test("a barrier ends when clients are shown the event, which is not yet when it has come", async () => {
  const { come, isOverAfter, notes, shown, said, traffic } = barrier();

  come();
  expect(await isOverAfter(1_000)).toBe(false);
  shown.add(said.id);
  traffic.stir();

  expect(await isOverAfter(0)).toBe(true);
  expect(notes).toEqual([]);
});

test("what came and was refused is not waited for, and no news", async () => {
  const { come, isOverAfter, notes } = barrier();

  expect(await isOverAfter(5_000)).toBe(false);
  come();

  expect(await isOverAfter(1_400)).toBe(false);
  expect(await isOverAfter(200)).toBe(true);
  expect(notes).toEqual([]);
});

test("what does not come is noted in the end", async () => {
  const { isOverAfter, notes, said } = barrier();

  expect(await isOverAfter(9_900)).toBe(false);
  expect(await isOverAfter(300)).toBe(true);
  expect(notes).toEqual([
    { t: "note", text: "said was not seen on hs2 within 10 s", event_id: said.id },
  ]);
});

test("where nobody is in the room nothing is waited for", async () => {
  const { isOverAfter, notes } = barrier({ isJoined: false });

  expect(await isOverAfter(0)).toBe(true);
  expect(notes).toEqual([]);
});
