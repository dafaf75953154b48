/** `npm run fuzz`: mutated events through parsing, signatures, authorization and state resolution. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import {
  countingNumber,
  drawnSeed,
  runToItsEnd,
  seedText,
  spoiltOr,
  wholeNumber,
} from "#cli/generated-runs";
import { colour, print, printJson, remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { MUTANTS } from "./mutants.ts";
import { type Finding, fuzzRoom, newTally, RECEIVER, type Tally } from "./run.ts";

interface Options {
  readonly count: number;
  readonly from: number;
  readonly seed: string;
  readonly mutant?: string;
  readonly out: string;
  readonly json?: true;
}

const MAX_FINDINGS = 5;
const PROGRESS_MS = 5_000;

const HELP = `
Events of rooms that a real Synapse made, and of generated DAGs, are changed in up to four places each. Demanded is that
nothing throws but the parser by its own errors, that none is taken whose hash or signature is of something else, that no
rejected event is part of the state, and that the state does not depend on the order in which events come.

Exit codes: 0 nothing found, 1 findings, 2 usage, 130 interrupted.

Examples:
  npm run fuzz -- --count 100000
  npm run fuzz -- --seed 7 --from 4211 --count 1
  npm run fuzz -- --mutant trusts-signatures      (it must find something)`;

async function fuzz({ count, from, seed, mutant, out, json }: Options): Promise<void> {
  const receiver = spoiltOr(mutant, MUTANTS, RECEIVER);
  const tally = newTally();
  const findings: Finding[] = [];
  const started = Date.now();
  let lastProgress = started;
  let isInterrupted = false;
  process.once("SIGINT", () => {
    isInterrupted = true;
  });
  remark(`seed ${seed}, ${count} mutated events`);
  for (let room = from; tally.events < count && findings.length < MAX_FINDINGS; room++) {
    const finding = fuzzRoom(seed, room, receiver, tally);
    if (finding !== undefined) findings.push(finding);
    if (room % 16 === 0) await new Promise(setImmediate);
    if (isInterrupted) throw new HarnessError("INTERRUPTED", { what: `the seed was ${seed}` });
    if (Date.now() - lastProgress < PROGRESS_MS) continue;
    lastProgress = Date.now();
    remark(colour.dim(`${tally.events} of ${count}`));
  }
  const seconds = (Date.now() - started) / 1000;
  const files = await writeFindings(findings, seed, out);
  if (json) printJson({ seed, seconds, ...tally, findings });
  else printResult(tally, findings, files, seed, seconds);
  if (findings.length > 0) process.exitCode = 1;
}

async function writeFindings(
  findings: readonly Finding[],
  seed: string,
  folder: string,
): Promise<readonly string[]> {
  if (findings.length > 0) await mkdir(folder, { recursive: true });
  return Promise.all(
    findings.map(async (finding) => {
      const target = path.join(folder, `seed-${seed}-${finding.number}.json`);
      await writeFile(target, `${JSON.stringify(finding, null, 1)}\n`);
      return target;
    }),
  );
}

function printResult(
  tally: Tally,
  findings: readonly Finding[],
  files: readonly string[],
  seed: string,
  seconds: number,
): void {
  for (const [at, { number, version, problem }] of findings.entries()) {
    print(`${colour.red("found")} in a room of version ${version}: ${problem}`);
    print(`  events: ${files[at]}`);
    print(`  again: npm run fuzz -- --seed ${seed} --from ${number} --count 1`);
  }
  const { events, rooms, unreadable, unsigned, redacted, whole, elsewhere, rejected } = tally;
  print(`${events} mutated events in ${rooms} rooms, ${seconds.toFixed(1)} s, seed ${seed}`);
  print(
    `${unreadable} unreadable, ${unsigned} not rightly signed, ${redacted} redacted by their hash, ` +
      `${whole} unchanged in what is signed; ${elsewhere} of other rooms; the rules rejected ${rejected}`,
  );
  if (findings.length === 0) print(colour.green("nothing found"));
}

await runToItsEnd(
  new Command("npm run fuzz --")
    .description("take mutated events through parsing, signatures, authorization and resolution")
    .option("--count <n>", "how many mutated events, at least", countingNumber, 5_000)
    .option(
      "--seed <text>",
      "decides the mutations; drawn and printed unless given",
      seedText,
      drawnSeed(),
    )
    .option("--from <n>", "number of the first room", wholeNumber, 0)
    .option("--mutant <name>", `spoil the receiver: ${Object.keys(MUTANTS).join(", ")}`)
    .option("--out <folder>", "where the events of findings go", ".runs/fuzz")
    .option("--json", "an object {seed, seconds, rooms, events, …, findings}")
    .addHelpText("after", HELP)
    .showHelpAfterError("next: npm run fuzz -- --help")
    .exitOverride()
    .action(fuzz),
);
