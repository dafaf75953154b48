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

/** How a recording ended, in a few words; undefined where it does not say. */
export function verdictOf(
  file: string,
): { readonly isOk: boolean; readonly text: string } | undefined {
  if (!file.endsWith(REPLAY_SUFFIX)) return undefined;
  const failed = new Set<string>();
  let steps = 0;
  let isJudged = false;
  let failedSteps = 0;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (!/"t"\s*:\s*"(?:step|verdict)"/.test(line)) continue;
    const value = parsed(line);
    if (value?.t === "verdict") {
      isJudged = true;
      if (value.outcome === "fail") failed.add(String(value.checker));
    } else if (value?.t === "step") {
      steps++;
      if (value.ok === false) failedSteps++;
    }
  }
  if (failed.size > 0) return { isOk: false, text: `failed: ${[...failed].join(", ")}` };
  if (!isJudged && failedSteps > 0) return { isOk: false, text: "failed" };
  return isJudged || steps > 0 ? { isOk: true, text: "passed" } : undefined;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
