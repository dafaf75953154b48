/** Files that people write: YAML that a schema checks, with every problem told by its line. */
import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

export interface FileKind {
  /** As messages call it: `manifest`. */
  readonly what: string;
  /** Where its format is told. */
  readonly format: string;
  /** Fields that an object may have, by its place: names, and numbers for items of lists. */
  readonly fieldsAt: (place: readonly PropertyKey[]) => readonly string[];
}

export interface CheckedYaml<T> {
  readonly data: T;
  /** From 1. */
  readonly lineOf: (place: readonly PropertyKey[]) => number;
}

/** @throws HarnessError BAD_FILE that names every problem as `file:line: what`. */
export function readCheckedYaml<S extends z.ZodType>(
  file: string,
  schema: S,
  kind: FileKind,
): CheckedYaml<z.infer<S>> {
  const source = readSource(file, kind);
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const lineOf = (place: readonly PropertyKey[]) => {
    for (let length = place.length; length > 0; length--) {
      const node = document.getIn(place.slice(0, length), true) as { range?: [number] } | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  if (document.errors.length > 0) {
    throw badYaml(
      file,
      kind,
      document.errors.map(
        ({ pos, message }) => `${lines.linePos(pos[0]).line}: not valid YAML: ${message}`,
      ),
    );
  }
  const parsed = schema.safeParse(document.toJS());
  if (!parsed.success) {
    throw badYaml(
      file,
      kind,
      parsed.error.issues.flatMap((issue) =>
        problemsOf(issue, kind).map((problem) => `${lineOf(issue.path)}: ${problem}`),
      ),
    );
  }
  return { data: parsed.data, lineOf };
}

/** @param problems one line each, `<line>: <what>` */
export function badYaml(
  file: string,
  { what, format }: FileKind,
  problems: readonly string[],
): HarnessError {
  return new HarnessError("BAD_FILE", {
    what: `${problems.length === 1 ? "a problem" : `${problems.length} problems`} in the ${what}`,
    facts: problems.map((problem) => `${file}:${problem}`),
    next: `correct the lines above; ${format} has the format`,
  });
}

function readSource(file: string, { what }: FileKind): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the ${what} ${file} can not be read`,
      facts: [String(cause)],
      next: "check the path",
      cause,
    });
  }
}

function problemsOf(issue: z.core.$ZodIssue, { fieldsAt }: FileKind): string[] {
  if (issue.code === "unrecognized_keys") {
    const known = fieldsAt(issue.path);
    return issue.keys.map((key) => `unknown field ${key}, ${didYouMean(key, known)}`);
  }
  return [`${issue.path.map(String).join(".") || "the file"}: ${issue.message}`];
}
