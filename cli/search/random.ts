/** The random search, as the command runs and tells it. */
import { sizeOf } from "#chaos/search/collection";
import type { Finding } from "#chaos/search/random-search";
import { type RandomResult, searchAtRandom } from "#chaos/search/search-at-random";
import { colour, print, printJson, remark } from "#cli/io";
import { StatusLine } from "#cli/status-line";
import { findingData, printFinding, smallestOf, writeFindings } from "./findings.ts";

export interface RandomOptions {
  readonly seed: string;
  readonly seconds: number;
  readonly from: number;
  readonly count?: number;
  readonly workers: number;
  readonly keep: number;
  readonly out: string;
  readonly json?: true;
}

/** Ends soon after the signal, with what was found until then. */
export async function randomSearch(options: RandomOptions, signal: AbortSignal): Promise<void> {
  const { seed, seconds, workers, keep, out, json } = options;
  remark(`seed ${seed}, ${seconds} s on ${workers} ${workers === 1 ? "core" : "cores"}`);
  const result = await withStatus(options, signal);
  const files = writeFindings(result.findings, out, ({ resetClass, number }) =>
    `${resetClass}-${seed}-${number}`.toLowerCase(),
  );
  if (json) printResultJson(result, { seed, workers, keep }, files);
  else printResult(result, seed, files);
}

async function withStatus(options: RandomOptions, signal: AbortSignal): Promise<RandomResult> {
  using status = new StatusLine();
  const started = Date.now();
  return await searchAtRandom({
    ...options,
    most: options.keep,
    signal,
    onProgress: ({ cases }, findings) =>
      status.show(() => {
        const passed = (Date.now() - started) / 1_000;
        const rate = Math.round(cases / passed);
        return `${passed.toFixed(0)} s, ${cases} cases, ${rate} a second; ${smallestOf(findings)}`;
      }),
  });
}

function printResult(
  { findings, tally, seconds, processorSeconds }: RandomResult,
  seed: string,
  files: readonly string[],
): void {
  for (const [at, finding] of findings.entries()) {
    printFinding(finding, `${sizeOf(finding)} of ${finding.deedsBefore} events`, files[at]);
    print(colour.dim(`  crucible search --seed ${seed} --from ${finding.number} --count 1`));
  }
  const rate = Math.round(tally.cases / seconds);
  const { histories, cases, resets } = tally;
  print(
    `${cases} cases of ${histories} histories in ${seconds.toFixed(1)} s, ${rate} a second, ${Math.round(tally.cases / processorSeconds)} a second of processor time`,
  );
  const counts = Object.entries(resets).map(([name, count]) => `${name} ${count}`);
  print(`resets: ${counts.join(", ")}`);
}

function printResultJson(
  { findings, tally, seconds, processorSeconds }: RandomResult,
  origin: { readonly seed: string; readonly workers: number; readonly keep: number },
  files: readonly string[],
): void {
  printJson({
    ...origin,
    seconds,
    ...tally,
    casesPerSecond: Math.round(tally.cases / seconds),
    processorSeconds,
    findings: findings.map((finding: Finding, at) => ({
      ...findingData(finding, files[at]),
      seed: origin.seed,
      number: finding.number,
    })),
  });
}
