/** `crucible search`: looks for state resets in state resolution alone. Needs no server. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { Command } from "commander";
import { sizeOf } from "#chaos/search/collection";
import { findingFile, versionsOf } from "#chaos/search/finding-file";
import type { Finding, Tally } from "#chaos/search/random-search";
import { type RandomResult, searchAtRandom } from "#chaos/search/search-at-random";
import { storyOf } from "#chaos/search/words";
import { countingNumber, drawnSeed, seedText, wholeNumber } from "#cli/generated-runs";
import { colour, print, printJson, remark } from "#cli/io";
import { StatusLine } from "#cli/status-line";
import { describe, HarnessError } from "#harness/errors";
import { withHelp } from "./options.ts";

interface Options {
  readonly seed?: string;
  readonly seconds: number;
  readonly from: number;
  readonly count?: number;
  readonly workers: number;
  readonly keep: number;
  readonly out: string;
  readonly json?: true;
}

export function searchCommand(): Command {
  const command = new Command("search")
    .description("search state resolution v2 (room version 11) and v2.1 (12) for state resets")
    .option("--seconds <n>", "how long to search", of("--seconds", countingNumber), 60)
    .option(
      "--seed <text>",
      "decides the histories; drawn and printed unless given",
      of("--seed", seedText),
    )
    .option("--from <n>", "number of the first history", of("--from", wholeNumber), 0)
    .option("--count <n>", "end after so many histories", of("--count", countingNumber))
    .option(
      "--workers <n>",
      "how many cores",
      of("--workers", countingNumber),
      availableParallelism(),
    )
    .option(
      "--keep <n>",
      "how many findings of each class, the smallest ones",
      of("--keep", countingNumber),
      3,
    )
    .option("--out <folder>", "where DAG files of findings go", ".runs/search")
    .option(
      "--json",
      "an object {seed, seconds, workers, histories, cases, casesPerSecond, resets, findings: [{class, events, versions, file, seed, number, story}]}",
    )
    .action(search);
  return withHelp(command, "search", {
    notes: `Each history is decided by the seed and its number. Events of a finding are counted beside the creation of the room:
create event, its sender's join, power levels, join rules. Classes and what counts as a case: docs/search.md.`,
    examples: ["--seconds 10", "--seed 7 --from 4211 --count 1", "--seconds 60 --json"],
  });
}

/** Tells as well which option it is, and where the help is. */
function of<T>(flag: string, parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
      throw new HarnessError(error.code, {
        what: `${flag}: ${error.what}`,
        next: "crucible search --help",
      });
    }
  };
}

async function search(options: Options): Promise<void> {
  const { seed = drawnSeed(), seconds, from, count, workers, keep, out, json } = options;
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  remark(`seed ${seed}, ${seconds} s on ${workers} ${workers === 1 ? "core" : "cores"}`);
  const result = await withStatus((onProgress) =>
    searchAtRandom({
      seed,
      from,
      ...(count === undefined ? {} : { count }),
      seconds,
      workers,
      most: keep,
      signal: stop.signal,
      onProgress,
    }),
  );
  const files = writeFindings(result.findings, seed, out);
  if (json) printResultJson(result, { seed, workers }, files);
  else printResult(result, seed, files);
  if (stop.signal.aborted) {
    throw new HarnessError("INTERRUPTED", { what: `interrupted; the seed was ${seed}` });
  }
}

type OnProgress = (tally: Tally, findings: readonly Finding[]) => void;

async function withStatus(run: (onProgress: OnProgress) => Promise<RandomResult>) {
  using status = new StatusLine();
  const started = Date.now();
  return await run((tally, findings) =>
    status.show(() => {
      const passed = (Date.now() - started) / 1_000;
      const rate = Math.round(tally.cases / passed);
      return `${passed.toFixed(0)} s, ${tally.cases} cases, ${rate} a second; ${smallestOf(findings)}`;
    }),
  );
}

/** As in: A 3 events, D 2 events. */
function smallestOf(findings: readonly Finding[]): string {
  const smallest = new Map<string, number>();
  for (const finding of findings) {
    const { resetClass } = finding;
    if (!smallest.has(resetClass)) smallest.set(resetClass, sizeOf(finding));
  }
  if (smallest.size === 0) return "nothing found";
  return [...smallest].map(([name, size]) => `${name} ${size} events`).join(", ");
}

/** @throws HarnessError BAD_FILE */
function writeFindings(
  findings: readonly Finding[],
  seed: string,
  folder: string,
): readonly string[] {
  try {
    if (findings.length > 0) mkdirSync(folder, { recursive: true });
    return findings.map((finding) => {
      const id = `${finding.resetClass.toLowerCase()}-${seed}-${finding.number}`;
      const file = path.join(folder, `${id}.json`);
      writeFileSync(file, `${JSON.stringify(findingFile(finding, id), null, 1)}\n`);
      return file;
    });
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `findings can not be written to ${folder}`,
      facts: [describe(cause)],
      next: "name another folder with --out",
      cause,
    });
  }
}

function printResult(
  { findings, tally, seconds }: RandomResult,
  seed: string,
  files: readonly string[],
): void {
  for (const [at, finding] of findings.entries()) {
    const { resetClass, resets, situation, number, deedsBefore } = finding;
    const size = `${sizeOf(finding)} of ${deedsBefore} events`;
    print(
      `${colour.red(resetClass)} in ${versionsOf(resets).join(" and ")}, ${size}, ${files[at]}`,
    );
    for (const line of storyOf(situation)) print(`  ${line}`);
    print(colour.dim(`  crucible search --seed ${seed} --from ${number} --count 1`));
  }
  const rate = Math.round(tally.cases / seconds);
  const { histories, cases, resets } = tally;
  print(`${cases} cases of ${histories} histories in ${seconds.toFixed(1)} s, ${rate} a second`);
  print(
    `resets: ${Object.entries(resets)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ")}`,
  );
}

function printResultJson(
  { findings, tally, seconds }: RandomResult,
  origin: { readonly seed: string; readonly workers: number },
  files: readonly string[],
): void {
  printJson({
    ...origin,
    seconds,
    ...tally,
    casesPerSecond: Math.round(tally.cases / seconds),
    findings: findings.map((finding, at) => ({
      class: finding.resetClass,
      events: sizeOf(finding),
      versions: versionsOf(finding.resets),
      file: files[at],
      seed: origin.seed,
      number: finding.number,
      story: storyOf(finding.situation),
    })),
  });
}
