/**
 * The manifest of expected failures: hand-written, kept by the homeserver's project, keyed by requirement. It changes
 * how a verdict is shown, never whether a check runs (but for `disabled`, which is for hangs and crashes).
 */
import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import type { Requirement } from "#harness/requirements/requirement";
import { didYouMean } from "#harness/suggest";
import { isRange } from "./version-range.ts";

const entrySchema = z.strictObject({
  /** Requirement id; a glob only with `expect: unsupported`. */
  id: z.string().min(1),
  /** Title of one check, where the requirement has several. */
  check: z.string().optional(),
  expect: z.union([
    z.enum(["fail", "unsupported", "disabled"]),
    z.tuple([z.literal("pass"), z.literal("fail")]),
  ]),
  when: z
    .strictObject({
      version: z.string().refine(isRange, "a version range looks like >=1.150 <1.160").optional(),
      database: z.string().optional(),
      topology: z.string().optional(),
    })
    .optional(),
  /** Text that the failure has to contain: another failure is unexpected. */
  match: z.string().optional(),
  reason: z.string().min(1),
  /** What was seen, in short; not for sensitive findings. */
  evidence: z.string().optional(),
  issue: z.string().optional(),
  review_by: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, "a date looks like 2027-03-01")
    .optional(),
});

const manifestSchema = z.strictObject({
  format: z.literal(1),
  implementation: z.string().min(1),
  entries: z.array(entrySchema),
});

export type ManifestEntry = z.infer<typeof entrySchema>;

export interface Manifest {
  readonly file: string;
  readonly implementation: string;
  readonly entries: readonly (ManifestEntry & { readonly line: number })[];
}

/** @throws HarnessError BAD_FILE with file and line. */
export function readManifest(file: string): Manifest {
  let source: string;
  try {
    source = readFileSync(file, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the manifest ${file} can not be read`,
      facts: [String(cause)],
      next: "check the path given with --expect",
      cause,
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const lineOf = (path: readonly PropertyKey[]) => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number] } | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new HarnessError("BAD_FILE", {
      what: `${file}:${lines.linePos(problem.pos[0]).line}: ${problem.message.split("\n")[0]}`,
      next: "the manifest is YAML, see docs/expectations.md",
    });
  }
  const parsed = manifestSchema.safeParse(document.toJS());
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new HarnessError("BAD_FILE", {
      what: `${file}:${lineOf(issue?.path ?? [])}: ${issue?.path.join(".") || "the file"}: ${issue?.message}`,
      next: "see docs/expectations.md for the format",
    });
  }
  const { implementation, entries } = parsed.data;
  return {
    file,
    implementation,
    entries: entries.map((entry, index) => ({ ...entry, line: lineOf(["entries", index]) })),
  };
}

/** What is wrong with a readable manifest, one line each, with file and line. @param today ISO date. */
export function checkManifest(
  manifest: Manifest,
  requirements: ReadonlyMap<string, Requirement>,
  today: string,
): readonly string[] {
  const seen = new Map<string, number>();
  return manifest.entries.flatMap((entry) => {
    const { id, line } = entry;
    const requirement = requirements.get(id);
    const problems: string[] = [];
    if (id.includes("*")) {
      if (entry.expect !== "unsupported") problems.push("a glob may only be unsupported");
    } else if (requirement === undefined) {
      problems.push(`there is no requirement ${id}: ${didYouMean(id, requirements.keys())}`);
    }
    const key = JSON.stringify([id, entry.check, entry.when]);
    const first = seen.get(key);
    if (first !== undefined) problems.push(`${id} is already at line ${first}`);
    seen.set(key, line);
    if (/^todo\b/i.test(entry.reason)) problems.push(`${id} has no reason yet`);
    if (entry.review_by !== undefined && entry.review_by < today)
      problems.push(`${id} was to be reviewed by ${entry.review_by}`);
    const needsIssue = entry.expect === "disabled" || Array.isArray(entry.expect);
    if (needsIssue && entry.issue === undefined) problems.push(`${id} needs an issue`);
    if (
      entry.expect === "fail" &&
      entry.issue === undefined &&
      entry.evidence === undefined &&
      requirement?.sensitive !== true
    ) {
      problems.push(`${id} needs an issue or evidence`);
    }
    if (
      requirement?.sensitive === true &&
      (entry.match !== undefined || entry.evidence !== undefined)
    ) {
      problems.push(`${id} is sensitive: no match and no evidence in a shared file`);
    }
    return problems.map((text) => `${manifest.file}:${line}: ${text}`);
  });
}
