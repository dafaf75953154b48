/** The rooms of real checks on a real server, kept as replay files. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
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

test("a failed check has a page, which every report opens at the event that it is about", async () => {
  using sandbox = new Sandbox();
  const id = "FED.dag.backfill-paginates";
  const run = sandbox.run(["--id", id]);
  expect((await run.ended).code).toBe(0);

  const [{ replay, page } = expect.fail("nothing failed")] = [...run.results().pages].map(
    ([replay, own]) => ({ replay, page: own }),
  );
  expect(page.note).toBeUndefined();
  const html = readFileSync(page.page ?? "", "utf8");
  expect(html).toContain("<title>room replay</title>");
  const event = new URLSearchParams(page.fragment?.slice(1)).get("at");
  expect(readFileSync(replay, "utf8")).toContain(`"event_id":"${event}"`);
  const link = `replay/${path.basename(page.page ?? "")}${page.fragment}`;
  const files = run.files();
  expect(files.get("summary.md")).toContain(`(<${link}>)`);
  expect(files.get("junit.xml")).toContain(
    `name="replay" value="${link.replaceAll("&", "&#38;")}"`,
  );
}, 120_000);

test("where pages and recordings can not be written the verdicts stay, and reports tell why", async () => {
  using sandbox = new Sandbox();
  const run = sandbox.run(["--id", "FED.dag.backfill-paginates"]);
  await run.remarks(/sqlite, seed/);
  // A file lies where the folder would.
  writeFileSync(path.join(run.directory, "replay"), "");
  expect((await run.ended).code).toBe(0);

  const { results, evidence } = run.results();
  expect(results.filter(({ outcome }) => outcome === "fail")).toHaveLength(1);
  expect(evidence.filter(({ replay }) => replay !== undefined)).toHaveLength(1);
  expect(run.files().get("summary.md")).toMatch(/- replay: .*none: .*EEXIST/);
}, 120_000);

test("without a failure nothing is kept unless it is asked for", async () => {
  using sandbox = new Sandbox();
  const run = sandbox.run(["--id", ID]);
  expect((await run.ended).code).toBe(0);
  expect(readdirSync(run.directory)).not.toContain("replay");
}, 120_000);
