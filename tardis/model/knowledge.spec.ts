import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadRun } from "#tardis/formats/load";
import { extremitiesIn, HAS, knowledgeOf, REJECTED, SOFT_FAILED } from "./knowledge.ts";

const FILE = new URL("../../scenarios/stories/rooms/netsplit.replay.ndjson", import.meta.url);

test("what each server has during the split, after it, and at the end", async () => {
  const run = await loadRun([{ name: "netsplit", text: readFileSync(FILE, "utf8") }]);
  const [split, heal] = run.faults.map(({ seq }) => seq);
  const at = (server: number, seq: number | undefined) => knowledgeOf(run, server, seq ?? 0);
  const count = (known: Uint8Array) => known.filter((bits) => bits !== 0).length;

  expect([0, 1].map((server) => count(at(server, split)))).toEqual([6, 6]);
  expect([0, 1].map((server) => count(at(server, heal)))).toEqual([8, 8]);
  const [one, two] = [0, 1].map((server) => at(server, heal));
  const only = one?.findIndex((bits, row) => bits !== 0 && two?.[row] === 0) ?? -1;
  expect(run.pdus[only]?.event.sender).toBe("@ada:one.test");

  const end = run.records.at(-1)?.seq ?? 0;
  expect([...at(0, end)].toSorted()).toEqual([
    ...Array.from({ length: 10 }, () => HAS),
    HAS | REJECTED,
    HAS | SOFT_FAILED,
  ]);
  // What it said itself, just before the last event.
  const [snapshot] = run.snapshots;
  const before = extremitiesIn(run, at(0, snapshot?.seq));
  expect(before.map((row) => run.pdus[row]?.eventId)).toEqual(snapshot?.extremities);
  // The event that it rejected is not one to build on.
  expect(extremitiesIn(run, at(0, end))).toEqual(before);
  expect(extremitiesIn(run, at(1, end))).toEqual([run.pdus.length - 1]);
});
