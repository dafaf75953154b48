/** Journals of chaos, and what searches find, in the viewer. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generatePlan } from "#chaos/generate/generate";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import { simulate } from "#chaos/simulation/simulate";
import { roomVersion } from "#protocol/rooms/room-version";
import { loadRun } from "#tardis/formats/load";
import { writeRun } from "#tardis/formats/write";
import { checkIds } from "#tardis/model/check-ids";
import { differencesIn, historyOf } from "#tardis/model/room-of-run";

const STORIES = new URL("../../scenarios/stories/state-resolution/", import.meta.url);

test.each([1, 2])(
  "the journal of simulation %i: every room, ids that match, byte-equal when written",
  async (seed) => {
    const plan = generatePlan({
      seed,
      servers: 3,
      rooms: 2,
      versions: ["12", "11"],
      operations: chooseOperations(undefined),
      faults: chooseFaults(["all"]),
      partitions: choosePartitions(undefined),
      epochs: 2,
      operationsPerEpoch: 10,
    });
    const { records } = await simulate(plan, { seed });
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");

    const run = await loadRun([{ name: "journal", text }]);

    expect(run.problems).toEqual([]);
    expect(run.gaps).toEqual([]);
    expect(run.rooms.map(({ version }) => version.id).toSorted()).toEqual(["11", "12"]);
    expect(run.faults.length).toBeGreaterThan(0);
    expect(checkIds(run)).toMatchObject({ matching: run.pdus.length, differing: [] });
    expect(new Set(run.snapshots.map(({ room }) => room))).toEqual(
      new Set(run.rooms.map(({ id }) => id)),
    );
    expect(writeRun(run, "replay")).toBe(text);
  },
);

test.each(readdirSync(STORIES))("%s: what it expects comes out in each version", async (name) => {
  const text = readFileSync(new URL(name, STORIES), "utf8");
  for (const id of Object.keys(JSON.parse(text).expected as object)) {
    const run = await loadRun([{ name, text }], { version: roomVersion(id) });
    const [room] = run.rooms;
    if (room === undefined) return expect.fail("there is no room");
    expect([room.version.id, run.problems]).toEqual([id, []]);
    expect(run.expected.get("$resolved")?.size).toBeGreaterThan(3);
    expect(differencesIn(run, historyOf(run, room)), `version ${id}`).toEqual([]);
  }
});
