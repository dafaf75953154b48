/** The same run many times, each in a process of its own: what one leaves behind in memory must not touch the next. */
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { z } from "zod";
import { remark } from "#cli/io";
import { ROOT } from "#cli/run/session";
import { HarnessError } from "#harness/errors";
import { readRun, type StoredRun } from "#harness/results/run-directory";
import type { AuditedRun } from "#reports/audit/history";
import { mergeRuns } from "#reports/merge";
import { countsText } from "#reports/render/words";
import { summarise } from "#reports/summarise";

const NOTES = "runs.json";
const LOG_LINES = 15;

const notesSchema = z.object({
  runs: z.object({ arguments: z.array(z.string()), seed: z.number() }),
});

/** What the audit in this folder runs; undefined where there is none yet. @throws HarnessError BAD_FILE */
export function auditIn(folder: string): AuditedRun | undefined {
  const file = path.join(folder, NOTES);
  if (!existsSync(file)) return undefined;
  try {
    return notesSchema.parse(JSON.parse(readFileSync(file, "utf8"))).runs;
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} is not as \`crucible audit\` writes it`,
      facts: [cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)],
      next: "name another folder with --out",
      cause,
    });
  }
}

/** Begins an audit in a folder. @throws HarnessError NO_SPACE */
export function beginAudit(folder: string, runs: AuditedRun): void {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, NOTES), `${JSON.stringify({ runs }, null, 2)}\n`);
  } catch (cause) {
    throw new HarnessError("NO_SPACE", {
      what: `the folder ${folder} can not be written`,
      facts: [String(cause)],
      next: "free space, or name another folder with --out",
      cause,
    });
  }
}

/** What runs of an audit are made of, and who is told of each one that counts. */
export interface RunsToMake extends AuditedRun {
  readonly count: number;
  /** Command that goes on where it was interrupted. */
  readonly again: string;
  readonly onRun: (run: StoredRun) => void;
}

/**
 * Makes what is missing of so many runs; those that came to their end count, whenever they were made.
 *
 * @throws HarnessError INTERRUPTED by Ctrl-C; BAD_CONFIG when a run refuses its arguments
 */
export async function makeRuns(
  folder: string,
  { count, arguments: args, seed, again, onRun }: RunsToMake,
): Promise<readonly StoredRun[]> {
  const names = Array.from(
    { length: count },
    (_, index) => `run-${String(index + 1).padStart(2, "0")}`,
  );
  const made: StoredRun[] = [];
  for (const [index, name] of names.entries()) {
    const run = path.join(folder, name);
    const which = `run ${index + 1} of ${count}`;
    const there = runIn(run);
    if (typeof there === "object") {
      remark(`${which}: is there`);
      made.push(there);
      onRun(there);
      continue;
    }
    if (there !== undefined) remark(`${which}: once more, since ${there}`);
    const log = path.join(folder, `${name}.log`);
    const startedAt = Date.now();
    const code = await runChild(["run", ...args, "--seed", String(seed), "--out", run], log);
    if (code === 130) {
      throw new HarnessError("INTERRUPTED", {
        what: `the audit was interrupted in ${which}`,
        next: `go on with: ${again}`,
      });
    }
    if (!existsSync(path.join(run, "results.jsonl"))) {
      throw new HarnessError(code === 2 ? "BAD_CONFIG" : "INTERNAL", {
        what: `${which} ended with ${code ?? "a signal"} before it had results`,
        facts: readFileSync(log, "utf8").trimEnd().split("\n").slice(-LOG_LINES),
        next: `all of its output is in ${log}`,
      });
    }
    const ended = readRun(run);
    remark(`${which}: ${resultsText(ended)} in ${Math.round((Date.now() - startedAt) / 1000)} s`);
    made.push(ended);
    if (ended.troubles.length === 0) onRun(ended);
  }
  return made;
}

/** Runs of an audit in its folder that count. */
export function runsIn(folder: string): readonly StoredRun[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^run-\d+$/.test(name));
  return names.sort().flatMap((name) => {
    const run = runIn(path.join(folder, name));
    return typeof run === "object" ? [run] : [];
  });
}

/** A run that counts, or why it does not; undefined for one that was never begun. */
function runIn(folder: string): StoredRun | string | undefined {
  if (!existsSync(folder)) return undefined;
  try {
    const run = readRun(folder);
    return run.troubles[0]?.split("\n")[0] ?? run;
  } catch (error) {
    return error instanceof HarnessError ? error.what : String(error);
  }
}

function resultsText(run: StoredRun): string {
  const { counts } = summarise({ ...mergeRuns([run]), requirements: new Map() });
  return countsText(counts);
}

/**
 * In a process group of its own: Ctrl-C reaches this process alone, which hands it on once. A run that gets it twice ends at once,
 * without its results.
 */
async function runChild(args: readonly string[], log: string): Promise<number | null> {
  const output = openSync(log, "w");
  const child = spawn(process.execPath, [path.join(ROOT, "cli/bin.js"), ...args], {
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const handOn = (signal: NodeJS.Signals) => {
    child.kill(signal);
  };
  const onExit = () => child.kill("SIGTERM");
  process.on("SIGINT", handOn).on("SIGTERM", handOn).on("exit", onExit);
  try {
    return await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
  } finally {
    process.off("SIGINT", handOn).off("SIGTERM", handOn).off("exit", onExit);
  }
}
