/** What a differential run found, as text and as data, and its DAG files. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { colour, print, printJson } from "#cli/io";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import type { Finding, Result } from "./run.ts";

/** What is needed to make the DAGs again. */
export interface Origin {
  readonly seed: string;
  /** As it was given. */
  readonly versions: string;
  readonly seconds: number;
}

/** Writes the minimal DAG of each finding. Returns their paths. */
export async function writeFindings(
  findings: readonly Finding[],
  folder: string,
): Promise<readonly string[]> {
  if (findings.length > 0) await mkdir(folder, { recursive: true });
  return Promise.all(
    findings.map(async ({ file }) => {
      const target = path.join(folder, `${file.id}.json`);
      await writeFile(target, `${JSON.stringify(writeDagFile(file), null, 1)}\n`);
      return target;
    }),
  );
}

export function printResult(
  { tally, findings }: Result,
  origin: Origin,
  files: readonly string[],
): void {
  for (const [at, finding] of findings.entries()) printFinding(finding, origin, files[at] ?? "");
  const { dags, kinds, conflicted, doublyComputed, events, refused } = tally;
  const { seed, seconds } = origin;
  const rate = Math.round(dags / seconds);
  const byKind = Object.entries(kinds).sort();
  print(`${dags} DAGs in ${seconds.toFixed(1)} s, ${rate} a second, seed ${seed}`);
  print(byKind.map(([kind, count]) => `${count} ${kind}`).join(", "));
  print(
    `${conflicted} with a full conflicted set, ${doublyComputed} computed both ways by Synapse`,
  );
  print(`${events} events, ${refused} of them refused by what they cite`);
  if (findings.length === 0) print(colour.green("no difference"));
  else print(colour.red(findings.length === 1 ? "1 difference" : `${findings.length} differences`));
}

export function printResultJson(
  { tally, findings }: Result,
  origin: Origin,
  files: readonly string[],
): void {
  printJson({
    ...origin,
    ...tally,
    differences: findings.map(({ number, version, kind, differences }, at) => ({
      number,
      version,
      kind,
      differences,
      file: files[at],
    })),
  });
}

function printFinding(finding: Finding, { seed, versions }: Origin, target: string): void {
  const { number, version, kind, differences, eventsBefore, file } = finding;
  const size = `${file.events.length} of ${eventsBefore} events`;
  print(`${colour.red("differs")} DAG ${number}, ${kind}, version ${version}, ${size}`);
  for (const { aspect, ours, theirs } of differences) {
    print(`  ${aspect}: ours ${ours || "nothing more"}; Synapse ${theirs || "nothing more"}`);
  }
  print(`  ${target}`);
  const again = `--seed ${seed} --versions ${versions} --from ${number} --count 1`;
  print(colour.dim(`  npm run differential -- ${again}`));
}
