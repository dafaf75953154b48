/** `npm run fuzz`: mutated events through parsing, signatures, authorization and state resolution. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { Command, CommanderError } from "commander";
import { colour, print, printJson, remark } from "#cli/io";
import { exitCodeOf, troubleText } from "#cli/trouble";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { MUTANTS } from "./mutants.ts";
import { type Finding, fuzzRoom, RECEIVER, type Receiver, type Tally } from "./run.ts";

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
  const receiver = receiverOf(mutant);
  const tally: Tally = {
    rooms: 0,
    events: 0,
    unreadable: 0,
    unsigned: 0,
    redacted: 0,
    whole: 0,
    elsewhere: 0,
    rejected: 0,
  };
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

function receiverOf(mutant: string | undefined): Receiver {
  if (mutant === undefined) return RECEIVER;
  const receiver = MUTANTS[mutant];
  if (receiver !== undefined) return receiver;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no mutant ${mutant}`,
    next: didYouMean(mutant, Object.keys(MUTANTS)),
  });
}

function seedText(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text;
  throw new HarnessError("BAD_USAGE", { what: `${text} is no seed: letters, digits, . _ and -` });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new HarnessError("BAD_USAGE", { what: `${text} is no whole number` });
}

function countingNumber(text: string): number {
  if (wholeNumber(text) > 0) return wholeNumber(text);
  throw new HarnessError("BAD_USAGE", { what: "no events would try nothing" });
}

try {
  await new Command("npm run fuzz --")
    .description("take mutated events through parsing, signatures, authorization and resolution")
    .option("--count <n>", "how many mutated events, at least", countingNumber, 5_000)
    .option(
      "--seed <text>",
      "decides the mutations; drawn and printed unless given",
      seedText,
      String(Math.floor(Math.random() * 2 ** 32)),
    )
    .option("--from <n>", "number of the first room", wholeNumber, 0)
    .option("--mutant <name>", `spoil the receiver: ${Object.keys(MUTANTS).join(", ")}`)
    .option("--out <folder>", "where the events of findings go", ".runs/fuzz")
    .option("--json", "an object {seed, seconds, rooms, events, …, findings}")
    .addHelpText("after", HELP)
    .showHelpAfterError("next: npm run fuzz -- --help")
    .exitOverride()
    .action(fuzz)
    .parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  // Commander has already said its own.
  if (!(error instanceof CommanderError)) remark(`${colour.red("error")} ${troubleText(error)}`);
}
