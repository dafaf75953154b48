/** What a shell may complete, asked of the commands themselves: no list of them is kept anywhere. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Argument, Command, Option } from "commander";
import { PROJECT_ROOT } from "#harness/requirements/catalogue";
import { TOPOLOGIES } from "#scenarios/topologies/topologies";

/** Every command, by name; loaded only when it is asked. */
export type Commands = Readonly<Record<string, () => Promise<Command>>>;

/** @param words behind `crucible`; the last is the one to complete, and may be empty */
export async function complete(
  words: readonly string[],
  commands: Commands,
): Promise<readonly string[]> {
  const before = words.slice(0, -1);
  const begun = words.at(-1) ?? "";
  return (await following(before, begun, commands)).filter((word) => word.startsWith(begun));
}

async function following(
  [name, ...before]: readonly string[],
  begun: string,
  commands: Commands,
): Promise<readonly string[]> {
  if (name === undefined) return Object.keys(commands);
  if (!Object.hasOwn(commands, name)) return [];
  let command = await commands[name]?.();
  for (const word of before) {
    command = command?.commands.find((child) => child.name() === word) ?? command;
  }
  if (command === undefined) return [];
  const flag = before.at(-1) ?? "";
  const option = command.options.find(({ long, short }) => flag === long || flag === short);
  if (option !== undefined && (option.required || option.optional)) return wordsOf(option);
  if (begun.startsWith("-")) {
    return [...command.options.flatMap(({ long }) => long ?? []), "--help"];
  }
  const children = command.commands.map((child) => child.name());
  return children.length > 0 ? children : command.registeredArguments.flatMap(wordsOf);
}

/** None where a shell does better by itself: with files. */
function wordsOf(taken: Option | Argument): readonly string[] {
  const { argChoices, parseArg } = taken;
  if (argChoices !== undefined) return argChoices;
  if (parseArg !== undefined && "known" in parseArg && Array.isArray(parseArg.known))
    return parseArg.known;
  if (/^ids?\b/.test(taken.name())) return requirementIds();
  if (taken.name() === "suite") return suites();
  return taken.name() === "topology" ? TOPOLOGIES.map((topology) => topology.name) : [];
}

function suites(): readonly string[] {
  const folders = readdirSync(path.join(PROJECT_ROOT, "suites"), { withFileTypes: true });
  return folders.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** By their lines: to parse the catalogue takes a second, at each press of the key. */
function requirementIds(): readonly string[] {
  return suites().flatMap((suite) => {
    const file = path.join(PROJECT_ROOT, "suites", suite, "requirements.yaml");
    return Array.from(readFileSync(file, "utf8").matchAll(/^- id: (\S+)$/gm), ([, id = ""]) => id);
  });
}
