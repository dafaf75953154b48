/** `crucible search`: looks for state resets in state resolution alone. Needs no server. */
import { availableParallelism } from "node:os";
import { Command } from "commander";
import { countingNumber, drawnSeed, seedText, wholeNumber } from "#cli/generated-runs";
import { exhaustiveSearch } from "#cli/search/exhaustive";
import { randomSearch } from "#cli/search/random";
import { HarnessError } from "#harness/errors";
import { withHelp } from "./options.ts";

interface Options {
  readonly seed?: string;
  readonly seconds?: number;
  readonly from?: number;
  readonly count?: number;
  readonly exhaustive?: true;
  readonly size?: number;
  readonly resume?: true;
  readonly workers: number;
  readonly keep: number;
  readonly out: string;
  readonly json?: true;
}

const SECONDS = 60;
const SIZE = 6;
/** What only one of the two ways to search knows. */
const OF_RANDOM = ["seed", "seconds", "from", "count"] as const;
const OF_EXHAUSTIVE = ["size", "resume"] as const;

export function searchCommand(): Command {
  const command = new Command("search")
    .description("search state resolution v2 (room version 11) and v2.1 (12) for state resets")
    .option("--seconds <n>", `how long; ${SECONDS} unless given`, of("--seconds", countingNumber))
    .option(
      "--seed <text>",
      "decides the histories; drawn and printed unless given",
      of("--seed", seedText),
    )
    .option("--from <n>", "number of the first history", of("--from", wholeNumber))
    .option("--count <n>", "end after so many histories", of("--count", countingNumber))
    .option("--exhaustive", "instead all histories up to a size, up to symmetry")
    .option("--size <n>", `events of those; ${SIZE} unless given`, of("--size", countingNumber))
    .option("--resume", "go on with the exhaustive search that was stopped in --out")
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
      "an object {seconds, cases, casesPerSecond, findings: [{class, events, versions, file, story, …}], …}",
    )
    .action(search);
  return withHelp(command, "search", {
    notes: `Each history of a random search is decided by the seed and its number. Events of a finding are counted beside the
creation of the room: create event, its sender's join, power levels, join rules. The classes (A to D), what counts as a
case, and what the exhaustive search is exhaustive over: docs/search.md.`,
    examples: [
      "--seconds 10",
      "--seed 7 --from 4211 --count 1",
      "--seconds 60 --json",
      "--exhaustive --size 5",
      "--exhaustive --resume",
    ],
  });
}

/** Tells as well which option it is, and where the help is. */
function of<T>(flag: string, parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
      const { code, what } = error;
      throw new HarnessError(code, { what: `${flag}: ${what}`, next: "crucible search --help" });
    }
  };
}

async function search(options: Options): Promise<void> {
  const { exhaustive, seed = drawnSeed(), seconds = SECONDS, from = 0, size = SIZE } = options;
  refuseWrongOptions(options);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let next: string | undefined;
  if (exhaustive) next = await exhaustiveSearch({ ...options, size }, stop.signal);
  else await randomSearch({ ...options, seed, seconds, from }, stop.signal);
  if (!stop.signal.aborted) return;
  throw new HarnessError("INTERRUPTED", {
    what: exhaustive ? "interrupted" : `interrupted; the seed was ${seed}`,
    ...(next === undefined ? {} : { next }),
  });
}

/** @throws HarnessError BAD_USAGE */
function refuseWrongOptions(options: Options): void {
  const foreign = options.exhaustive ? OF_RANDOM : OF_EXHAUSTIVE;
  const wrong = foreign.find((name) => options[name] !== undefined);
  if (wrong === undefined) return;
  throw new HarnessError("BAD_USAGE", {
    what: `--${wrong} is of no use ${options.exhaustive ? "with" : "without"} --exhaustive`,
    next: "crucible search --help",
  });
}
