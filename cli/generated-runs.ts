/** What the scripts share that try our own code on generated input: arguments, seeds, spoilt copies, how they end. */
import { type Command, CommanderError } from "commander";
import { colour, remark } from "#cli/io";
import { exitCodeOf, troubleText } from "#cli/trouble";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

/** A seed is part of a file's name. @throws HarnessError BAD_USAGE */
export function seedText(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text;
  throw new HarnessError("BAD_USAGE", { what: `${text} is no seed: letters, digits, . _ and -` });
}

export function drawnSeed(): string {
  return String(Math.floor(Math.random() * 2 ** 32));
}

/** @throws HarnessError BAD_USAGE */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new HarnessError("BAD_USAGE", { what: `${text} is no whole number` });
}

/** @throws HarnessError BAD_USAGE */
export function countingNumber(text: string): number {
  if (wholeNumber(text) > 0) return wholeNumber(text);
  throw new HarnessError("BAD_USAGE", { what: "a count of 0 would try nothing" });
}

/** The spoilt copy of this name; what is to be trusted when there is no name. @throws HarnessError BAD_USAGE */
export function spoiltOr<Subject>(
  name: string | undefined,
  mutants: Readonly<Record<string, Subject>>,
  trusted: Subject,
): Subject {
  if (name === undefined) return trusted;
  const mutant = mutants[name];
  if (mutant !== undefined) return mutant;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no mutant ${name}`,
    next: didYouMean(name, Object.keys(mutants)),
  });
}

/** Runs the command line; what goes wrong is told and becomes the exit code. */
export async function runToItsEnd(command: Command): Promise<void> {
  try {
    await command.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    // Commander has already said its own.
    if (!(error instanceof CommanderError)) remark(`${colour.red("error")} ${troubleText(error)}`);
  }
}
