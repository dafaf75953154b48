/** Journals of chaos, and what searches find, in the viewer. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { judgeAll } from "#chaos/checkers/checkers";
import { generatePlan } from "#chaos/generate/generate";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import { JournalView } from "#chaos/journal/view";
import { simulate } from "#chaos/simulation/simulate";
import { roomVersion } from "#protocol/rooms/room-version";
import { PLAN_FORMAT, parsePlan } from "#scenarios/plan";
import { loadRun } from "#tardis/formats/load";
import { writeRun } from "#tardis/formats/write";
import { checkIds } from "#tardis/model/check-ids";
import { differencesIn, historyOf } from "#tardis/model/room-of-run";
import { fragmentOf } from "#tardis/view/failing-moment";
import { Session } from "#tardis/view/session";

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

test("a journal that fails opens where servers differ, and tells who had not got what", async () => {
  const plan = parsePlan(
    {
      format: PLAN_FORMAT,
      id: "hidden-ban",
      title: "a ban that one server never hears of",
      servers: 3,
      users: { alice: "hs1", bob: "hs2", carol: "hs3", mallory: "hs1" },
      rooms: {
        other: { creator: "bob", rule: "public", members: ["alice"], version: "11" },
        main: {
          creator: "alice",
          rule: "public",
          members: ["bob", "carol", "mallory"],
          version: "11",
        },
      },
      steps: [
        {
          op: "state",
          id: "refused",
          by: "mallory",
          room: "main",
          type: "m.room.name",
          content: {},
        },
        { op: "ban", id: "ban", by: "alice", room: "main", target: "mallory" },
        { converge: "nudged" },
        { op: "message", id: "later", by: "bob", room: "other" },
        { converge: "nudged" },
      ],
    },
    "plan",
  );
  const { records } = await simulate(plan, { seed: 1, bugs: ["hide-ban"] });
  // As in a journal: what was found at the end of each epoch.
  const judged = [1, 2].flatMap((epoch) => {
    const seq = Math.min(new JournalView(records).span(epoch).last, records.length);
    return judgeAll(records, epoch).map((verdict, at) => ({
      seq: seq + at / 100,
      at: 0,
      t: "verdict",
      epoch,
      ...verdict,
    }));
  });
  const all = [...records, ...judged].sort((a, b) => a.seq - b.seq);
  const text = all.map((record) => `${JSON.stringify(record)}\n`).join("");

  const session = await Session.open([{ name: "journal", text }]);
  const { start, servers } = session.load();

  const { run } = session;
  const key = start.key ?? "";
  expect([key, servers[start.server ?? -1], start.view]).toEqual([
    expect.stringMatching(/^m\.room\.member\|@mallory/),
    expect.stringContaining("hs3"),
    "why",
  ]);
  expect(run.pdus[start.row]?.event.roomId).toBe(
    records.flatMap((record) => (record.t === "cast" ? (record.rooms.main ?? []) : []))[0],
  );
  expect(decodeURIComponent(fragmentOf(run, start))).toBe(
    `#at=${run.pdus[start.row]?.eventId}&view=why&key=${key}&server=${servers[start.server ?? -1]}`,
  );
  const at = (server: number | undefined) =>
    session.state({ ...start, server, base: undefined }).rows.find((row) => row.key === key)?.value;
  expect([at(start.server), at(servers.findIndex((name) => name.includes("hs1")))]).toEqual([
    "join",
    "ban",
  ]);
  const { verdict } = session.explain({ ...start, key, base: undefined });
  const told = verdict.map(({ text }) => text).join("\n");
  expect(told).toMatch(/hs3\S* said: @mallory\S*'s join/);
  expect(told).toMatch(/'s ban of @mallory\S* \(\$\S+\) was not at \S*hs3/);
});

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
