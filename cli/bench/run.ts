/** The command, run as a user runs it, and watched from outside by what it writes to its run directory. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "#cli/run/session";
import { HarnessError } from "#harness/errors";
import type { Outcome } from "#harness/results/outcome";
import { readRun } from "#harness/results/run-directory";

const WATCH_MS = 20;
/** After Ctrl-C the run stops its servers and writes what it has. */
const END_GRACE_MS = 30_000;
const VERDICTS: readonly Outcome[] = ["pass", "fail", "xfail", "xpass", "flaky"];

export interface TimedRun {
  readonly firstVerdictMs: number;
  readonly lastVerdictMs: number;
  readonly totalMs: number;
  readonly verdicts: number;
  /** It was stopped because its time was over. */
  readonly wasStopped: boolean;
}

/** @throws HarnessError INTERNAL when no check gave a verdict. */
export async function timeRun(args: readonly string[], limitMs: number): Promise<TimedRun> {
  const out = mkdtempSync(path.join(tmpdir(), "crucible-bench-"));
  const command = [path.join(ROOT, "cli/main.ts"), "run", ...args, "--out", out];
  const started = performance.now();
  const child = spawn(process.execPath, command, {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const onExit = () => void child.kill("SIGINT");
  process.once("exit", onExit);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2_000);
  });
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void ended.then(() => {
    hasEnded = true;
  });
  const partial = path.join(out, "results.partial.jsonl");
  const times = { first: Number.NaN, last: Number.NaN, size: 0 };
  let wasStopped = false;
  try {
    while (!hasEnded) {
      const now = performance.now() - started;
      watch(partial, times, now);
      if (now > limitMs && !wasStopped) {
        wasStopped = true;
        child.kill("SIGINT");
      }
      if (now > limitMs + END_GRACE_MS) child.kill("SIGKILL");
      await Promise.race([ended, sleep(WATCH_MS)]);
    }
    const totalMs = performance.now() - started;
    const { results } = readRun(out);
    const verdicts = results.filter(({ outcome }) => VERDICTS.includes(outcome)).length;
    if (verdicts === 0) {
      throw new HarnessError("INTERNAL", {
        what: `\`crucible run ${args.join(" ")}\` gave no verdict`,
        facts: said.trim().split("\n").slice(-8),
        next: "`crucible doctor` tells what is wrong",
      });
    }
    return {
      firstVerdictMs: times.first,
      lastVerdictMs: times.last,
      totalMs,
      verdicts,
      wasStopped,
    };
  } finally {
    process.off("exit", onExit);
    rmSync(out, { recursive: true, force: true });
  }
}

/** Results are appended as they come: the first growth with a check in it is the first verdict. */
function watch(file: string, times: { first: number; last: number; size: number }, now: number) {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= times.size) return;
  times.size = size;
  if (Number.isNaN(times.first) && !readFileSync(file, "utf8").includes('"kind":"check"')) return;
  if (Number.isNaN(times.first)) times.first = now;
  times.last = now;
}
