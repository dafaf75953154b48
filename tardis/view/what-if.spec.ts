import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Edit, writeEdits } from "#tardis/edit/edits";
import { loadRun } from "#tardis/formats/load";
import { differencesIn, historyOf } from "#tardis/model/room-of-run";
import { rowNamed } from "./row-columns.ts";
import { Session } from "./session.ts";
import { WhatIf } from "./what-if.ts";

const ROOMS = new URL("../../scenarios/stories/rooms/", import.meta.url);
const KEY = "m.room.join_rules|";

async function open(name: string) {
  const text = readFileSync(new URL(name, ROOMS), "utf8");
  const whatIf = new WhatIf(await Session.open([{ name, text }]));
  const whereOf = (name: string) => ({
    row: rowNamed(whatIf.session.load().rows, name),
    server: undefined,
    base: undefined,
  });
  return { whatIf, whereOf };
}

/** The clock of the second tie the other way round. */
const EARLIER: Edit = { kind: "time", event: "$CHARLIE_JR_2", time: 1_704_067_200_000 };

test("an edit's difference: the winner, ids, and nothing else; without edits there is none", async () => {
  const { whatIf, whereOf } = await open("tie-breaks.json5");
  expect(whatIf["what-if"](whereOf("$MERGE_2"))).toMatchObject({ edits: [], rows: [], idCount: 0 });
  const { loaded, rows } = whatIf.edit({ edits: writeEdits([EARLIER]) });

  const view = whatIf["what-if"](whereOf("$MERGE_2"));

  expect(loaded.rows.size).toBe(rows.length);
  expect(view.edits).toEqual([
    "$CHARLIE_JR_2 claims to have been sent on 2024-01-01 at 00:00:00.000 UTC",
  ]);
  expect(view.rows.map(({ key }) => key)).toEqual([KEY]);
  expect(view.rows[0]).toMatchObject({
    was: expect.stringContaining("($CHARLIE_JR_2)"),
    is: expect.stringContaining("($BOB_JR_2)"),
  });
  expect(view.ids[0]).toMatchObject({ name: "$CHARLIE_JR_2", why: "edited" });
  expect(view.ids.slice(1).every(({ why }) => why.startsWith("refers to"))).toBe(true);
  expect(view.idCount).toBe(view.ids.length);

  whatIf.edit({ edits: "" });
  expect(whatIf["what-if"](whereOf("$MERGE_2"))).toMatchObject({ edits: [], rows: [], idCount: 0 });
});

test("a smaller room has the same difference, and is written down with what it expects", async () => {
  const { whatIf, whereOf } = await open("tie-breaks.json5");
  whatIf.edit({ edits: writeEdits([EARLIER]) });
  const before = whatIf["what-if"](whereOf("$MERGE_2"));

  const { row } = whereOf("$MERGE_2");
  const small = whatIf.shrink({ row, key: KEY, ms: 60_000 });
  whatIf.edit({ edits: small.edits });

  expect(small.isDone).toBe(true);
  expect(small.left).toBeLessThan(10);
  const after = whatIf["what-if"](whereOf("$MERGE_2"));
  expect(after.rows.map(({ key, was, is }) => [key, was, is])).toEqual(
    before.rows.map(({ key, was, is }) => [key, was, is]),
  );
  // Of the smaller original only what is edited, and what follows it, is another.
  expect(after.ids.map(({ name }) => name)).toEqual(["$CHARLIE_JR_2", "$MERGE_2"]);
  const { text } = whatIf.scenario({ row: whereOf("$MERGE_2").row, key: undefined });
  const run = await loadRun([{ name: "small", text }]);
  const [room] = run.rooms;
  expect(run.pdus).toHaveLength(small.left);
  expect([...run.expected.values()].map((state) => [...state.keys()])).toEqual([[KEY]]);
  expect(differencesIn(run, historyOf(run, room ?? expect.unreachable()))).toEqual([]);
});

test("to shrink for a key that the edits do not change is refused, and edits that can not be done change nothing", async () => {
  const { whatIf, whereOf } = await open("tie-breaks.json5");
  whatIf.edit({ edits: writeEdits([EARLIER]) });
  const { row } = whereOf("$MERGE_1");
  expect(() => whatIf.shrink({ row, key: KEY, ms: 1 })).toThrow(
    /change nothing of join rules here/,
  );
  const wrong: Edit = { kind: "drop", event: "$NOBODY" };
  expect(() => whatIf.edit({ edits: writeEdits([wrong]) })).toThrow(/no event \$NOBODY/);
  expect(whatIf["what-if"](whereOf("$MERGE_2")).edits).toHaveLength(1);
});
