/** `crucible init`: what a new suite, driver or scenario begins with, so that it runs before anything of it is written. */
import { existsSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { driverScaffold } from "#cli/init/driver";
import { checkName, type Scaffold, writeScaffold } from "#cli/init/scaffold";
import { scenarioScaffold } from "#cli/init/scenario";
import { suiteScaffold } from "#cli/init/suite";
import { print } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { loadCatalogue, PROJECT_ROOT } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import { generateFiles, writeFiles } from "#harness/requirements/generate";
import { withHelp } from "./options.ts";

const KINDS = {
  suite: { of: suiteScaffold, description: "requirements and checks of an MSC or spec area" },
  driver: { of: driverScaffold, description: "how a homeserver is started as a process" },
  scenario: { of: scenarioScaffold, description: "a story for several servers, as a plan" },
} as const;

const EXAMPLES = { suite: "msc4306", driver: "conduit", scenario: "name-in-a-split" } as const;

export function initCommand(): Command {
  const command = new Command("init").description(
    "begin a suite, a driver or a scenario, in a checkout of crucible",
  );
  for (const kind of ["suite", "driver", "scenario"] as const) {
    const { of, description } = KINDS[kind];
    const child = new Command(kind)
      .description(description)
      .argument("<name>", `for example ${EXAMPLES[kind]}`)
      .action((name: string) => init(kind, of(checkName(name))));
    command.addCommand(withHelp(child, `init ${kind}`, { examples: [EXAMPLES[kind]] }));
  }
  return withHelp(command, "init", {
    notes:
      "What is there is never overwritten. A suite runs, and its check is killed by its mutant, before it is edited.",
    examples: Object.entries(EXAMPLES).map(([kind, name]) => `${kind} ${name}`),
  });
}

async function init(kind: keyof typeof KINDS, scaffold: Scaffold): Promise<void> {
  // An installed package is compiled, and the next installation replaces it.
  if (!existsSync(path.join(PROJECT_ROOT, "cli/main.ts"))) {
    throw new HarnessError("BAD_USAGE", {
      what: "this is an installed crucible: nothing can be added to it",
      next: "clone its repository, and call it there: npm run -s crucible -- init …",
    });
  }
  const written = [...writeScaffold(PROJECT_ROOT, scaffold)];
  if (kind === "suite") {
    const [catalogue, index] = await Promise.all([loadCatalogue(), indexChecks()]);
    written.push(...(await writeFiles(generateFiles(catalogue, index))));
  }
  for (const name of written) print(`wrote ${name}`);
  for (const step of scaffold.next) print(`next: ${step}`);
}
