/** The folder of a site: what is in it, and what is not. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadCatalogue } from "#harness/requirements/catalogue";
import type { Outcome } from "#harness/results/outcome";
import type { SiteChange, SiteDetails, SiteIndex } from "#reports/site/data";
import { evidenceOf, resultOf, storedRun, traceLine } from "./runs-for-specs.ts";
import { writeSite } from "./write-site.ts";

const SECRET = "the-secret-of-a-user";
const folder = mkdtempSync(path.join(tmpdir(), "crucible-site-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { requirements } = await loadCatalogue();
const PLAIN = requirements.find((one) => !one.sensitive && !one.party)?.id ?? "";
const SENSITIVE = requirements.find(({ sensitive }) => sensitive)?.id ?? "";

let count = 0;
function place(name: string): string {
  return path.join(folder, `${name}-${++count}`);
}

/** Everything in a folder but the application, names of files too. */
function textsIn(site: string): string {
  const entries = readdirSync(site, { recursive: true, withFileTypes: true });
  const isOfRuns = (name: string) => !/^(?:site\.\w+|index\.html)$/.test(name);
  const files = entries.filter((entry) => entry.isFile() && isOfRuns(entry.name));
  return files
    .map(({ parentPath, name }) => `${name}\n${readFileSync(path.join(parentPath, name), "utf8")}`)
    .join("\n");
}

/** What the page gets of a script. */
function dataIn<T>(site: string, name: string): T {
  let found: unknown;
  const script = readFileSync(path.join(site, "data", `${name}.js`), "utf8");
  new Function("crucibleData", script)((_: string, text: string) => {
    found = JSON.parse(text);
  });
  return found as T;
}

/** A run in which one check did not pass, with evidence, a trace and a page of its recording. */
function revealing(id: string, outcome: Outcome) {
  const result = resultOf(id, outcome, { reason: `reason ${SECRET}` });
  const replay = `replay/${id}-1.replay.ndjson`;
  return storedRun(place("run"), {
    results: [result],
    evidence: [evidenceOf(result, SECRET)],
    files: {
      "trace/main.ndjson": traceLine("main#1", SECRET) + traceLine("main#2", SECRET),
      [`replay/${id}-1.html`]: `<!doctype html>${SECRET}`,
      [replay]: SECRET,
      "replay/pages.json": JSON.stringify({
        [replay]: { page: `replay/${id}-1.html`, fragment: "#at=%24x" },
      }),
    },
  });
}

test.each(["fail", "error", "xfail", "flaky"] as const)(
  "of a sensitive %s the folder has no evidence, unless it is disclosed",
  async (outcome) => {
    const run = revealing(SENSITIVE, outcome);
    const before = storedRun(place("before"), { results: [resultOf(SENSITIVE, "pass")] });
    const site = place("site");
    await writeSite(site, [before, run], { disclose: false });
    expect(textsIn(site)).not.toContain(SECRET);
    expect(textsIn(site)).toContain("withheld: report it privately");
    expect(dataIn<SiteIndex>(site, "index").requirements).toMatchObject([{ id: SENSITIVE }]);
    await writeSite(site, [run], { disclose: true });
    for (const kind of ["message", "expected", "actual", "log", "note"])
      expect(textsIn(site)).toContain(`${kind} ${SECRET}`);
    expect(textsIn(path.join(site, "replay"))).toContain(SECRET);
  },
);

