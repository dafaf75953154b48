/** `npm run differential`: our state resolution and auth rules against Synapse's own, on random DAGs. */
import { availableParallelism } from "node:os";
import { Command } from "commander";
import {
  countingNumber,
  drawnSeed,
  runToItsEnd,
  seedText,
  spoiltOr,
  wholeNumber,
} from "#cli/generated-runs";
import { colour, remark } from "#cli/io";
import { synapsePython } from "#drivers/synapse/index";
import { HarnessError } from "#harness/errors";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { answerOf } from "./answer.ts";
import { MUTANTS } from "./mutants.ts";
import { printResult, printResultJson, writeFindings } from "./report.ts";
import { runDifferential } from "./run.ts";
import { SynapseJudge } from "./synapse-judge.ts";

interface Options {
  readonly count: number;
  readonly from: number;
  readonly seed?: string;
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
  const { count, from, seed = drawnSeed(), out, json } = options;
  const versions = versionsOf(options.versions);
  const resolver = spoiltOr(options.mutant, MUTANTS, answerOf);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const python = await synapsePython(options.synapse, { signal: stop.signal, progress: remark });
  const size = Math.min(MAX_JUDGES, availableParallelism());
  const judges = Array.from({ length: size }, () => new SynapseJudge(python));
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
        remark(colour.dim(`${done} of ${count}`));
      },
    });
    const result = await Promise.race([run, interrupted]);
    const files = await writeFindings(result.findings, out);
    const origin = { seed, versions: options.versions, seconds: (Date.now() - started) / 1000 };
    if (json) printResultJson(result, origin, files);
    else printResult(result, origin, files);
    if (result.findings.length > 0) process.exitCode = 1;
  } finally {
    for (const judge of judges) judge[Symbol.dispose]();
  }
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

await runToItsEnd(
  new Command("npm run differential --")
    .description("judge our state resolution and auth rules by Synapse's own, on random DAGs")
    .option("--count <n>", "how many DAGs", countingNumber, 500)
    .option(
      "--seed <text>",
      "decides the DAGs; drawn and printed unless given",
      seedText,
      drawnSeed(),
    )
    .option("--from <n>", "number of the first DAG", wholeNumber, 0)
    .option("--versions <list>", "room versions, taken in turn", "2-12")
    .option("--synapse <version>", "release whose resolver judges; the default one unless given")
    .option("--mutant <name>", `spoil our resolver: ${Object.keys(MUTANTS).join(", ")}`)
    .option("--out <folder>", "where minimal DAG files of differences go", ".runs/differential")
    .option("--json", "an object {seed, versions, seconds, dags, events, …, differences}")
    .addHelpText("after", HELP)
    .showHelpAfterError("next: npm run differential -- --help")
    .exitOverride()
    .action(differential),
);
