/**
 * Files that something new begins with. They are refused as a whole when one of them is there. Names stand only where the
 * formatter would not break a line for a longer one.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { HarnessError } from "#harness/errors";

export interface Scaffold {
  /** Text by path below the project. */
  readonly files: Readonly<Record<string, string>>;
  /** What to do now, a line each. */
  readonly next: readonly string[];
}

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** @throws HarnessError BAD_USAGE for a name that no folder has here */
export function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new HarnessError("BAD_USAGE", {
    what: `${JSON.stringify(name)} can not be its name`,
    next: "begin with a letter, go on in lower case and digits, with hyphens between words: msc4306, my-server",
  });
}

/** @throws HarnessError BAD_USAGE when something of it is there */
export function writeScaffold(root: string, { files }: Scaffold): readonly string[] {
  const names = Object.keys(files);
  // Also what stands beside them: a suite without this README is still a suite.
  const taken = names.find((name) => existsSync(path.join(root, placeOf(name))));
  if (taken !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `${placeOf(taken)} is there already: nothing was written`,
      next: "take another name, or remove it first",
    });
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return names;
}

/** Folder of a suite or a driver; the file of a scenario, which has neighbours. */
function placeOf(name: string): string {
  return name.startsWith("scenarios/") ? name : path.dirname(name);
}
