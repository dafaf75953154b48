/** The examples of every format, with what is known of them; scenarios/stories/rooms tells where they come from. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { differencesIn, historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { loadRun } from "./load.ts";

const FOLDER = new URL("../../scenarios/stories/rooms/", import.meta.url);
const IDS = readFileSync(new URL("room.ndjson", FOLDER), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line).event_id as string);
const TOPIC_OF_ADA = "$-plhGP-Iqvt_QYd94-IesRfFLUbiokPEVdW7C-VUFo4";
const LAST_BY_BOB = "$bBy5IbrIlTfi4pVYHcwS-MNR8y5dQ916f1Kkq7c_moY";

function load(...names: readonly string[]): Promise<Run> {
  return loadRun(
    names.map((name) => ({ name, text: readFileSync(new URL(name, FOLDER), "utf8") })),
  );
}

function historyIn(run: Run) {
  const [room] = run.rooms;
  if (room === undefined) return expect.fail("there is no room");
  return historyOf(run, room);
}

function arrivalsIn(run: Run): readonly string[] {
  return run.arrivals.map(
    ({ server, via, verdict, row }) =>
      `${run.servers[server]?.name} ${via} ${verdict} ${row === undefined ? "?" : run.pdus[row]?.event.type}`,
  );
}

test("every file of the folder loads, without a problem of its own", async () => {
  const names = readdirSync(FOLDER).filter((name) => !name.endsWith(".sql"));
  expect(names).toHaveLength(8);
  for (const name of names) {
    // Traffic alone does not say which version the room has.
    const { problems } = name.endsWith(".har") ? await load("room.ndjson", name) : await load(name);
    expect(problems, name).toEqual([]);
  }
});

test.each([
  [["room.ndjson"], 0],
  [["netsplit.replay.ndjson"], 24],
  [["synapse-export.ndjson"], 12],
  [["room.ndjson", "federation.har"], 8],
  [["federation.har", "room.ndjson"], 8],
  [["chaos-websocket.ndjson", "room.ndjson", "chaos-console.log"], 10],
])("%j: the same room, Ada's topic, and the event to be rejected", async (names, arrivals) => {
  const run = await load(...names);
  expect(run.problems).toEqual([]);
  expect(run.pdus.map(({ eventId }) => eventId).sort()).toEqual(IDS.toSorted());
  expect(run.rooms.map(({ id, version }) => [id, version.id])).toEqual([
    ["!harbour:one.test", "11"],
  ]);
  expect(run.gaps).toEqual([]);
  expect(run.arrivals).toHaveLength(arrivals);
  const history = historyIn(run);
  const rejected = history.events.filter(({ rejection }) => rejection !== undefined);
  expect(rejected.map(({ event }) => event.id)).toEqual([LAST_BY_BOB]);
  const state = history.named(history.stateAfter(history.extremities));
  expect(state["m.room.topic|"]).toBe(TOPIC_OF_ADA);
});

test("a replay: what each server got, faults, steps, and what servers say", async () => {
  const run = await load("netsplit.replay.ndjson");
  expect(run.servers.map(({ name }) => name)).toEqual(["one.test", "two.test"]);
  expect(arrivalsIn(run)).toContain("one.test send soft_failed m.room.topic");
  expect(arrivalsIn(run)).toContain("one.test send rejected m.room.topic");
  expect(run.faults.map(({ kind }) => kind)).toEqual(["netsplit", "heal"]);
  expect(run.steps.map(({ isOk }) => isOk)).toEqual([true, true, false]);
  expect(run.snapshots.map(({ state }) => state.get("m.room.topic|"))).toEqual([
    TOPIC_OF_ADA,
    TOPIC_OF_ADA,
  ]);
  expect(run.meta).toMatchObject({ seed: 42, test: "chaos > netsplit > power levels converge" });
});

test("HAR: what was blocked came nowhere, and what was refused says why", async () => {
  const run = await load("room.ndjson", "federation.har");
  const refused = run.arrivals.filter(({ verdict }) => verdict === "rejected");
  expect(refused).toMatchObject([{ eventId: LAST_BY_BOB, reason: expect.any(String) }]);
  const blocked = run.records.filter(({ body }) => body.blocked === true);
  expect(blocked.map(({ body }) => body.status)).toEqual([504]);
  expect(JSON.stringify(run.records)).not.toContain("X-Matrix");
  const [first] = run.records.filter(({ body }) => body.t === "http");
  expect(first?.at).toBe(Date.UTC(2025, 5, 16, 18, 53, 20, 950));
});

test("Chaos: its stream has events and gaps, its log has the time in UTC", async () => {
  const stream = await load("chaos-websocket.ndjson");
  expect(stream.gaps.map(({ eventId }) => IDS.includes(eventId))).toEqual([true, true, true, true]);
  expect(stream.faults.map(({ kind }) => kind)).toEqual(["netsplit", "heal", "stop", "start"]);
  expect(stream.steps.at(-1)).toMatchObject({ isOk: false, message: /perspective mismatch/ });
  const log = await load("chaos-console.log");
  expect(log.faults.map(({ kind }) => kind)).toEqual(["netsplit", "heal", "stop", "start"]);
  expect(log.faults[0]?.at).toBe(Date.UTC(2025, 5, 17, 9, 33, 22));
});

test("an export of Synapse: the order of its stream, and its verdicts", async () => {
  const run = await load("synapse-export.ndjson");
  expect(arrivalsIn(run).filter((line) => !line.includes(" accepted "))).toEqual([
    "one.test unknown soft_failed m.room.topic",
    "one.test unknown rejected m.room.topic",
  ]);
});

test("who wins each tie, by the ids that follow from the scenario", async () => {
  const run = await load("tie-breaks.json5");
  const history = historyIn(run);
  const winners = ["$MERGE_1", "$MERGE_2", "$MERGE_3", "$MERGE_4"].map((name) => {
    const merge = run.pdus.find((pdu) => pdu.name === name);
    const state = history.named(history.get(merge?.eventId ?? "")?.after ?? new Int32Array(0));
    const key = name === "$MERGE_4" ? "m.room.name|" : "m.room.join_rules|";
    return run.pdus.find(({ eventId }) => eventId === state[key])?.name;
  });
  // The scenario's own annotations, and Synapse, say so.
  expect(winners).toEqual(["$BOB_JR_1", "$CHARLIE_JR_2", "$CHARLIE_JR_3", "$CHARLIE_NAME"]);
  expect(run.pdus.every(({ eventId }) => /^\$[\w-]{43}$/.test(eventId))).toBe(true);
});

test("a state that is given is not computed, and what is expected comes out", async () => {
  const run = await load("fork-with-known-state.json5");
  expect(run.expected.size).toBe(1);
  expect(differencesIn(run, historyIn(run))).toEqual([]);
  const [given] = run.givenStates.values();
  expect(given).toEqual(["$create", "$ada", "$name_left"]);
});

test("loading twice gives the same", async () => {
  for (const names of [
    ["tie-breaks.json5"],
    ["fork-with-known-state.json5"],
    ["room.ndjson", "federation.har"],
  ]) {
    expect(await load(...names)).toEqual(await load(...names));
  }
});
