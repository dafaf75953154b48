/** The configuration file, with the line of each setting. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from "yaml";
import { describe, HarnessError } from "#harness/errors";

/** Looked for in the current folder. */
export const CONFIG_FILES = ["crucible.config.yaml", "crucible.yaml"] as const;

export interface ConfigFile {
  /** As messages show it. */
  readonly name: string;
  /** By key, with the 1-based line that holds the key. */
  readonly values: ReadonlyMap<string, { readonly value: unknown; readonly line: number }>;
}

/**
 * The configuration file: the named one, else the one that `folder` holds, else undefined.
 *
 * @throws HarnessError BAD_CONFIG with file and line.
 */
export function readConfigFile(
  named: string | undefined,
  folder: string = process.cwd(),
): ConfigFile | undefined {
  const name = named ?? discover(folder);
  if (name === undefined) return undefined;
  return { name, values: valuesOf(name, read(name, folder)) };
}

function discover(folder: string): string | undefined {
  const [first, second] = CONFIG_FILES.filter((name) => existsSync(path.join(folder, name)));
  if (second === undefined) return first;
  throw new HarnessError("BAD_CONFIG", {
    what: `there are two configuration files, ${first} and ${second}`,
    next: "remove one of them, or name the one that counts with --config",
  });
}

function read(name: string, folder: string): string {
  try {
    return readFileSync(path.resolve(folder, name), "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_CONFIG", {
      what: `${name} can not be read`,
      facts: [describe(cause)],
      next: "check the path given with --config",
      cause,
    });
  }
}

function valuesOf(name: string, source: string): ConfigFile["values"] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const [problem] = document.errors;
  if (problem !== undefined) throw bad(name, lineAt(problem.pos[0]), problem.message);
  if (document.contents === null) return new Map();
  if (!isMap(document.contents)) {
    throw bad(
      name,
      lineAt(document.contents.range?.[0] ?? 0),
      "expected settings, one `name: value` a line",
    );
  }
  const lineOfKey = keyLines(name, document.contents, lineAt);
  let plain: ReadonlyMap<unknown, unknown>;
  try {
    // As a map: a key such as __proto__ stays a key, to be refused like any unknown one.
    plain = document.toJS({ mapAsMap: true });
  } catch (cause) {
    throw bad(name, 1, `its aliases can not be resolved: ${describe(cause)}`);
  }
  return new Map(
    [...lineOfKey].map(([key, { raw, line }]) => [key, { value: plain.get(raw), line }]),
  );
}

function keyLines(name: string, contents: YAMLMap, lineAt: (offset: number) => number) {
  return new Map(
    contents.items.map(({ key }) => {
      if (!isScalar(key)) throw bad(name, 1, "expected the name of a setting before each colon");
      return [String(key.value), { raw: key.value, line: lineAt(key.range?.[0] ?? 0) }];
    }),
  );
}

function bad(name: string, line: number, what: string): HarnessError {
  return new HarnessError("BAD_CONFIG", {
    what: `${name}:${line}: ${what}`,
    next: "the file is YAML, one `name: value` a line; docs/configuration.md lists the names",
  });
}
