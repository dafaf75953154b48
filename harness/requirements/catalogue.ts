/** The catalogue: every requirement of `suites/<suite>/requirements.yaml`, checked and indexed. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { describe, HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { type Requirement, requirementSchema } from "./requirement.ts";

/** Folder that holds `suites/`, `docs/` and `drivers/`. */
export const PROJECT_ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Catalogue {
  /** In the order of suites, and within a suite of its file. */
  readonly requirements: readonly Requirement[];
  readonly byId: ReadonlyMap<string, Requirement>;
  /** 16 hexadecimal digits over ids, levels and statements: two runs with the same hash asked the same. */
  readonly hash: string;
  /** Suites that have a `requirements.yaml`, sorted. */
  readonly suites: readonly string[];
}

/** So that line 9 comes before line 10. */
const byPlace = new Intl.Collator("en", { numeric: true });

interface Located {
  readonly requirement: Requirement;
  readonly place: string;
}

/**
 * Reads all suites below `root` (this project unless given).
 * Throws BAD_FILE that names every problem as `file:line: what`: bad YAML, an item against the schema, a duplicate id.
 */
export async function loadCatalogue(root: string = PROJECT_ROOT): Promise<Catalogue> {
  const files = await requirementFiles(root);
  const problems: string[] = [];
  const read = await Promise.all(
    files.map(({ suite, file }) => readSuite(root, suite, file, problems)),
  );
  const located = read.flat();
  const byId = indexById(located, problems);
  if (problems.length > 0) {
    throw new HarnessError("BAD_FILE", {
      what: `${problems.length === 1 ? "a problem" : `${problems.length} problems`} in the requirement catalogue`,
      facts: problems.sort(byPlace.compare),
      next: "correct the lines above; harness/requirements/requirement.ts lists the fields",
    });
  }
  const requirements = located.map(({ requirement }) => requirement);
  return {
    requirements,
    byId,
    hash: hashOf(requirements),
    suites: files.map(({ suite }) => suite),
  };
}

async function requirementFiles(root: string): Promise<{ suite: string; file: string }[]> {
  const folder = path.join(root, "suites");
  let entries: { name: string; isDirectory(): boolean }[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw new HarnessError("BAD_FILE", {
      what: "the suites can not be read",
      facts: [describe(error)],
      next: "run from a complete copy of the project",
      cause: error,
    });
  }
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found = await Promise.all(
    names.sort().map(async (suite) => {
      const inside = await readdir(path.join(folder, suite));
      return inside.includes("requirements.yaml") ? [suite] : [];
    }),
  );
  return found
    .flat()
    .map((suite) => ({ suite, file: path.join(folder, suite, "requirements.yaml") }));
}

async function readSuite(
  root: string,
  suite: string,
  file: string,
  problems: string[],
): Promise<Located[]> {
  const counter = new LineCounter();
  const document = parseDocument(await readFile(file, "utf8"), {
    lineCounter: counter,
    prettyErrors: false,
  });
  const name = path.relative(root, file);
  const place = (offset: number) => `${name}:${counter.linePos(offset).line}`;
  if (document.errors.length > 0) {
    problems.push(
      ...document.errors.map(({ pos, message }) => `${place(pos[0])}: not valid YAML: ${message}`),
    );
    return [];
  }
  const { contents } = document;
  if (contents === null) return [];
  if (!isSeq(contents)) {
    problems.push(
      `${place(contents.range?.[0] ?? 0)}: expected a list of requirements, each beginning with "- id:"`,
    );
    return [];
  }
  return contents.items.flatMap((node, index) => {
    const start = place(offsetOf(node) ?? 0);
    const value = plainValue(node, document);
    const result = requirementSchema.safeParse(value);
    if (result.success) return [{ requirement: { ...result.data, suite }, place: start }];
    for (const issue of result.error.issues) {
      if (issue.code === "unrecognized_keys") {
        for (const key of issue.keys) {
          const at = keyOffset(node, key);
          const hint = didYouMean(key, Object.keys(requirementSchema.shape));
          problems.push(`${at === undefined ? start : place(at)}: unknown field ${key}, ${hint}`);
        }
        continue;
      }
      const at = offsetOf(document.getIn([index, ...issue.path], true));
      const field = issue.path.map(String).join(".");
      const isMissing = at === undefined && isMap(node);
      const what = isMissing ? "missing" : issue.message;
      problems.push(
        `${at === undefined ? start : place(at)}: ${field === "" ? what : `${field}: ${what}`}`,
      );
    }
    return [];
  });
}

/** Plain value of a node; an alias without anchor has none, which the schema then refuses. */
function plainValue(node: unknown, document: Document): unknown {
  try {
    return isNode(node) ? node.toJS(document) : node;
  } catch {
    return undefined;
  }
}

function keyOffset(node: unknown, key: string): number | undefined {
  if (!isMap(node)) return undefined;
  const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
  return offsetOf(pair?.key);
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function indexById(
  located: readonly Located[],
  problems: string[],
): ReadonlyMap<string, Requirement> {
  const places = new Map<string, string>();
  for (const { requirement, place } of located) {
    const first = places.get(requirement.id);
    if (first === undefined) places.set(requirement.id, place);
    else problems.push(`${place}: ${requirement.id} is already defined at ${first}`);
  }
  return new Map(located.map(({ requirement }) => [requirement.id, requirement]));
}

function hashOf(requirements: readonly Requirement[]): string {
  const lines = requirements
    .map(({ id, level, statement }) => JSON.stringify([id, level, statement]))
    .sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 16);
}
