/** `npm run differential`: our state resolution and auth rules against Synapse's own, on random DAGs. */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";
import { Command, CommanderError } from "commander";
import { colour, print, printJson, remark } from "#cli/io";
import { exitCodeOf, troubleText } from "#cli/trouble";
import { synapsePython } from "#drivers/synapse/index";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { answerOf, type Resolver } from "./answer.ts";
import { MUTANTS } from "./mutants.ts";
import { type Finding, runDifferential, type Tally } from "./run.ts";
import { SynapseJudge } from "./synapse-judge.ts";

interface Options {
  readonly count: number;
  readonly from: number;
  readonly seed: string;
  readonly versions: string;
  readonly synapse?: string;
  readonly mutant?: string;
  readonly out: string;
  readonly json?: true;
}

const MAX_FINDINGS = 5;
const MAX_JUDGES = 2;
const PROGRESS_MS = 5_000;

const HELP = `
Each DAG is decided by the seed and its number, so a difference is made again by the command that is printed with it.
Compared are the resolved state, the full conflicted set (by Synapse's definition and by its in-memory walk), and for every
event the verdict of the rules on what it cites, the rules about citations, and the state that it needs.

Exit codes: 0 no difference, 1 differences, 2 usage, 3 trouble, 130 interrupted.

Examples:
  npm run differential -- --count 10000
  npm run differential -- --seed 7 --from 4211 --count 1
  npm run differential -- --versions 1,12 --json
  npm run differential -- --mutant no-subgraph      (the judge at work: it must find differences)`;

async function differential(options: Options): Promise<void> {
  const { count, from, seed, out, json } = options;
  const versions = versionsOf(options.versions);
  const resolver = resolverOf(options.mutant);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const python = await synapsePython(options.synapse, { signal: stop.signal, progress: remark });
  const judges = Array.from({ length: Math.min(MAX_JUDGES, availableParallelism()) }, () => {
    return new SynapseJudge(python);
  });
  const started = Date.now();
  let lastProgress = started;
  remark(`seed ${seed}, ${count} DAGs, versions ${versions.map(({ id }) => id).join(", ")}`);
  const interrupted = new Promise<never>((_, reject) => {
    const interrupt = () =>
      reject(new HarnessError("INTERRUPTED", { what: `interrupted; the seed was ${seed}` }));
    if (stop.signal.aborted) interrupt();
    stop.signal.addEventListener("abort", interrupt);
  });
  try {
    const run = runDifferential({
      count,
      from,
      seed,
      versions,
      judges,
      resolver,
      maxFindings: MAX_FINDINGS,
      onProgress: (done) => {
        if (Date.now() - lastProgress < PROGRESS_MS) return;
        lastProgress = Date.now();
        remark(colour.dim(`${done} of ${count}, ${rate(done, started)} a second`));
      },
    });
    const tally = await Promise.race([run, interrupted]);
    const files = await writeFindings(tally.findings, out);
    if (tally.findings.length > 0) process.exitCode = 1;
    const seconds = (Date.now() - started) / 1000;
    if (json) return printJson(tallyData(tally, { seed, versions, seconds, files }));
    for (const [at, finding] of tally.findings.entries()) {
      printFinding(finding, { seed, versions: options.versions, file: files[at] ?? "" });
    }
    print(
      `${tally.dags} DAGs in ${seconds.toFixed(1)} s, ${rate(tally.dags, started)} a second, seed ${seed}`,
    );
    print(
      `${Object.entries(tally.kinds)
        .sort()
        .map(([kind, dags]) => `${dags} ${kind}`)
        .join(
          ", ",
        )}; ${tally.conflicted} with a conflict, ${tally.doublyComputed} computed both ways`,
    );
    print(`${tally.events} events, ${tally.refused} of them refused by what they cite`);
    print(
      tally.findings.length === 0
        ? colour.green("no difference")
        : colour.red(`${tally.findings.length} differences`),
    );
  } finally {
    for (const judge of judges) judge[Symbol.dispose]();
  }
}

