import { existsSync, readFileSync } from "node:fs";
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { HarnessError } from "#harness/errors";
import type { ConfigFile } from "./settings.ts";

const NAMES = ["crucible.yaml", "crucible.yml"];

/**
 * The configuration file: the named one, else `crucible.yaml` in the current folder, else none.
 *
 * @throws HarnessError BAD_CONFIG with file and line.
 */
export function readConfigFile(named: string | undefined): ConfigFile | undefined {
  const name = named ?? NAMES.find((candidate) => existsSync(candidate));
  if (name === undefined) return undefined;
  let source: string;
  try {
    source = readFileSync(name, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_CONFIG", { what: `${name} can not be read`, facts: [String(cause)], next: "check the path given with --config", cause });
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new HarnessError("BAD_CONFIG", {
      what: `${name}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split("\n")[0]}`,
      next: "the file is YAML: one `setting: value` a line, see docs/configuration.md",
    });
  }
  if (document.contents === null) return { name, values: {} };
  if (!isMap(document.contents)) {
    throw new HarnessError("BAD_CONFIG", { what: `${name}:1: expected a mapping of settings`, next: "write `suite: [core]` and the like" });
  }
  const values: Record<string, { value: unknown; line: number }> = {};
  for (const { key, value } of document.contents.items) {
    if (!isScalar(key)) continue;
    const line = lines.linePos(key.range?.[0] ?? 0).line;
    const json = (value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null;
    values[String(key.value)] = { value: json, line };
  }
  return { name, values };
}
