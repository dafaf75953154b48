/**
 * The manifest of expected failures: hand-written, kept by the homeserver's project, keyed by requirement. It changes
 * how a verdict is shown, never whether a check runs (but for `disabled`, which is for hangs and crashes).
 * `docs/expectations.md` tells the format.
 */
import { z } from "zod";
import { type FileKind, readCheckedYaml } from "#reports/checked-yaml";
import { isDate, isRange } from "./conditions.ts";

const entrySchema = z.strictObject({
  /** Requirement id; a glob only with `expect: unsupported`. */
  id: z.string().min(1),
  /** Title of one check, where the requirement has several. */
  check: z.string().optional(),
  /** A failure, one that comes and goes, a feature that the server lacks, or a check that must not run. */
  expect: z.union(
    [z.enum(["fail", "unsupported", "disabled"]), z.tuple([z.literal("pass"), z.literal("fail")])],
    { error: "one of fail, [pass, fail], unsupported, disabled" },
  ),
  when: z
    .strictObject({
      version: z.string().refine(isRange, "a version range looks like >=1.150 <1.160").optional(),
      database: z.string().optional(),
      topology: z.string().optional(),
      auth: z.string().optional(),
      rtc_auth: z.string().optional(),
    })
    .optional(),
  /** Text that the failure has to contain: another failure is unexpected. */
  match: z.string().min(1).optional(),
  reason: z.string().min(1),
  issue: z.string().min(1).optional(),
  /** What was seen, in short, where there is no public issue; not for sensitive findings. */
  evidence: z.string().min(1).optional(),
  review_by: z.string().refine(isDate, "a date looks like 2027-03-01").optional(),
});

const manifestSchema = z.strictObject({
  format: z.literal(1),
  implementation: z.string().min(1),
  entries: z.array(entrySchema),
});

export type ManifestEntry = z.infer<typeof entrySchema> & {
  readonly file: string;
  readonly line: number;
};

export interface Manifest {
  readonly file: string;
  readonly implementation: string;
  readonly entries: readonly ManifestEntry[];
}

const KIND: FileKind = {
  what: "manifest",
  format: "docs/expectations.md",
  fieldsAt: (place) =>
    Object.keys(
      place.length === 0
        ? manifestSchema.shape
        : place.at(-1) === "when"
          ? entrySchema.shape.when.unwrap().shape
          : entrySchema.shape,
    ),
};

/** @throws HarnessError BAD_FILE that names every problem as `file:line: what`. */
export function readManifest(file: string): Manifest {
  const { data, lineOf } = readCheckedYaml(file, manifestSchema, KIND);
  const { implementation, entries } = data;
  return {
    file,
    implementation,
    entries: entries.map((entry, index) => ({ ...entry, file, line: lineOf(["entries", index]) })),
  };
}

/** Several as one: the entries of an earlier one come before those of a later one. Undefined: there are none. */
export function together(manifests: readonly Manifest[]): Manifest | undefined {
  const [first] = manifests;
  if (first === undefined || manifests.length === 1) return first;
  return {
    file: manifests.map(({ file }) => file).join(", "),
    implementation: manifests.map(({ implementation }) => implementation).join("+"),
    entries: manifests.flatMap(({ entries }) => entries),
  };
}
