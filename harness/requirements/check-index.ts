/**
 * Which checks exist, read from the text of the suites without running them: `list`, `lint` and the planner need the
 * answer at once, and loading the test files would load the runner too.
 */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { PROJECT_ROOT } from "./catalogue.ts";

export interface IndexedCheck {
  readonly id: string;
  readonly title: string;
  readonly suite: string;
  /** Absolute. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Whether the call names a mutant. Best effort: looks at the text up to the next check. */
  readonly mutants: boolean;
}

/** A call that looks like a check and is none that the scan can read. */
export interface UnreadableCheck {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

export interface CheckIndex {
  /** By file, then line. */
  readonly checks: readonly IndexedCheck[];
  readonly unreadable: readonly UnreadableCheck[];
  readonly byId: ReadonlyMap<string, readonly IndexedCheck[]>;
}

/** Scans `suites/<suite>/**` below `root` (this project unless given) for `*.test.ts`. */
export async function indexChecks(root: string = PROJECT_ROOT): Promise<CheckIndex> {
  const folder = path.join(root, "suites");
  const entries = await readdir(folder, { recursive: true });
  // Compiled in the published package.
  const files = entries.filter((name) => /\.test\.[jt]s$/.test(name)).sort();
  const scans = await Promise.all(
    files.map(async (name) => {
      const file = path.join(folder, name);
      return scanChecks(await readFile(file, "utf8"), file, name.split(path.sep)[0] ?? "");
    }),
  );
  const checks = scans.flatMap((scan) => scan.checks);
  return {
    checks,
    unreadable: scans.flatMap((scan) => scan.unreadable),
    byId: Map.groupBy(checks, ({ id }) => id),
  };
}

const STRING = String.raw`'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"`;
/** What is no code. Templates and strings end with their line, so that a stray quote can not swallow the file. */
const NOT_CODE = new RegExp(
  String.raw`\/\/[^\n]*|(?<=^|[\s({[,;])\/\*[\s\S]*?\*\/|${STRING}|\`(?:[^\`\\\n]|\\.)*\``,
  "gm",
);
const CALL = /(?<![\w$.]|function )check(?:\.\w+)?\s*\(/g;
const FOREIGN_TEST = /^[ \t]*(?:test|it)(?:\.\w+)*\(/gm;
const ARGUMENTS = new RegExp(String.raw`check\s*\(\s*(${STRING})\s*,\s*(${STRING})\s*,`, "y");

/** The checks in one file's text. */
export function scanChecks(text: string, file: string, suite: string): Omit<CheckIndex, "byId"> {
  const code = text.replace(NOT_CODE, (piece) => piece.replace(/[^\n]/g, " "));
  const starts = [...code.matchAll(CALL)].map(({ index }) => index);
  const checks: IndexedCheck[] = [];
  const unreadable: UnreadableCheck[] = [];
  for (const [position, start] of starts.entries()) {
    const line = lineAt(text, start);
    ARGUMENTS.lastIndex = start;
    const [, id, title] = ARGUMENTS.exec(text) ?? [];
    const decodedId = decode(id);
    const decodedTitle = decode(title);
    if (decodedId === undefined || decodedTitle === undefined) {
      const reason =
        "write check(id, title, …) with both as plain quoted strings, so that it can be listed unrun";
      unreadable.push({ file, line, reason });
      continue;
    }
    const mutants = /\bmutant\s*[:,}]/.test(code.slice(start, starts[position + 1]));
    checks.push({ id: decodedId, title: decodedTitle, suite, file, line, mutants });
  }
  for (const { index } of code.matchAll(FOREIGN_TEST)) {
    unreadable.push({
      file,
      line: lineAt(text, index),
      reason: "a test without requirement: use check(id, title, …)",
    });
  }
  return { checks, unreadable };
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** Value of a quoted literal; undefined for escapes other than of quotes and backslashes. */
function decode(literal: string | undefined): string | undefined {
  const inner = literal?.slice(1, -1);
  if (inner === undefined || /\\[^\\'"]/.test(inner.replaceAll("\\\\", ""))) return undefined;
  return inner.replace(/\\(.)/g, "$1");
}
