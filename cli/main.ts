/** Entry point: commands, help, and the translation of errors into exit codes. */
import { Command, CommanderError } from "commander";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { colour, remark } from "./io.ts";
import { exitCodeOf, troubleText } from "./trouble.ts";

/** Loaded only when they are called: `list` has to answer faster than Vitest or Docker's client load. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  run: async () => (await import("./commands/run.ts")).runCommand(),
  mutants: async () => (await import("./commands/run.ts")).mutantsCommand(),
  audit: async () => (await import("./commands/audit.ts")).auditCommand(),
  list: async () => (await import("./commands/list.ts")).listCommand(),
  explain: async () => (await import("./commands/explain.ts")).explainCommand(),
  up: async () => (await import("./commands/up.ts")).upCommand(),
  clean: async () => (await import("./commands/clean.ts")).cleanCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  diff: async () => (await import("./commands/diff.ts")).diffCommand(),
  gate: async () => (await import("./commands/gate.ts")).gateCommand(),
  recall: async () => (await import("./commands/recall.ts")).recallCommand(),
  expect: async () => (await import("./commands/expect.ts")).expectCommand(),
  resolve: async () => (await import("./commands/resolve.ts")).resolveCommand(),
  search: async () => (await import("./commands/search.ts")).searchCommand(),
  chaos: async () => (await import("./commands/chaos.ts")).chaosCommand(),
  replay: async () => (await import("./commands/replay.ts")).replayCommand(),
  tardis: async () => (await import("./commands/tardis.ts")).tardisCommand(),
  utd: async () => (await import("./commands/utd.ts")).utdCommand(),
  kubernetes: async () => (await import("./commands/kubernetes.ts")).kubernetesCommand(),
  call: async () => (await import("./commands/call.ts")).callCommand(),
  lint: async () => (await import("./commands/lint.ts")).lintCommand(),
  init: async () => (await import("./commands/init.ts")).initCommand(),
  completion: async () => (await import("./commands/completion.ts")).completionCommand(COMMANDS),
};

const HELP = `
Examples:
  crucible run                                  every suite on Synapse as a process
  crucible run --hs docker:my-image --suite core
  crucible run 'CS.push.*' --hs process:synapse@1.150.0
  crucible explain CS.push.own-event-clears
  crucible diff .runs/<a> .runs/<b>

Exit codes: 0 as expected, 1 regressions, 2 usage or configuration, 3 infrastructure, 4 nothing ran, 130 interrupted`;

export async function main(argv: readonly string[]): Promise<void> {
  const name = argv.find((argument) => !argument.startsWith("-"));
  const program = new Command("crucible")
    .description("conformance and chaos tests for Matrix homeservers")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(colour.red(text)) })
    .addHelpText("after", HELP);
  if (name !== undefined && !(name in COMMANDS) && name !== "help") {
    throw new HarnessError("BAD_USAGE", {
      what: `there is no command ${name}`,
      next: didYouMean(name, Object.keys(COMMANDS)),
    });
  }
  for (const [key, load] of Object.entries(COMMANDS)) {
    const isAsked = key === name || name === undefined || name === "help";
    if (isAsked) program.addCommand(strict(await load()));
  }
  await program.parseAsync(argv, { from: "user" });
}

/** Commander does not hand these down to commands that were made elsewhere. */
function strict(command: Command): Command {
  command.exitOverride().showSuggestionAfterError(true);
  for (const child of command.commands) strict(child);
  return command;
}

/** The command line as a program: whatever goes wrong becomes a message and an exit code. */
export async function start(): Promise<void> {
  // What nobody waits for and nobody catches: results on disk stay, and 1 would mean a regression.
  process.on("uncaughtException", (error) => {
    remark(`${colour.red("error")} ${troubleText(error)}`);
    process.exit(3);
  });
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    // Commander has already said its own.
    if (!(error instanceof CommanderError)) remark(`${colour.red("error")} ${troubleText(error)}`);
  }
}

if (import.meta.main) await start();
