/**
 * A run on disk: `run.json` (header and settings), `results.jsonl` (one line a check, sorted), `evidence.jsonl`, and the
 * folders `trace/`, `logs/` and `replay/`. While the run goes on, results are appended to `results.partial.jsonl`, so that a
 * killed harness loses none; the partial file goes when the sorted one is there.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import { jsonLine } from "./json-line.ts";
import {
  type CheckResult,
  compareResults,
  type Evidence,
  LEVELS,
  OUTCOMES,
  PARTIES,
  type RunHeader,
} from "./outcome.ts";
import { evidenceIn, pagesIn, type ReplayPages, readPages } from "./replays.ts";

const MIN_FREE_BYTES = 50 * 1024 * 1024;
const RESULTS = "results.jsonl";
const PARTIAL = "results.partial.jsonl";
const EVIDENCE = "evidence.jsonl";
const INFO = "run.json";
const FOLDERS = ["trace", "logs", "replay"];

/** Facts of a run that are no verdicts: settings with origins, times, notes. */
type RunInfoFile = Readonly<Record<string, unknown>>;

export class RunDirectory {
  readonly path: string;
  #header: RunHeader | undefined;

  private constructor(folder: string) {
    this.path = folder;
  }

  /** @throws HarnessError NO_SPACE when the folder can not be written or the disk is full. */
  static create(folder: string): RunDirectory {
    try {
      mkdirSync(folder, { recursive: true });
      // Only a folder that held a run before: another may have such names for something else.
      const isReused = [RESULTS, PARTIAL].some((name) => existsSync(path.join(folder, name)));
      for (const stale of [RESULTS, PARTIAL, EVIDENCE, ...(isReused ? FOLDERS : [])])
        rmSync(path.join(folder, stale), { force: true, recursive: true });
      writeFileSync(path.join(folder, PARTIAL), "");
    } catch (cause) {
      const full = (cause as NodeJS.ErrnoException).code === "ENOSPC";
      throw new HarnessError("NO_SPACE", {
        what: full
          ? `the disk of ${folder} is full`
          : `the run directory ${folder} can not be written`,
        facts: [String(cause)],
        next: "free space, or name another folder with --out",
        cause,
      });
    }
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < MIN_FREE_BYTES) {
      throw new HarnessError("NO_SPACE", {
        what: `only ${Math.floor((bavail * bsize) / 1024 ** 2)} MB are free for the run directory ${folder}`,
        next: `free at least ${MIN_FREE_BYTES / 1024 ** 2} MB, or name another folder with --out`,
      });
    }
    return new RunDirectory(folder);
  }

  writeHeader(header: RunHeader): void {
    this.#header = header;
    appendFileSync(path.join(this.path, PARTIAL), `${line(header)}\n`);
  }

  append(result: CheckResult, evidence: Evidence | undefined): void {
    appendFileSync(path.join(this.path, PARTIAL), `${line(result)}\n`);
    if (evidence !== undefined)
      appendFileSync(path.join(this.path, EVIDENCE), `${jsonLine(evidence)}\n`, {
        mode: 0o600,
      });
  }

  /** Writes `results.jsonl`, sorted and whole, and `run.json`. */
  finish(results: readonly CheckResult[], info: RunInfoFile): void {
    const header = this.#header === undefined ? [] : [line(this.#header)];
    const lines = [...header, ...[...results].sort(compareResults).map(line)];
    this.write(RESULTS, lines.map((text) => `${text}\n`).join(""));
    this.write(INFO, `${JSON.stringify({ ...info, checks: results.length }, null, 2)}\n`);
    rmSync(path.join(this.path, PARTIAL), { force: true });
  }

  /** Atomically: a reader sees the old file or the whole new one. */
  write(name: string, content: string): string {
    const file = path.join(this.path, name);
    writeFileSync(`${file}.tmp`, content);
    renameSync(`${file}.tmp`, file);
    return file;
  }
}

export interface StoredRun {
  readonly path: string;
  readonly header: RunHeader | undefined;
  readonly results: readonly CheckResult[];
  /** Recordings are named as seen from here. */
  readonly evidence: readonly Evidence[];
  readonly pages: ReplayPages;
  /** False for a run that was killed: what it had is there. */
  readonly isComplete: boolean;
  /** Whether a missed SHOULD and an unexpected pass counted as regressions. */
  readonly isStrict: boolean;
  /** What went wrong with the run itself, one line each. */
  readonly troubles: readonly string[];
  /** ISO time; absent where only results are left. */
  readonly startedAt?: string;
  /** Which part of the checks it was to try; absent: all that were selected. */
  readonly shard?: Shard;
}

/** The `index`-th, from 1, of `count` parts of a run. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** What `run.json` has that a report needs; the rest is for people. */
const infoSchema = z.looseObject({
  mode: z.string().optional(),
  exitCode: z.number().optional(),
  settings: z
    .looseObject({
      strict: z.looseObject({ value: z.boolean() }).optional(),
      certify: z.looseObject({ value: z.boolean() }).optional(),
    })
    .optional(),
  trouble: z.string().optional(),
  startedAt: z.string().optional(),
  /** How many checks the results have: fewer, and the file was cut off. */
  checks: z.number().optional(),
  shard: z.object({ index: z.number(), count: z.number() }).optional(),
});

