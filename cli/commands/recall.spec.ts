/** `crucible recall` without servers: what it plans, and what it makes of stored runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { runMain } from "#cli/main-for-specs";
import { indexChecks } from "#harness/requirements/check-index";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import { RunDirectory } from "#harness/results/run-directory";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ID = "CS.login.flows";
const OLD = "1.136.0";
const NEW = "1.163.2";
const BUGS = path.join(folder, "bugs.yaml");
writeFileSync(
  BUGS,
  `format: 1
implementation: synapse
hs: "process:synapse@{version}"
bugs:
  - id: ROOM-1
    symptom: it breaks
    suite: rooms
    fix: somewhere#1
    fixed_in: "1.144.0"
    affected: "${OLD}"
    fixed: "${NEW}"
    requirements: [${ID}]
    sqlite_one_machine: yes
  - id: ROOM-2
    symptom: it breaks
    suite: rooms
    fix: somewhere#2
    fixed_in: "1.144.0"
    affected: "${OLD}"
    fixed: "${NEW}"
    requirements: []
    missed: nobody has looked
    sqlite_one_machine: yes
`,
);

const recall = (...args: readonly string[]) => runMain("recall", "--bugs", BUGS, ...args);

/** Stores what a group's run gave, in the folder of a recall; the title is that of the requirement's one check. */
function storeRun(out: string, group: string, number: number, outcome: Outcome, driver: string) {
  const directory = RunDirectory.create(path.join(out, group, String(number)));
  const [version = ""] = group.split(",");
  const deployment = `synapse@${version}/one/sqlite`;
  const servers = [{ role: "hs1", implementation: "synapse", version, driver }];
  directory.writeHeader({
    kind: "run",
    harness: "0",
    requirements: "h",
    deployments: [{ name: deployment, topology: "one", servers }],
    seed: 1,
  });
  const results = TITLES.map(
    (check): CheckResult => ({
      kind: "check",
      deployment,
      suite: "core",
      requirement: ID,
      level: "MUST",
      check,
      outcome,
      durationMs: 1,
    }),
  );
  directory.finish(results, { exitCode: 0 });
}

const TITLES = ((await indexChecks()).byId.get(ID) ?? []).map(({ title }) => title);

function stored(name: string, outcomes: readonly [Outcome, Outcome]): string {
  const out = path.join(folder, name);
  storeRun(out, OLD, 1, outcomes[0], `process:synapse@${OLD}`);
  storeRun(out, NEW, 1, outcomes[1], `process:synapse@${NEW}`);
  return out;
}

test("a dry run tells each release that would start, with what would run on it", async () => {
  const { stdout, code } = await recall("--dry-run");

  expect(code).toBe(0);
  expect(stdout).toContain(`${OLD}: 1 requirement, 1 bugs that it has, 0 mended in it`);
  expect(stdout).toContain("mended: ROOM-1");
  expect(stdout).toContain("2 bugs, 2 deployments would start");
});

test("a dry run as JSON has the specs of the servers", async () => {
  const { stdout } = await recall("--dry-run", "--json", "--versions", OLD);

  expect(JSON.parse(stdout)).toMatchObject({
    deployments: [{ name: OLD, hs: `process:synapse@${OLD}`, requirements: [ID] }],
  });
});

test("stored runs are judged without a server", async () => {
  const out = stored("caught", ["fail", "pass"]);

  const { stdout, code } = await recall("--reuse", "--out", out, "--json");

  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    exitCode: 0,
    counts: { caught: 1, missed: 1 },
    total: { caught: 1, runnable: 2 },
    bugs: [
      { bug: "ROOM-1", verdict: "caught" },
      { bug: "ROOM-2", verdict: "missed", why: "nobody has looked" },
    ],
  });
  expect(readFileSync(path.join(out, "recall.md"), "utf8")).toContain(
    "| rooms | 1 | 2 | 50 % | 0 |",
  );
});

test.each<[string, Outcome, Outcome, string]>([
  ["missed", "pass", "pass", "missed      ROOM-1"],
  ["false-alarm", "fail", "fail", "false-alarm ROOM-1"],
])("what is %s fails the command", async (name, before, after, line) => {
  const { stdout, code } = await recall("--reuse", "--out", stored(name, [before, after]));

  expect(code).toBe(1);
  expect(stdout).toContain(line);
});

test("what ended in trouble, and what another server did, is run again", async () => {
  const out = stored("trouble", ["error", "pass"]);
  storeRun(out, NEW, 1, "pass", "process:synapse=./python");

  const { stdout } = await recall("--reuse", "--out", out, "--dry-run", "--json");

  expect(JSON.parse(stdout)).toMatchObject({
    deployments: [{ requirements: [ID] }, { requirements: [ID] }],
  });
});

test("a later run of a release completes an earlier one", async () => {
  const out = stored("twice", ["error", "pass"]);
  storeRun(out, OLD, 2, "fail", `process:synapse@${OLD}`);

  const { code, stdout } = await recall("--reuse", "--out", out);

  expect(code).toBe(0);
  expect(stdout).toContain("caught      ROOM-1");
});

test("nothing to start is told as nothing that ran", async () => {
  const { code } = await recall("--only", "ROOM-2", "--dry-run");

  expect(code).toBe(4);
});

test.each([
  [["--only", "ROOM-3"], /no bug ROOM-3/],
  [["--versions", "1.137.0"], /no release among what these bugs need: 1.137.0/],
  [["--reuse"], /--reuse has no runs to take/],
])("%j is refused", async (args, message) => {
  const { stderr, code } = await recall(...args);

  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
