/** The bounded-exhaustive search, as the command runs and tells it. */
import { RESET_CLASSES } from "#chaos/search/classify";
import { sizeOf } from "#chaos/search/collection";
import { progressFile, readProgress, writeProgress } from "#chaos/search/progress-file";
import {
  type ExhaustiveProgress,
  nothingDone,
  searchExhaustively,
} from "#chaos/search/search-exhaustively";
import { print, printJson, remark } from "#cli/io";
import { StatusLine } from "#cli/status-line";
import { makeFolder } from "#cli/writing";
import { HarnessError } from "#harness/errors";
import { findingData, printFinding, smallestOf, writeFindings } from "./findings.ts";

export interface ExhaustiveOptions {
  readonly size: number;
  readonly workers: number;
  readonly keep: number;
  readonly out: string;
  readonly resume?: true;
  readonly json?: true;
}

const SAVE_MS = 1_000;

/** Ends soon after the signal; what is done then is kept for `--resume`. Returns the command to go on with, when it is needed. */
export async function exhaustiveSearch(
  options: ExhaustiveOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { size, workers, keep, out, json } = options;
  const file = progressFile(out, size);
  makeFolder(out);
  const from = beginning(options, file);
  remark(
    `all histories up to size ${size}, ${from.parts - from.done.length} of ${from.parts} parts to do, on ${workers} ${workers === 1 ? "core" : "cores"}`,
  );
  using status = new StatusLine();
  let saved = Date.now();
  const result = await searchExhaustively({
    from,
    workers,
    signal,
    onProgress: (progress) => {
      status.show(() => progressText(progress));
      if (Date.now() - saved < SAVE_MS) return;
      saved = Date.now();
      writeProgress(file, progress);
    },
  });
  status.clear();
  writeProgress(file, result);
  const counts = new Map<string, number>();
  const files = writeFindings(result.findings, out, ({ resetClass }) => {
    const number = (counts.get(resetClass) ?? 0) + 1;
    counts.set(resetClass, number);
    return `${resetClass}-up-to-${size}-${number}`.toLowerCase();
  });
  if (json) printResultJson(result, workers, files);
  else printResult(result, files);
  if (result.done.length === result.parts) return undefined;
  const flags = `--size ${size} --keep ${keep} --out ${out} --resume`;
  return `crucible search --exhaustive ${flags}`;
}

/** @throws HarnessError BAD_FILE, BAD_USAGE */
function beginning({ size, keep, resume }: ExhaustiveOptions, file: string): ExhaustiveProgress {
  const found = resume === true ? readProgress(file) : undefined;
  if (found === undefined) {
    if (resume === true) remark(`nothing to go on with in ${file}: begins anew`);
    return nothingDone(size, keep);
  }
  if (found.most === keep) return found;
  throw new HarnessError("BAD_USAGE", {
    what: `the search in ${file} keeps ${found.most} findings of each class`,
    next: `write --keep ${found.most}, or begin anew without --resume`,
  });
}

function progressText({ done, parts, seconds, tally, findings }: ExhaustiveProgress): string {
  const rate = Math.round(tally.cases / seconds);
  const left = Math.round((seconds / done.length) * (parts - done.length));
  return `${done.length} of ${parts} parts, ${seconds.toFixed(0)} s, about ${left} s to go; ${tally.cases} cases, ${rate} a second; ${smallestOf(findings)}`;
}

/** How much of a class there is, in words. */
function verdictOf({ size, tally, done, parts }: ExhaustiveProgress, name: Name): string {
  const bySize = tally.minimal[name];
  const smallest = bySize.findIndex((count) => count > 0);
  if (smallest < 0) {
    return done.length === parts ? `none up to size ${size}` : "none in what was searched";
  }
  const list = bySize.flatMap((count, events) => (count > 0 ? [`${count} of ${events}`] : []));
  return `${tally.resets[name]} resets; minimal: ${list.join(", ")} events`;
}

type Name = (typeof RESET_CLASSES)[number];

function printResult(progress: ExhaustiveProgress, files: readonly string[]): void {
  const { findings, tally, done, parts, seconds } = progress;
  for (const [at, finding] of findings.entries()) {
    printFinding(finding, `${sizeOf(finding)} events`, files[at]);
  }
  for (const name of RESET_CLASSES) print(`${name.padEnd(5)} ${verdictOf(progress, name)}`);
  const histories = tally.histories.reduce((sum, count) => sum + count, 0);
  const rate = Math.round(tally.cases / seconds);
  print(`histories by size: ${tally.histories.join(", ")}`);
  print(
    `${tally.cases} cases of ${histories} histories in ${seconds.toFixed(1)} s, ${rate} a second`,
  );
  if (done.length < parts) print(`not complete: ${done.length} of ${parts} parts`);
}

function printResultJson(
  progress: ExhaustiveProgress,
  workers: number,
  files: readonly string[],
): void {
  const { size, findings, tally, done, parts, seconds } = progress;
  const classes = RESET_CLASSES.map((name) => [
    name,
    {
      resets: tally.resets[name],
      minimalBySize: tally.minimal[name].map((count) => count ?? 0),
      verdict: verdictOf(progress, name),
    },
  ]);
  printJson({
    size,
    isComplete: done.length === parts,
    parts,
    partsDone: done.length,
    workers,
    seconds,
    historiesBySize: tally.histories,
    cases: tally.cases,
    casesPerSecond: Math.round(tally.cases / seconds),
    classes: Object.fromEntries(classes),
    findings: findings.map((finding, at) => findingData(finding, files[at])),
  });
}
