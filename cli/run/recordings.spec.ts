/** The rooms of real checks on a real server, kept as replay files. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { Sandbox } from "#cli/command-process";
import type { ReplayRecord } from "#harness/replay/record";
import { loadRun } from "#tardis/formats/load";
import { historyOf } from "#tardis/model/room-of-run";

const ID = "FED.txn.partial-failure";

test("what a server refused and what it took, and the state that it shows", async () => {
  using sandbox = new Sandbox();
  const run = sandbox.run(["--id", ID, "--record", "all"]);
  const { code, stderr } = await run.ended;
  expect([code, stderr.match(/replay.*missing.*/)]).toEqual([0, null]);

  const folder = path.join(run.directory, "replay");
  expect(readdirSync(folder)).toEqual([`${ID}-1.replay.ndjson`]);
  const text = readFileSync(path.join(folder, `${ID}-1.replay.ndjson`), "utf8");
  const records = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as ReplayRecord);

  const came = records.filter((record) => record.t === "arrive" && record.via === "send");
  expect(came.map((record) => record.t === "arrive" && record.verdict)).toEqual([
    "rejected",
    "accepted",
    "accepted",
  ]);
  const loaded = await loadRun([{ name: ID, text }]);
  const [room] = loaded.rooms;
  expect(loaded.problems).toEqual([]);
  if (room === undefined) return expect.fail("there is no room");
  const history = historyOf(loaded, room);
  const shown = records.find((record) => record.t === "state");
  expect(shown?.t === "state" && shown.state).toEqual(
    history.named(history.stateAfter(history.extremities)),
  );
}, 120_000);

test("without a failure nothing is kept unless it is asked for", async () => {
  using sandbox = new Sandbox();
  const run = sandbox.run(["--id", ID]);
  expect((await run.ended).code).toBe(0);
  expect(readdirSync(run.directory)).not.toContain("replay");
}, 120_000);
