/** All that commands write of stored runs, as files, for specs that look at every one of them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { vi } from "vitest";
import { HarnessError } from "#harness/errors";
import { readRun } from "#harness/results/run-directory";
import { runMain } from "./main-for-specs.ts";
import { copyRecall, recallOf } from "./recall-for-specs.ts";
import { troubleText } from "./trouble.ts";

interface Report {
  /** Arguments of the command; `place` is a folder that is there. */
  readonly args: (runs: { before: string; after: string }, place: string) => readonly string[];
  /** Whether it can be told to show what is withheld. */
  readonly canDisclose?: false;
  /** Has what it wrote elsewhere in that folder, too. */
  readonly collect?: (runs: { before: string; after: string }, place: string) => void;
}

const gate = (...more: readonly string[]): Report => ({
  args: ({ before, after }) => ["gate", "--baseline", before, "--run", after, ...more],
});
const report = (format: string, file: string): Report => ({
  args: ({ after }, place) => [
    ...["report", after, "--format", format],
    ...["--out", path.join(place, file)],
  ],
});

const audit = (...more: readonly string[]): Report => ({
  args: ({ before, after }, place) => [
    ...["audit", before, after, "--mutants", mutantsOf(after)],
    ...["--out", path.join(place, "audit"), ...more],
  ],
  canDisclose: false,
});
const recall = (...more: readonly string[]): Report => ({
  args: (runs) => [...recallOf(runs), ...more],
  collect: copyRecall,
  canDisclose: false,
});

/** A run of mutants that no check of the other run noticed, called as these are. */
function mutantsOf(run: string): string {
  const folder = `${run}-mutants`;
  const mutants = readRun(run).results.map(({ requirement, check }) => ({
    ...{ requirement, check, mutants: [{ name: check, verdict: "survived" }] },
  }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "run.json"), JSON.stringify({ mode: "mutants", mutants }));
  return folder;
}

/** By name; with Java there is one more. */
export const REPORTS: Readonly<Record<string, Report>> = {
  console: { args: ({ after }) => ["report", after] },
  Markdown: report("markdown", "summary.md"),
  JUnit: report("junit", "junit.xml"),
  JSON: { args: ({ after }) => ["report", after, "--json"] },
  "GitHub annotations and job summary": {
    args: ({ after }) => ["report", after, "--format", "github"],
  },
  badges: {
    args: ({ after }, place) => ["report", after, "--badges", place],
    canDisclose: false,
  },
  "Allure folder": {
    args: ({ after }, place) => ["report", after, "--allure", path.join(place, "results")],
  },
  site: {
    args: ({ before, after }, place) => [
      ...["report", before, after],
      ...["--site", path.join(place, "site")],
    ],
  },
  baseline: { ...report("baseline", "baseline.jsonl"), canDisclose: false },
  "shared copy": {
    args: ({ after }, place) => ["report", after, "--share", path.join(place, "copy")],
    canDisclose: false,
  },
  "gate, console": gate(),
  "gate, Markdown": gate("--format", "markdown"),
  "gate, GitHub": gate("--format", "github"),
  "gate, JSON": gate("--json"),
  diff: { args: ({ before, after }) => ["diff", before, after], canDisclose: false },
  "diff, JSON": {
    args: ({ before, after }) => ["diff", before, after, "--json"],
    canDisclose: false,
  },
  "expect update": { args: ({ after }) => ["expect", "update", after], canDisclose: false },
  "expect update, JSON": {
    args: ({ after }) => ["expect", "update", after, "--json"],
    canDisclose: false,
  },
  "audit, console": audit(),
  "audit, Markdown": audit("--format", "markdown"),
  "audit, JSON": audit("--json"),
  "recall, console": recall(),
  "recall, JSON": recall("--json"),
  ...(process.env.CRUCIBLE_TEST_ALLURE === "1"
    ? {
        "Allure single file": {
          args: ({ after }, place) => ["report", after, "--allure", path.join(place, "a.html")],
        } satisfies Report,
      }
    : {}),
};

/** Runs the command of a report; what it prints is a file beside what it writes, also why it wrote nothing. */
export async function writeReports(
  name: string,
  runs: { readonly before: string; readonly after: string },
  place: string,
  { disclose = false, isRefused = false } = {},
): Promise<void> {
  const { args, collect, canDisclose = true } = REPORTS[name] ?? {};
  if (args === undefined) throw new TypeError(`there is no report ${name}`);
  mkdirSync(place, { recursive: true });
  vi.stubEnv("GITHUB_STEP_SUMMARY", path.join(place, "job-summary.md"));
  const { stdout, stderr, error } = await runMain(
    ...args(runs, place),
    ...(disclose && canDisclose ? ["--disclose"] : []),
  );
  vi.unstubAllEnvs();
  if (isRefused ? !(error instanceof HarnessError) : error !== undefined)
    throw error ?? new Error("it was not refused");
  if (!isRefused) collect?.(runs, place);
  const told = isRefused ? troubleText(error) : stderr;
  for (const [stream, text] of Object.entries({ stdout, stderr: told }))
    writeFileSync(path.join(place, `${stream}.txt`), text);
}

export interface Written {
  /** From the folder. */
  readonly name: string;
  readonly text: string;
}

/** All files of a folder, at any depth. Allure's one file has its data as base64: they are read too. */
export function writtenIn(place: string): readonly Written[] {
  const entries = readdirSync(place, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const text = readFileSync(file, "utf8");
      const coded = [...text.matchAll(/["']([A-Za-z0-9+/]{40,}={0,2})["']/g)];
      const decoded = coded.map(([, data = ""]) => Buffer.from(data, "base64").toString());
      return { name: path.relative(place, file), text: [text, ...decoded].join("\n") };
    });
}