function rate(done: number, started: number): number {
  return Math.round((done * 1000) / Math.max(1, Date.now() - started));
}

async function writeFindings(findings: readonly Finding[], out: string): Promise<string[]> {
  if (findings.length === 0) return [];
  await mkdir(out, { recursive: true });
  return Promise.all(
    findings.map(async ({ file }) => {
      const target = path.join(out, `${file.id}.json`);
      await writeFile(target, `${JSON.stringify(writeDagFile(file), null, 1)}\n`);
      return target;
    }),
  );
}

function printFinding(
  { number, version, kind, differences, eventsBefore, file: { events } }: Finding,
  { seed, versions, file }: { seed: string; versions: string; file: string },
): void {
  print(
    `${colour.red("differs")} DAG ${number}, ${kind}, version ${version}, ${events.length} of ${eventsBefore} events`,
  );
  for (const { aspect, ours, theirs } of differences) {
    print(`  ${aspect}: ours ${ours || "nothing more"}; Synapse ${theirs || "nothing more"}`);
  }
  print(`  ${file}`);
  const again = `--seed ${seed} --versions ${versions} --from ${number} --count 1`;
  print(colour.dim(`  npm run differential -- ${again}`));
}

function tallyData(
  { findings, ...figures }: Tally,
  facts: { seed: string; versions: readonly RoomVersion[]; seconds: number; files: string[] },
) {
  return {
    seed: facts.seed,
    versions: facts.versions.map(({ id }) => id),
    seconds: facts.seconds,
    ...figures,
    differences: findings.map(({ number, version, kind, differences }, at) => ({
      number,
      version,
      kind,
      differences,
      file: facts.files[at],
    })),
  };
}

/** `2-12`, `1,12`, or both kinds mixed. */
function versionsOf(text: string): readonly RoomVersion[] {
  const ids = text.split(",").flatMap((part) => {
    const [, from, to] = /^(\d+)-(\d+)$/.exec(part) ?? [];
    if (from === undefined || to === undefined) return [part];
    const length = Math.max(0, Math.min(99, Number(to) - Number(from) + 1));
    return Array.from({ length }, (_, at) => String(Number(from) + at));
  });
  return ids.map((id) => {
    const version = ROOM_VERSIONS.get(id);
    if (version !== undefined) return version;
    throw new HarnessError("BAD_USAGE", {
      what: `there is no room version ${id}`,
      next: "write --versions 2-12 or --versions 1,11,12",
    });
  });
}

function resolverOf(mutant: string | undefined): Resolver {
  if (mutant === undefined) return answerOf;
  const resolver = MUTANTS[mutant];
  if (resolver !== undefined) return resolver;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no mutant ${mutant}`,
    next: didYouMean(mutant, Object.keys(MUTANTS)),
  });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new HarnessError("BAD_USAGE", { what: `${text} is no whole number` });
}

try {
  await new Command("npm run differential --")
    .description("judge our state resolution and auth rules by Synapse's own, on random DAGs")
    .option("--count <n>", "how many DAGs", wholeNumber, 500)
    .option("--seed <text>", "decides the DAGs; drawn and printed unless given", `${drawnSeed()}`)
    .option("--from <n>", "number of the first DAG", wholeNumber, 0)
    .option("--versions <list>", "room versions, taken in turn", "2-12")
    .option("--synapse <version>", "release whose resolver judges; the default one unless given")
    .option("--mutant <name>", `spoil our resolver: ${Object.keys(MUTANTS).join(", ")}`)
    .option("--out <folder>", "where minimal DAG files of differences go", ".runs/differential")
    .option("--json", "an object {seed, versions, seconds, dags, …, differences}")
    .addHelpText("after", HELP)
    .showHelpAfterError("next: npm run differential -- --help")
    .exitOverride()
    .action(differential)
    .parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  // Commander has already said its own.
  if (!(error instanceof CommanderError)) remark(`${colour.red("error")} ${troubleText(error)}`);
}

function drawnSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
