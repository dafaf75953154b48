import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import type { MutatedCheck } from "#harness/results/mutants-run";
import type { CheckResult, Outcome } from "#harness/results/outcome";
import type { StoredRun } from "#harness/results/run-directory";
import { audit } from "./audit.ts";
import { type History, isHistory, readHistory, withMore, writeHistory } from "./history.ts";

const SECRET = "what-a-stranger-could-read";
const folder = mkdtempSync(path.join(tmpdir(), "crucible-history-"));
afterAll(() => rmSync(folder, { recursive: true }));

const requirements = new Map(
  ["CS.a", "CS.b", "CS.c"].map((id) => [
    id,
    { id, suite: "core", sensitive: id === "CS.c" } as Requirement,
  ]),
);

function result(requirement: string, outcome: Outcome, more: Partial<CheckResult> = {}) {
  const common = { kind: "check", deployment: "hs@1/one", suite: "core", level: "MUST" } as const;
  return { ...common, requirement, check: "the server does", outcome, durationMs: 0, ...more };
}

/** A run of the day's given minute. */
function run(minute: number, results: readonly CheckResult[]): StoredRun {
  const startedAt = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  const rest = { evidence: [], pages: new Map(), isComplete: true, isStrict: false, troubles: [] };
  const header = {
    kind: "run",
    harness: "1",
    requirements: "h",
    seed: 7,
    deployments: [],
  } as const;
  return { path: `run-${minute}`, header, results, startedAt, ...rest };
}

const mutated = (requirement: string, verdict: MutatedCheck["mutants"][number]["verdict"]) => ({
  ...{ requirement, check: "the server does", mutants: [{ name: "lies", verdict }] },
  isSkipped: false,
});

const EMPTY: History = { audited: { arguments: ["CS.*"], seed: 7 }, runs: [], mutants: [] };

function written(name: string, history: History): string {
  const file = path.join(folder, name);
  writeHistory(file, history, requirements);
  return file;
}

function read(file: string): History {
  const history = readHistory(file);
  if (history === undefined) throw new Error(`no history in ${file}`);
  return history;
}

/** What an audit says, but for the names of runs and what it may not tell. */
function told({ runs, mutants }: Pick<History, "runs" | "mutants">) {
  const proofs = new Map(mutants.map((one) => [`${one.requirement}\0${one.check}`, one]));
  const { checks, table, verdict, notes } = audit({ runs, requirements, mutants: proofs });
  const seen = checks.map(({ verdicts, errors, ...one }) => ({
    ...one,
    outcomes: [...verdicts, ...errors].map(({ outcome, count, reason }) => [
      outcome,
      count,
      // Their reasons are those of the manifest and of the server's features.
      ["xfail", "skip"].includes(outcome) ? undefined : reason,
    ]),
  }));
  return { seen, table, verdict, notes };
}

test("an audit says the same of runs and of their history", () => {
  const runs = (["pass", "pass", "fail", "error", "pass"] as const).map((outcome, index) =>
    run(index, [
      result("CS.a", outcome, { durationMs: 10 * index, reason: `${outcome} ${index}` }),
      result("CS.b", "xfail", { reason: "known" }),
      ...(index > 2
        ? [result("CS.b", "skip", { check: "it is new", reason: "unsupported: x" })]
        : []),
      result("CS.c", outcome, { deployment: "hs@2/two", reason: SECRET }),
    ]),
  );
  const history = withMore(EMPTY, {
    runs: runs.toReversed(),
    mutants: [mutated("CS.b", "moot"), mutated("CS.a", "killed")],
  });

  const file = written("same.jsonl", history);

  expect(told(read(file))).toEqual(told({ ...history, runs }));
  expect(read(file).audited).toEqual(EMPTY.audited);
  const text = readFileSync(file, "utf8");
  expect(text).not.toContain(SECRET);
  expect(text).toContain('"outcomes":[["pass",2],["fail",1],["error",1],["pass",1]]');
  // Read and written again, it is the same file.
  expect(readFileSync(written("again.jsonl", read(file)), "utf8")).toBe(text);
});

