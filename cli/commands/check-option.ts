/** `--check` of commands that tell plans: which checkers judge. */
import type { Command } from "commander";
import { CHECKERS } from "#chaos/checkers/checkers";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { collect } from "./options.ts";

export function addCheckOption(command: Command): Command {
  return command.option("--check <name>", "only this checker (repeatable)", collect, []);
}

/** Undefined: all. @throws HarnessError BAD_USAGE */
export function checkersOf(names: readonly string[]): readonly string[] | undefined {
  const known = CHECKERS.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `there is no checker ${unknown}`,
      next: didYouMean(unknown, known),
    });
  }
  return names.length === 0 ? undefined : names;
}
