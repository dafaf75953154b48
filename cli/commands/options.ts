import type { Command } from "commander";

/** Parser of an option that may be given several times, for commander. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

export interface HelpParts {
  /** Arguments and options that work, without `crucible <command>`. */
  readonly examples: readonly string[];
  readonly notes?: string;
}

/** Ends a command's help with notes and examples, and its usage errors with the way to that help. */
export function withHelp(command: Command, name: string, { examples, notes }: HelpParts): Command {
  const lines = examples.map((example) => `  ${`crucible ${name} ${example}`.trimEnd()}`);
  const paragraphs = [...(notes === undefined ? [] : [notes]), `Examples:\n${lines.join("\n")}`];
  return command
    .addHelpText("after", `\n${paragraphs.join("\n\n")}`)
    .showHelpAfterError(`next: crucible ${name} --help`);
}
