import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CONFLICTS, MERGES, REJECTED } from "./messages.ts";
import { rowAt, rowNamed } from "./row-columns.ts";
import { searchRows } from "./search.ts";
import { Session } from "./session.ts";

const ROOMS = new URL("../../scenarios/stories/rooms/", import.meta.url);
const EXAMPLES = new URL("../examples/", import.meta.url);

async function open(name: string, folder = EXAMPLES) {
  const session = await Session.open([{ name, text: readFileSync(new URL(name, folder), "utf8") }]);
  const { rows: columns } = session.load();
  const rows = Array.from(session.run.pdus, (_, row) => rowAt(columns, row) ?? expect.fail());
  const rowOf = (short: string) => rowNamed(columns, short);
  return { session, rows, rowOf };
}

test("a ban that evaporates is a reset beside what the merge follows, and beside nothing else", async () => {
  const { session, rowOf } = await open("reset-class-a.json5");
  const key = "m.room.member|@charlie:three.test";
  const at = { row: rowOf("$MERGE"), server: undefined };

  const state = session.state({ ...at, base: undefined });
  const pinned = session.state({ ...at, base: { row: rowOf("$BAN") } });

  expect(state.key).toBe(key);
  expect(state.rows[0]).toMatchObject({
    key,
    change: "replaced",
    value: "join",
    event: { short: "$CHARLIE" },
    was: [{ where: "after $TOLD", text: "ban ($BAN)", isReset: true }],
    isConflicted: true,
    expected: { isMet: true },
  });
  expect(pinned.rows.find((row) => row.key === key)).toMatchObject({
    change: "replaced",
    was: [{ isReset: false }],
  });
});

test("a value that came back holds since the merge that decided it, others since their event", async () => {
  const { session, rowOf } = await open("reset-class-a.json5");
  const since = (name: string, key: string) => {
    const state = session.state({ row: rowOf(name), server: undefined, base: undefined });
    return state.rows.find((row) => row.key === key)?.event?.since;
  };
  const event = (name: string) => expect.stringMatching(`^event ${rowOf(name) + 1}, `);
  const charlie = "m.room.member|@charlie:three.test";
  expect(since("$MERGE", charlie)).toEqual(event("$MERGE"));
  expect(since("$TOLD", charlie)).toEqual(event("$BAN"));
  expect(since("$MERGE", "m.room.create|")).toEqual(event("$CREATE"));
});

test("before the merge only the state that a file gives goes back", async () => {
  const { session, rows } = await open("reset-class-a.json5");
  const resets = rows.slice(0, -1).flatMap(({ short }, row) =>
    session
      .state({ row, server: undefined, base: undefined })
      .rows.filter(({ was }) => was.some(({ isReset }) => isReset))
      .map(({ key }) => `${short} ${key}`),
  );
  expect(resets).toEqual(["$STALE m.room.member|@charlie:three.test"]);
});

test("flags tell merges, conflicts and rejections, and the search finds them", async () => {
  const { session, rows } = await open("netsplit.replay.ndjson", ROOMS);
  const { flags } = session.judge();
  const of = (bit: number) => [...flags.keys()].filter((row) => ((flags[row] ?? 0) & bit) !== 0);
  const found = (query: string) => [...searchRows(session, query).rows];

  expect(of(REJECTED)).toEqual([rows.length - 1]);
  expect(of(CONFLICTS)).toEqual([10]);
  expect(of(MERGES)).toEqual([10]);
  expect(found("rejected:yes")).toEqual(of(REJECTED));
  expect(found("conflict:yes")).toEqual(of(CONFLICTS));
  expect(found("type:topic sender:bob -rejected:yes")).toEqual([8]);
  expect(found('"is anybody there?"')).toEqual([9]);
  expect(found("")).toEqual([]);
});

test("faults are bands among the rows, and a run opens at its first failure", async () => {
  const { session } = await open("netsplit.replay.ndjson", ROOMS);
  const { faults, start, steps } = session.load();
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatchObject({ isLink: true, text: expect.stringContaining("netsplit") });
  expect(faults[0]?.from).toBeLessThan(faults[0]?.to ?? 0);
  expect(start).toMatchObject({
    row: steps.find(({ isOk }) => isOk === false)?.row,
    view: "event",
  });
});

test("steps, exchanges and notes about a moment lead to it", async () => {
  const { session, rows } = await open("netsplit.replay.ndjson", ROOMS);
  const { records } = session.run;
  const { steps, exchanges, notes } = session.happenings({ row: 0 });
  const count = (kind: string) => records.filter(({ body }) => body.t === kind).length;
  expect(steps.items.map(({ isOk }) => isOk)).toEqual([true, true, false]);
  expect(exchanges.items).toHaveLength(count("http"));
  expect(notes.items).toHaveLength(count("note"));
  const blocked = exchanges.items.filter(({ isOk }) => isOk === false);
  expect(blocked.map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/^one\.test → two\.test PUT .* blocked/),
  );
  const [first] = exchanges.items;
  const [carried] = first?.events ?? [];
  expect(carried?.text).toBe(rows[carried?.row ?? -1]?.short);
  expect(first?.row).toBeGreaterThanOrEqual(carried?.row ?? 99);
});

test("a server knows what came to it by then, and lacks what others have", async () => {
  const { session } = await open("netsplit.replay.ndjson", ROOMS);
  const { servers, lacks } = session.servers({ row: 7 });
  const [one, two] = servers;
  expect(one).toMatchObject({ name: "one.test", has: 8, missing: [] });
  expect(two).toMatchObject({ name: "two.test", has: 6, missing: [6, 7] });
  expect(lacks).toEqual([{ has: 0, lacks: 1, count: 2, rows: [6, 7] }]);
  const split = session.servers({ row: 8 });
  expect(split.lacks).toEqual([
    { has: 0, lacks: 1, count: 2, rows: [6, 7] },
    { has: 1, lacks: 0, count: 1, rows: [8] },
  ]);
  // After it all is healed.
  expect(session.servers({ row: 9 }).lacks).toEqual([]);
});
