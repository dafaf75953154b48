/** `npm run bench`: measured figures, each beside its peer of the same run. */
import { availableParallelism, loadavg } from "node:os";
import { Command, CommanderError } from "commander";
import { colour, print, printJson, remark } from "#cli/io";
import { exitCodeOf, troubleText } from "#cli/trouble";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { type Figure, figureData, figureLine } from "./figure.ts";
import { benchGateway } from "./gateway.ts";
import { benchSearch } from "./search.ts";
import { benchSite } from "./site.ts";
import { benchStartup } from "./startup.ts";
import { benchStateResolution } from "./state-resolution.ts";
import { benchTardis } from "./tardis.ts";
import { benchTardisPage } from "./tardis-page.ts";
import { benchTardisScenario } from "./tardis-scenario.ts";
import { benchThroughput } from "./throughput.ts";

type Bench = () => Promise<readonly Figure[]>;

/** Throughput ends with what lies between a check and its server. */
const BENCHES: Readonly<Record<string, readonly Bench[]>> = {
  startup: [benchStartup],
  throughput: [benchThroughput, benchGateway],
  gateway: [benchGateway],
  "state-resolution": [benchStateResolution],
  search: [benchSearch],
  tardis: [benchTardis, benchTardisScenario, benchTardisPage],
  site: [benchSite],
};

const HELP = `
startup     from the command to the first verdict, beside the bare start of the same Synapse
throughput  checks a second of core, and then gateway
gateway     what the gateway adds to a request, beside the direct connection to the same server
state-resolution
            our resolver beside Synapse's, on rooms of 1,000 and 10,000 events, and small histories a second
search      cases of the search for state resets a second, and its resolutions beside Synapse's of the same cases
tardis      layout of rooms of 1,000, 10,000 and 100,000 events, and reading them, each beside its target; a scenario as a
            link, and explained; where there is a Chromium, the page with all of them as well, and its frames
site        a conformance site of 5,000 checks on 20 deployments: written, opened, narrowed, scrolled, in Chromium

All of it takes about three minutes.

Examples:
  npm run bench
  npm run bench -- startup throughput
  npm run -s bench -- gateway --json`;

async function bench(names: readonly string[], { json }: { readonly json?: true }): Promise<void> {
  const chosen = new Set((names.length > 0 ? names : Object.keys(BENCHES)).flatMap(benchesOf));
  const machine = { cores: availableParallelism(), loadBefore: loadavg()[0] ?? 0 };
  const figures: Figure[] = [];
  for (const run of chosen) {
    const found = await run();
    figures.push(...found);
    if (!json) for (const figure of found) print(figureLine(figure));
  }
  if (json) printJson({ machine, figures: figures.map(figureData) });
  else remark(`${machine.cores} cores, load before ${machine.loadBefore.toFixed(1)}`);
}

function benchesOf(name: string): readonly Bench[] {
  const benches = BENCHES[name];
  if (benches !== undefined) return benches;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no benchmark ${name}`,
    next: didYouMean(name, Object.keys(BENCHES)),
  });
}

// So that what was started is ended: see the exit listeners.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  await new Command("npm run bench --")
    .description("measure what waiting for the harness costs")
    .argument("[names...]", `${Object.keys(BENCHES).join(", ")}; all unless given`)
    .option("--json", "an object {machine, figures: [{name, value, unit, peer?, ratio?}]}")
    .addHelpText("after", HELP)
    .showHelpAfterError("next: npm run bench -- --help")
    .exitOverride()
    .action(bench)
    .parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
  // Commander has already said its own.
  if (!(error instanceof CommanderError)) remark(`${colour.red("error")} ${troubleText(error)}`);
}