test("what failed is there with expected, actual, exchanges, command and the page of its recording", async () => {
  const site = place("site");
  const written = await writeSite(site, [revealing(PLAIN, "fail")], { disclose: false });
  const [details] = dataIn<SiteDetails[]>(site, "details-0");
  const [finding] = details?.checks[0]?.findings ?? [];
  expect(finding).toMatchObject({
    expected: `expected ${SECRET}`,
    actual: `actual ${SECRET}`,
    again: `crucible run ${PLAIN} --hs process:synapse@1.163.2 --seed 7`,
    replay: { link: "replay/1.html#at=%24x" },
  });
  expect(finding?.exchanges).toHaveLength(2);
  expect(finding?.exchanges.at(-1)).toMatch(/^main#2 client -> hs1, 3 ms\nGET \/_matrix/);
  expect(written.leftOut).toEqual([]);
  expect(written.bytes.replays).toBeGreaterThan(0);
});

test("a run can not have a file copied that is none of its recordings", async () => {
  const outside = path.join(folder, "outside.html");
  writeFileSync(outside, SECRET);
  const result = resultOf(PLAIN, "fail");
  const run = (page: string) =>
    storedRun(place("run"), {
      results: [result],
      evidence: [evidenceOf(result, "X")],
      files: {
        "replay/pages.json": JSON.stringify({ [`replay/${PLAIN}-1.replay.ndjson`]: { page } }),
        "results.html": SECRET,
      },
    });
  const linked = run("replay/link.html");
  symlinkSync(outside, path.join(linked.path, "replay/link.html"));
  for (const one of [run("../outside.html"), run(outside), run("results.html"), linked]) {
    const site = place("site");
    const { leftOut } = await writeSite(site, [one], { disclose: false });
    expect(textsIn(site)).not.toContain(SECRET);
    expect(leftOut).toEqual([expect.stringContaining("no files in replay/")]);
  }
});

test("runs of one deployment are its history, in the order given; any two are compared", async () => {
  const runs = (["pass", "fail", "pass"] as const).map((outcome) =>
    storedRun(place("run"), { results: [resultOf(PLAIN, outcome)] }),
  );
  const site = place("site");
  await writeSite(site, runs, { disclose: false });
  const { columns, deployments, pairs } = dataIn<SiteIndex>(site, "index");
  expect(columns).toHaveLength(1);
  const history = columns[0]?.deployments.map((at) => deployments[at]?.outcomes);
  expect(history).toEqual(["p", "f", "p"]);
  expect(pairs.map(({ before, after }) => [before, after])).toEqual([
    [0, 1],
    [0, 2],
    [1, 2],
  ]);
  expect(dataIn<SiteChange[]>(site, "changes-0-1")).toMatchObject([{ transition: "regressed" }]);
  expect(dataIn<SiteChange[]>(site, "changes-0-2")).toEqual([]);
});

test("the same runs give the same bytes, and a later site nothing of an earlier one", async () => {
  const site = place("site");
  const run = revealing(PLAIN, "fail");
  await writeSite(site, [run], { disclose: false });
  const first = textsIn(site);
  await writeSite(site, [run], { disclose: false });
  expect(textsIn(site)).toBe(first);
  await writeSite(site, [storedRun(place("run"), { results: [resultOf(PLAIN, "pass")] })], {
    disclose: false,
  });
  expect(textsIn(site)).not.toContain(SECRET);
});

test("a folder that holds something else is left as it is", async () => {
  const site = place("other");
  const run = storedRun(site, { results: [resultOf(PLAIN, "pass")] });
  const before = textsIn(site);
  await expect(writeSite(site, [run], { disclose: false })).rejects.toThrow(
    /no site can be written to .*: it holds something else/,
  );
  expect(textsIn(site)).toBe(before);
});

test("measurements, recoveries and times of calls are there where runs have them", async () => {
  const figures = [
    { name: "leave to silent", subject: "RTC.a, same homeserver", values: [] },
    { name: "join to first audio", subject: "RTC.a, same homeserver", values: [700, 90.4, 300] },
  ];
  const measurement = { name: "initial", subject: "sync", unit: "ms" };
  const measurements = [10, 100].map((rooms) => ({ ...measurement, rooms, values: [rooms, 3, 5] }));
  const run = storedRun(place("run"), {
    results: [resultOf(PLAIN, "pass")],
    files: {
      "perf.json": JSON.stringify({ deployment: "d", measurements }),
      "calls.json": JSON.stringify({ figures }),
    },
  });
  const chaos = place("chaos");
  const recovery = { count: 3, medianMs: 900, never: 1 };
  storedRun(chaos, { results: [], files: { "chaos.json": "" } });
  rmSync(path.join(chaos, "results.jsonl"));
  writeFileSync(
    path.join(chaos, "chaos.json"),
    JSON.stringify({ deployment: "d", nudged: recovery, silent: { ...recovery, count: 0 } }),
  );
  const site = place("site");
  await writeSite(site, [run], { disclose: false, chaosRuns: [chaos] });
  expect(dataIn(site, "plots")).toEqual({
    performance: [
      {
        title: "initial",
        unit: "ms",
        x: "rooms of the account",
        lines: [
          {
            name: "sync",
            points: [
              [10, 5],
              [100, 5],
            ],
          },
        ],
      },
    ],
    recovery: [{ deployment: "d", mode: "nudged", ...recovery }],
    calls: [
      {
        deployment: run.header?.deployments[0]?.name,
        name: "join to first audio",
        subject: "RTC.a, same homeserver",
        count: 3,
        medianMs: 300,
        slowestMs: 700,
      },
    ],
  });
});
