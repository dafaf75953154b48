/** The same run many times, each in a process of its own: what one leaves behind in memory must not touch the next. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { remark } from "#cli/io";
import { ROOT } from "#cli/run/session";
import { HarnessError } from "#harness/errors";
import { readRun } from "#harness/results/run-directory";
import { mergeRuns } from "#reports/merge";
import { countsText } from "#reports/render/words";
import { summarise } from "#reports/summarise";

const NOTES = "runs.json";
const LOG_LINES = 15;

/** What all runs of an audit have in common. */
export interface AuditedRun {
  /** Of `crucible run`, without seed and folder. */
  readonly arguments: readonly string[];
  readonly seed: number;
}

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

/**
 * Makes what is missing of so many runs; those that came to their end count, whenever they were made.
 *
 * @throws HarnessError INTERRUPTED by Ctrl-C; BAD_CONFIG when a run refuses its arguments
 */
export async function makeRuns(
  folder: string,
  count: number,
  { arguments: args, seed }: AuditedRun,
): Promise<readonly string[]> {
  const names = Array.from(
    { length: count },
    (_, index) => `run-${String(index + 1).padStart(2, "0")}`,
  );
  for (const [index, name] of names.entries()) {
    const run = path.join(folder, name);
    const which = `run ${index + 1} of ${count}`;
    const lack = whyAgain(run);
    if (lack === undefined) {
      remark(`${which}: is there`);
      continue;
    }
    if (lack !== "") remark(`${which}: once more, since ${lack}`);
    const log = path.join(folder, `${name}.log`);
    const startedAt = Date.now();
    const code = await runChild(["run", ...args, "--seed", String(seed), "--out", run], log);
    if (code === 130) {
      throw new HarnessError("INTERRUPTED", {
        what: `the audit was interrupted in ${which}`,
        next: `go on with: crucible audit --runs ${count} --out ${folder}`,
      });
    }
    if (!existsSync(path.join(run, "results.jsonl"))) {
      throw new HarnessError(code === 2 ? "BAD_CONFIG" : "INTERNAL", {
        what: `${which} ended with ${code ?? "a signal"} before it had results`,
        facts: readFileSync(log, "utf8").trimEnd().split("\n").slice(-LOG_LINES),
        next: `all of its output is in ${log}`,
      });
    }
    remark(`${which}: ${resultsText(run)} in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  }
  return names.map((name) => path.join(folder, name));
}

/** Undefined for a run that counts; empty for one that was never begun. */
function whyAgain(run: string): string | undefined {
  if (!existsSync(run)) return "";
  try {
    return readRun(run).troubles[0]?.split("\n")[0];
  } catch (error) {
    return error instanceof HarnessError ? error.what : String(error);
  }
}

function resultsText(folder: string): string {
  const merged = mergeRuns([readRun(folder)]);
  const { counts } = summarise({ ...merged, requirements: new Map() });
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
