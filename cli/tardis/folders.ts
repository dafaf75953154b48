/** Files of a folder that can be shown: of a run its replays, of any other all that can be read. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import path from "node:path";
import { describe, HarnessError } from "#harness/errors";
import { REPLAY_SUFFIX } from "#harness/replay/record";
import { isObject } from "#protocol/events/event";

export interface Found {
  readonly file: string;
  /** Within its folder. */
  readonly title: string;
}

const MOST_FILES = 2_000;
const READABLE = /\.(?:ndjson|jsonl|json5?|har|log|txt|link)$/i;
/** What only a folder of `run` or `chaos` has. */
const OF_A_RUN = ["results.jsonl", "results.partial.jsonl", "run.json", "chaos.json"];
const FIRST_BYTES = 4_096;

/** @throws HarnessError BAD_FILE */
export function filesIn(name: string): readonly Found[] {
  try {
    if (!statSync(name).isDirectory()) return [{ file: name, title: path.basename(name) }];
    const all = readdirSync(name, { recursive: true, encoding: "utf8" });
    const isRun = all.some((file) => OF_A_RUN.includes(file));
    return all
      .filter((file) => (isRun ? file.endsWith(REPLAY_SUFFIX) : READABLE.test(file)))
      .sort()
      .slice(0, MOST_FILES)
      .map((file) => ({ file: path.join(name, file), title: file }));
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${name} can not be read`,
      facts: [describe(cause)],
      next: "check the path",
      cause,
    });
  }
}

/** What a recording says of itself in its first line; empty for other files. */
function headOf(file: string): Readonly<Record<string, unknown>> {
  if (!file.endsWith(REPLAY_SUFFIX)) return {};
  const descriptor = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(FIRST_BYTES);
    const [line = ""] = bytes.toString("utf8", 0, readSync(descriptor, bytes)).split("\n");
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : {};
  } catch {
    return {};
  } finally {
    closeSync(descriptor);
  }
}

/** Whether a recording is of a check whose failures are not for everybody. */
export function isSensitive(file: string): boolean {
  return headOf(file).sensitive === true;
}

export interface Ending {
  /** Null: it is neither. */
  readonly isOk: boolean | null;
  readonly text: string;
}

/** How a recording ended, in a few words; undefined where it does not say. What is unknown never counts as a pass. */
export function verdictOf(file: string): Ending | undefined {
  if (!file.endsWith(REPLAY_SUFFIX)) return undefined;
  const byOutcome = new Map<string, Set<string>>();
  const steps = { all: 0, failed: 0 };
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (!/"t"\s*:\s*"(?:step|verdict)"/.test(line)) continue;
    const { t, checker, outcome, ok } = parsed(line) ?? {};
    if (t === "step") {
      steps.all++;
      if (ok === false) steps.failed++;
    }
    if (t !== "verdict") continue;
    const checkers = byOutcome.get(String(outcome)) ?? new Set();
    byOutcome.set(String(outcome), checkers.add(String(checker)));
  }
  const named = (outcome: string) => [...(byOutcome.get(outcome) ?? [])].join(", ");
  if (byOutcome.has("fail")) return { isOk: false, text: `failed: ${named("fail")}` };
  const open = [...byOutcome.keys()].filter((outcome) => outcome !== "pass" && outcome !== "skip");
  if (open.length > 0)
    return { isOk: null, text: open.map((one) => `${one}: ${named(one)}`).join("; ") };
  if (byOutcome.has("pass")) return { isOk: true, text: "passed" };
  if (byOutcome.size > 0) return { isOk: null, text: "nothing was looked at" };
  if (steps.all === 0) return undefined;
  return steps.failed > 0 ? { isOk: false, text: "failed" } : { isOk: true, text: "passed" };
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
