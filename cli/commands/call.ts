/** `crucible call`: the call of a check of a stored run as a picture. Needs no server. */
import { statSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { drawCalls } from "#cli/calls/draw";
import { printJson, remark } from "#cli/io";
import { writeTo } from "#cli/tardis/files";
import { HarnessError } from "#harness/errors";
import type { Evidence } from "#harness/results/outcome";
import { readRun, type StoredRun } from "#harness/results/run-directory";
import { didYouMean } from "#harness/suggest";
import { tameLine } from "#reports/finding";
import { withHelp } from "./options.ts";

interface Flags {
  readonly json?: true;
  readonly output?: string;
}

export function callCommand(): Command {
  const command = new Command("call")
    .description("draw the call of a check of a stored run: members, servers, SFU, media over time")
    .argument("<run>", "run directory (.runs/<id>)")
    .argument("<check>", "requirement id; of several checks also the beginning of the title")
    .option("--json", "the lanes as an object, times in epoch milliseconds")
    .option("-o, --output <file>", "standard output unless given")
    .action(call);
  return withHelp(command, "call", {
    notes:
      "Any check of the suite msc4143 can be drawn, also one that passed. Runs draw failures themselves (replay/*.call.svg), with --record all every check.",
    examples: [
      ".runs/<id> RTC.chaos.netsplit-converge -o call.svg",
      ".runs/<id> 'MSC4195.delegate.happy the service keeps' --json",
    ],
  });
}

async function call(run: string, check: string, { json, output }: Flags): Promise<void> {
  const stored = readRun(run);
  const evidence = chosen(stored, check);
  const folder = statSync(run).isDirectory() ? run : path.dirname(run);
  const [drawn] = await drawCalls(folder, [evidence.call]);
  if (drawn === undefined) return;
  const { requirement, check: title } = evidence;
  const result = stored.results.find(
    (one) => one.requirement === requirement && one.check === title,
  );
  const outcome = result?.outcome ?? "not-run";
  const text = json
    ? `${JSON.stringify(drawn.timeline, null, 2)}\n`
    : drawn.picture({ requirement, check: title, outcome });
  if (output !== undefined) {
    writeTo(output, text);
    remark(`written: ${output}`);
  } else if (json) printJson(drawn.timeline);
  else process.stdout.write(text);
}

/** The only check that the argument means. @throws HarnessError BAD_USAGE, BAD_FILE */
function chosen({ path: run, evidence }: StoredRun, check: string): Evidence {
  const all = evidence.filter((one) => one.call !== undefined);
  if (all.length === 0) {
    throw new HarnessError("BAD_FILE", {
      what: `the run ${run} has no check about calls`,
      next: "run one: crucible run --suite msc4143",
    });
  }
  const named = all.filter((one) => `${one.requirement} ${one.check}`.startsWith(check));
  const exact = named.filter((one) => one.requirement === check);
  const found = exact.length > 0 ? exact : named;
  const [first, ...others] = found;
  if (first === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `no check about calls in ${run} is called ${tameLine(check)}`,
      next: didYouMean(
        check,
        all.map((one) => tameLine(one.requirement)),
      ),
    });
  }
  if (others.length > 0) {
    throw new HarnessError("BAD_USAGE", {
      what: `${tameLine(check)} means ${found.length} checks`,
      facts: found.slice(0, 10).map((one) => tameLine(`${one.requirement} ${one.check}`)),
      next: "name one by the beginning of its title, in quotes",
    });
  }
  return first;
}
