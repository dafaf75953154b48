/** Help stays true: every command has examples, and each of them is taken by the command that it is an example of. */
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "#cli/main";
import { runMain } from "#cli/main-for-specs";
import { settingsOf } from "#cli/run-options";
import { shellWords } from "#cli/shell-words-for-specs";

interface Named {
  readonly name: string;
  readonly command: Command;
}

const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
const all = commands.flatMap((command) => withThoseBelow(command));

function withThoseBelow(command: Command, above = ""): readonly Named[] {
  const name = `${above}${command.name()}`;
  return [
    { name, command },
    ...command.commands.flatMap((child) => withThoseBelow(child, `${name} `)),
  ];
}

async function helpOf(...words: readonly string[]): Promise<string> {
  const { stdout, error } = await runMain(...words, "--help");
  expect(error).toMatchObject({ exitCode: 0 });
  return stdout;
}

function examplesIn(help: string): readonly string[] {
  const [, examples = ""] = help.split(/^Examples:$/m);
  return examples.split("\n").filter((line) => /(^| )crucible /.test(line));
}

/** Words behind `crucible`, without what is told beside them, or done with their output. */
function wordsOf(example: string): readonly string[] {
  const [line = ""] = example.trim().split(/ {2,}| [|>] /);
  const words = shellWords(line);
  return words.slice(words.indexOf("crucible") + 1).map((word) => word.replace(/['"]/g, ""));
}

/** Reads a command line without doing what it says. @throws CommanderError or HarnessError for what it can not be */
async function parse([name = "", ...words]: readonly string[]): Promise<void> {
  const command = await COMMANDS[name]?.();
  if (command === undefined) throw new Error(`there is no command ${name}`);
  for (const one of withThoseBelow(command)) {
    one.command.exitOverride().configureOutput({ writeErr: () => undefined });
    if (one.command.commands.length > 0) continue;
    const hasSettings = one.command.options.some(({ long }) => long === "--config");
    one.command.action(() => {
      if (hasSettings) settingsOf(one.command);
    });
  }
  await command.parseAsync(words, { from: "user" });
}

test("all commands are here", () => {
  expect(all.length).toBeGreaterThan(40);
});

describe.each(all)("$name", ({ name, command }) => {
  test("tells what it is for, and has examples that it takes", async () => {
    const help = await helpOf(...name.split(" "));
    const examples = examplesIn(help);

    expect(command.description()).not.toBe("");
    expect(examples).not.toEqual([]);
    for (const example of examples) {
      expect(wordsOf(example).join(" ")).toMatch(new RegExp(`^${name}( |$)`));
      await expect(parse(wordsOf(example)), example).resolves.toBeUndefined();
    }
  });

  test("tells what each argument and each option is for", () => {
    const untold = [...command.registeredArguments, ...command.options].filter(
      ({ description }) => description === "",
    );

    expect(untold).toEqual([]);
  });
});

test("the examples of crucible itself are taken", async () => {
  const examples = examplesIn(await helpOf());

  expect(examples.length).toBeGreaterThan(3);
  for (const example of examples) {
    await expect(parse(wordsOf(example)), example).resolves.toBeUndefined();
  }
});

test.each([
  "run --suit core",
  "rnu",
  "diff one",
  "expect chek x",
  "report x --format junitt",
  "run --auth oicd",
])("%s would be found", async (line) => {
  await expect(parse(line.split(" "))).rejects.toThrow();
});