test("a run counts once, and a check whose line was taken out begins anew", () => {
  const both = [result("CS.a", "pass"), result("CS.b", "fail")];
  const file = written("first.jsonl", withMore(EMPTY, { runs: [run(0, both), run(1, both)] }));
  const lines = readFileSync(file, "utf8").split("\n");
  writeFileSync(file, lines.filter((line) => !line.includes('"CS.b"')).join("\n"));

  const mended = [result("CS.a", "pass"), result("CS.b", "pass")];
  const more = withMore(read(file), { runs: [run(1, mended), run(2, mended), run(3, mended)] });

  expect(more.runs).toHaveLength(4);
  const { seen } = told(read(written("second.jsonl", more)));
  expect(seen).toMatchObject([
    { requirement: "CS.a", outcomes: [["pass", 4, undefined]] },
    { requirement: "CS.b", outcomes: [["pass", 3, undefined]] },
  ]);
});

test("mutants of a check take the place of older ones, unless they were skipped or gave no verdict", () => {
  const first = withMore(EMPTY, {
    mutants: [mutated("CS.a", "killed"), mutated("CS.b", "killed"), mutated("CS.c", "killed")],
  });

  const { mutants } = withMore(first, {
    mutants: [
      mutated("CS.a", "survived"),
      { ...mutated("CS.b", "survived"), isSkipped: true },
      mutated("CS.c", "error"),
      mutated("CS.d", "error"),
    ],
  });

  expect(mutants).toEqual([
    mutated("CS.a", "survived"),
    mutated("CS.b", "killed"),
    mutated("CS.c", "killed"),
    mutated("CS.d", "error"),
  ]);
});

test("marks of writing direction and line ends are escapes", () => {
  const reason = "\u202e\u2028# head\n";
  const runs = [run(0, [result("CS.a", "fail", { reason })])];

  const file = written("marks.jsonl", withMore(EMPTY, { runs }));

  expect(readFileSync(file, "utf8")).not.toMatch(/[\u202e\u2028]|^# head/m);
  expect(read(file).runs[0]?.results[0]?.reason).toBe(reason);
});

const AUDIT = '{"kind":"audit","format":1,"arguments":[],"seed":1}';
const RUN = '{"kind":"run","startedAt":"x","harness":"1","requirements":"h"}';
const CHECK =
  '{"kind":"check","deployment":"d","suite":"s","requirement":"r","level":"MUST","check":"c"';

test.each([
  ["nothing", "", ":1 "],
  ["another format", '{"kind":"audit","format":2,"arguments":[],"seed":1}', ":1 "],
  ["no JSON", `${AUDIT}\nx`, ":2 "],
  ["a line of another kind", `${AUDIT}\n${RUN.replace("run", "walk")}`, ":2 "],
  ["an outcome that is none", `${AUDIT}\n${RUN}\n${CHECK},"outcomes":[["good",1]]}`, ":3 "],
  ["more outcomes than runs", `${AUDIT}\n${RUN}\n${CHECK},"outcomes":[["pass",2]]}`, ":3 "],
  ["times that lack", `${AUDIT}\n${RUN}\n${CHECK},"outcomes":[["pass",1]],"ms":[]}`, ":3 "],
  ["an endless row", `${AUDIT}\n${RUN}\n${CHECK},"outcomes":[["pass",1e12]]}`, ":3 "],
])("a file with %s is refused, with its line", (_, text, place) => {
  const file = path.join(folder, "bad.jsonl");
  writeFileSync(file, text);

  expect(() => readHistory(file)).toThrow(HarnessError);
  expect(() => readHistory(file)).toThrow(`${file}${place}`);
});

test("only a history is taken for one", () => {
  const results = path.join(folder, "results.jsonl");
  writeFileSync(results, `${JSON.stringify(result("CS.a", "pass"))}\n`);

  expect(isHistory(results)).toBe(false);
  expect(isHistory(written("one.jsonl", EMPTY))).toBe(true);
  expect(readHistory(path.join(folder, "none.jsonl"))).toBeUndefined();
});