const headerSchema = z.looseObject({
  kind: z.literal("run"),
  /** Of a baseline, as above. */
  checks: z.number().optional(),
  harness: z.string(),
  requirements: z.string(),
  seed: z.number(),
  deployments: z.array(
    z.looseObject({
      name: z.string(),
      topology: z.string(),
      servers: z.array(
        z.looseObject({
          role: z.string(),
          implementation: z.string(),
          version: z.string(),
          driver: z.string(),
        }),
      ),
    }),
  ),
});

const resultSchema = z.looseObject({
  kind: z.literal("check"),
  deployment: z.string(),
  suite: z.string(),
  requirement: z.string(),
  level: z.enum(LEVELS),
  party: z.enum(PARTIES).exclude(["server"]).optional(),
  check: z.string(),
  outcome: z.enum(OUTCOMES),
  startedAt: z.string().optional(),
  durationMs: z.number().default(0),
  reason: z.string().optional(),
});

/**
 * Reads a run directory, a `results.jsonl` or a baseline.
 *
 * @throws HarnessError BAD_FILE with file and line; BAD_USAGE for a run of mutants, whose results are no verdicts.
 */
export function readRun(given: string): StoredRun {
  const [file, isComplete] = fileOf(given);
  const results: CheckResult[] = [];
  let header: RunHeader | undefined;
  const lines = readFileSync(file, "utf8").split("\n");
  for (const [index, text] of lines.entries()) {
    if (text === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      // The line that was being written when the harness was killed.
      if (!isComplete && index === lines.length - 1) continue;
      throw badLine(file, index, "no JSON", cause);
    }
    const isHeader = (value as { kind?: unknown })?.kind === "run";
    const parsed = (isHeader ? headerSchema : resultSchema).safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw badLine(file, index, `${issue?.path.join(".") || "the line"}: ${issue?.message}`);
    }
    if (isHeader) header = parsed.data as unknown as RunHeader;
    else results.push(parsed.data as unknown as CheckResult);
  }
  const folder = path.dirname(file);
  const { checks, ...info } = readInfo(folder, isComplete);
  const told = (header as { checks?: number } | undefined)?.checks;
  const count = told ?? (path.basename(file) === RESULTS ? checks : undefined);
  if (count !== undefined && isComplete && count !== results.length) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} has ${results.length} checks, but was written with ${count}: it is not whole`,
      next: "restore it, or make it again with `crucible run`",
    });
  }
  return {
    path: given,
    header,
    results,
    evidence: evidenceIn(folder, readEvidence(folder)),
    pages: pagesIn(folder, readPages(folder)),
    isComplete,
    ...info,
  };
}

interface Info extends Pick<StoredRun, "isStrict" | "troubles" | "startedAt" | "shard"> {
  readonly checks?: number | undefined;
}

function readInfo(folder: string, isComplete: boolean): Info {
  if (!isComplete) {
    return { isStrict: false, troubles: ["the run was killed: these are the results until then"] };
  }
  const file = path.join(folder, INFO);
  // A baseline, or a results file that was sent alone.
  if (!existsSync(file)) return { isStrict: false, troubles: [] };
  const { mode, settings, trouble, exitCode, startedAt, shard, checks } = parseInfo(file);
  if (mode === "mutants") {
    throw new HarnessError("BAD_USAGE", {
      what: `${folder} is a run of mutants`,
      facts: [
        "its results tell which checks noticed a violation that we made, nothing of the server",
      ],
      next: "name a run of `crucible run`",
    });
  }
  const troubles = [
    ...(trouble === undefined ? [] : [trouble]),
    ...(exitCode === 130 && trouble === undefined ? ["the run was interrupted"] : []),
  ];
  return {
    isStrict: settings?.strict?.value === true || settings?.certify?.value === true,
    troubles,
    checks,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(shard === undefined ? {} : { shard }),
  };
}

function parseInfo(file: string): z.infer<typeof infoSchema> {
  try {
    return infoSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} is not as \`crucible run\` writes it`,
      facts: [cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause)],
      next: "restore it, or move it away to render the results alone",
      cause,
    });
  }
}

function fileOf(given: string): [string, boolean] {
  if (existsSync(given) && !statSync(given).isDirectory()) return [given, !given.endsWith(PARTIAL)];
  for (const name of [RESULTS, PARTIAL]) {
    const file = path.join(given, name);
    if (existsSync(file)) return [file, name === RESULTS];
  }
  throw new HarnessError("BAD_FILE", {
    what: `there is no run in ${given}`,
    next: `name a run directory (.runs/<id>) or a ${RESULTS}`,
  });
}

function readEvidence(folder: string): Evidence[] {
  const file = path.join(folder, EVIDENCE);
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((text) => {
      try {
        return text === "" ? [] : [JSON.parse(text) as Evidence];
      } catch {
        // As above: cut off by a kill. Evidence is no verdict, so a gap only costs detail.
        return [];
      }
    });
}

function badLine(file: string, index: number, why: string, cause?: unknown): HarnessError {
  return new HarnessError("BAD_FILE", {
    what: `${file}:${index + 1}: ${why}`,
    next: "results are one JSON object a line, as `crucible run` writes them",
    cause,
  });
}

/** Keys in a fixed order, so that a line diff is a review. */
function line(value: RunHeader | CheckResult): string {
  if (value.kind === "run") return jsonLine(value);
  const { kind, deployment, suite, requirement, level, party } = value;
  const { check, outcome, startedAt, durationMs, reason } = value;
  return jsonLine({
    kind,
    deployment,
    suite,
    requirement,
    level,
    party,
    check,
    outcome,
    startedAt,
    durationMs,
    reason,
  });
}
