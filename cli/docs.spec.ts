/** What pages tell is there: their links, the files that they name, and every command with its flags. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { beforeAll, expect, test } from "vitest";
import { COMMANDS } from "./main.ts";
import { shellWords } from "./shell-words-for-specs.ts";

const ROOT = path.resolve(import.meta.dirname, "..");
const FOLDERS = readdirSync(ROOT, { withFileTypes: true }).filter(
  (entry) => entry.isDirectory() && !/^(\.|node_modules$|dist$)/.test(entry.name),
);
const PAGES = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...FOLDERS.flatMap(({ name }) =>
    readdirSync(path.join(ROOT, name), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".md"))
      .map((file) => path.join(name, file)),
  ),
];
const MANIFEST = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8"));
/** Written where something is left out, or begins a comment: what comes after it is no word of the command. */
const END = /^(#|&&|\|\|?|;|>)/;
const LEFT_OUT = "…";
/** By `init` and by hand, as pages tell. */
const MADE_BY_USERS = ["chaos/corpus", "drivers/conduit"];

const COMMANDS_BY_NAME = new Map<string, Command>();
beforeAll(async () => {
  for (const [name, load] of Object.entries(COMMANDS)) COMMANDS_BY_NAME.set(name, await load());
});

const textOf = (page: string) => readFileSync(path.join(ROOT, page), "utf8");

/** A page in parts: its text, its inline code, and the lines of its blocks of commands. */
function partsOf(page: string) {
  const blocks: string[] = [];
  const text = textOf(page).replace(/^```(\w*)\n([\s\S]*?)^```$/gm, (_, language, block) => {
    if (language === "sh") blocks.push(...block.replaceAll("\\\n", " ").split("\n"));
    return "";
  });
  const inline = [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replace(/\s+/g, " "));
  return { text: text.replace(/`[^`]+`/g, ""), whole: text, inline, blocks };
}

/** Names that GitHub gives to headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of partsOf(page).whole.matchAll(/^#+ (.+)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}\-_ ]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

function deadLinks(page: string): readonly string[] {
  const links = [...partsOf(page).text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    if (/^(https?|mailto):/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? page : path.join(path.dirname(page), file);
    if (!existsSync(path.join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).has(anchor);
  });
}

/** Paths from the root as code, such as `cli/drivers.ts`; not those with stars or names to fill in. */
function missingFiles(page: string): readonly string[] {
  const places = FOLDERS.map(({ name }) => name).join("|");
  const named = new RegExp(`^(${places})/[\\w./-]*$`);
  return partsOf(page)
    .inline.map((code) => code.split(":")[0] ?? "")
    .filter((code) => named.test(code) && !MADE_BY_USERS.includes(code))
    .filter((code) => !existsSync(path.join(ROOT, code)));
}

/** Of the command alone: without what is set for it, and what comes after it. */
function words(line: string): readonly string[] {
  const all = shellWords(line);
  const bare = all.slice(all.findIndex((word) => !/^[A-Z_]+=/.test(word)));
  const end = bare.findIndex((word) => END.test(word));
  return end < 0 ? bare : bare.slice(0, end);
}

/** What follows `crucible`, however it is called; undefined when something else is. */
function callOf(line: string): readonly string[] | undefined {
  const [first, ...rest] = words(line);
  if (first === "crucible") return rest;
  if (first === "npx" && rest[0] === "crucible") return rest.slice(1);
  const asScript = words(line)
    .join(" ")
    .match(/^npm run (-s )?crucible -- /);
  return asScript === null ? undefined : words(line).slice(asScript[1] === undefined ? 4 : 5);
}

/** Why nobody can call it so. */
function wrongCall([name = LEFT_OUT, ...rest]: readonly string[]): string | undefined {
  if (name === LEFT_OUT || name.startsWith("-")) return undefined;
  const command = COMMANDS_BY_NAME.get(name);
  return command === undefined ? `there is no command ${name}` : wrongUse(command, rest);
}

function wrongUse(command: Command, words: readonly string[]): string | undefined {
  const [first = LEFT_OUT, ...rest] = words;
  if (command.commands.length > 0 && first !== LEFT_OUT && !first.startsWith("-")) {
    const troubles = first.split("|").map((name) => {
      const child = command.commands.find((one) => one.name() === name);
      return child === undefined ? `${command.name()} has no ${name}` : wrongUse(child, rest);
    });
    return troubles.find((trouble) => trouble !== undefined);
  }
  const unknown = words.find((word) => word.startsWith("-") && !hasFlag(command, word));
  return unknown === undefined ? undefined : `${command.name()} has no ${unknown}`;
}

function hasFlag({ options }: Command, word: string): boolean {
  const [flag] = word.split("=");
  if (flag === "--help" || flag === "-h") return true;
  return options.some(({ long, short }) => long === flag || short === flag);
}

/** `npm run NAME`, `npm NAME` and `npx vitest run FILE`. */
function wrongScript(line: string): string | undefined {
  const all = words(line);
  if (all[0] === "npx" && all[1] === "vitest") {
    const missing = all.slice(3).find((file) => !existsSync(path.join(ROOT, file)));
    return missing === undefined ? undefined : `there is no ${missing}`;
  }
  if (all[0] !== "npm") return undefined;
  const [verb, name] = all.slice(1).filter((word) => !word.startsWith("-"));
  const script = verb === "run" ? name : verb;
  if (verb !== "run" && !["start", "test"].includes(verb ?? "")) return undefined;
  return script === undefined || script in MANIFEST.scripts ? undefined : `no script ${script}`;
}

test.each(PAGES)("the links of %s lead somewhere", (page) => {
  expect(deadLinks(page)).toEqual([]);
});

test.each(PAGES)("the files that %s names are there", (page) => {
  expect(missingFiles(page)).toEqual([]);
});

test.each(PAGES)("the commands of %s are there, with their flags", (page) => {
  const { inline, blocks } = partsOf(page);
  const lines = [...inline, ...blocks].flatMap((line) => line.split(/ && (?=\S)/));
  const wrong = lines.flatMap((line) => {
    const call = callOf(line);
    const trouble =
      call === undefined ? (wrongScript(line) ?? wrongInShort(line)) : wrongCall(call);
    return trouble === undefined ? [] : [`${line}: ${trouble}`];
  });
  expect(wrong).toEqual([]);
});

/** Pages also write `run --baseline <file>`, and of commands within commands the last word. */
function wrongInShort(line: string): string | undefined {
  const [name = "", ...rest] = words(line);
  if (!rest[0]?.startsWith("--")) return undefined;
  const all = [...COMMANDS_BY_NAME.values()];
  const meant = [...all, ...all.flatMap(({ commands }) => commands)].filter(
    (command) => command.name() === name,
  );
  const troubles = meant.map((command) => wrongUse(command, rest));
  return troubles.includes(undefined) ? undefined : troubles[0];
}
