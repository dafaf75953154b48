/**
 * Known bugs of a homeserver, the yardstick of `crucible recall`: hand-written, kept beside the driver. Each names a release
 * that has the bug, one that has not, and the checks that have to tell the two apart. `docs/recall.md` tells the format.
 */
import { z } from "zod";
import type { Requirement } from "#harness/requirements/requirement";
import { IN_ALL_ANSWERS } from "#harness/results/outcome";
import { didYouMean } from "#harness/suggest";
import { badYaml, type FileKind, readCheckedYaml } from "#reports/checked-yaml";

const text = z.string().min(1);
const version = z
  .string({ error: "a release in full, in quotes: '1.163.2'" })
  .regex(/^\d+(\.\d+)+\w*$/, "a release in full: 1.163.2");

const sightSchema = z.strictObject({
  /** Requirement. */
  id: text,
  /** Title of one check, where the requirement has several and not all see the bug. */
  check: text.optional(),
  /** Text that the failure has to contain: another failure of the check is not this bug. */
  match: text.optional(),
  /** `error`: the bug keeps servers from starting, or the check from coming to a verdict. Needs `match`. */
  as: z.enum(["fail", "error"]).default("fail"),
});

const deploymentSchema = z.strictObject({
  auth: z.enum(["none", "oidc"]).optional(),
  rtc_auth: text.optional(),
  sfu: text.optional(),
  topology: text.optional(),
  /** Options of the homeserver's spec, such as `database: postgres`. */
  options: z.record(z.string(), z.coerce.string()).optional(),
  /** Switched on at all servers. */
  features: z.array(text).optional(),
});

const bugSchema = z.strictObject({
  id: z.string().regex(/^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$/, "an id looks like SS-BUMP-INVITE"),
  symptom: text,
  /** What the recall is told by. */
  suite: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "a suite looks like sliding-sync"),
  /** Where it was mended. */
  fix: text,
  fixed_in: text,
  /** Releases to run: one that has the bug, one that has not. */
  affected: version,
  fixed: version,
  requirements: z.array(
    z.union([text.transform((id) => ({ id, as: "fail" as const })), sightSchema], {
      error: "a requirement id, or {id, check, match, as}",
    }),
  ),
  deployment: deploymentSchema.optional(),
  /** Whether one machine shows it, with SQLite and processes. */
  sqlite_one_machine: z.union([z.literal("yes"), z.strictObject({ no: text })], {
    error: "yes, or {no: <reason>}",
  }),
  /** Why no check sees it. */
  missed: text.optional(),
  note: text.optional(),
});

const fileSchema = z.strictObject({
  format: z.literal(1),
  implementation: text,
  /** Spec of a homeserver, with `{version}` where its release goes. */
  hs: z.string().includes("{version}", { error: "has no {version}" }),
  bugs: z.array(bugSchema),
});

export type Sight = z.infer<typeof sightSchema>;
export type BugDeployment = z.infer<typeof deploymentSchema>;
export type Bug = Omit<z.infer<typeof bugSchema>, "requirements"> & {
  readonly requirements: readonly Sight[];
  readonly line: number;
};

export interface Bugs {
  readonly file: string;
  readonly implementation: string;
  readonly hs: string;
  readonly bugs: readonly Bug[];
}

export interface KnownChecks {
  readonly requirements: ReadonlyMap<string, Requirement>;
  /** Titles of a requirement's checks. */
  readonly titlesOf: (id: string) => readonly string[];
}

const KIND: FileKind = {
  what: "list of bugs",
  format: "docs/recall.md",
  fieldsAt: (place) => {
    const last = place.at(-1);
    if (place.length === 0) return Object.keys(fileSchema.shape);
    if (last === "deployment") return Object.keys(deploymentSchema.shape);
    if (place.includes("requirements")) return Object.keys(sightSchema.shape);
    return Object.keys(bugSchema.shape);
  },
};

/** @throws HarnessError BAD_FILE that names every problem as `file:line: what`. */
export function readBugs(file: string, known: KnownChecks): Bugs {
  const { data, lineOf } = readCheckedYaml(file, fileSchema, KIND);
  const bugs = data.bugs.map((bug, index) => ({ ...bug, line: lineOf(["bugs", index]) }));
  const seen = new Map<string, number>();
  const problems = bugs.flatMap((bug) => {
    const first = seen.get(bug.id);
    seen.set(bug.id, first ?? bug.line);
    return [
      ...(first === undefined ? [] : [`${bug.id} is already at line ${first}`]),
      ...(bug.affected === bug.fixed ? [`${bug.id}: affected and fixed are one release`] : []),
      ...bug.requirements.flatMap((sight) => sightProblems(sight, known)),
    ].map((problem) => `${bug.line}: ${problem}`);
  });
  if (problems.length > 0) throw badYaml(file, KIND, problems);
  return { file, implementation: data.implementation, hs: data.hs, bugs };
}

function sightProblems(
  { id, check, match, as }: Sight,
  { requirements, titlesOf }: KnownChecks,
): readonly string[] {
  const requirement = requirements.get(id);
  if (requirement === undefined)
    return [`there is no requirement ${id}: ${didYouMean(id, requirements.keys())}`];
  if (requirement.retired !== undefined) return [`${id} is retired`];
  const titles = titlesOf(id);
  if (titles.length === 0) return [`${id} has no check yet`];
  if (check !== undefined && ![...titles, IN_ALL_ANSWERS].includes(check))
    return [`${id} has no check "${check}": ${didYouMean(check, titles)}`];
  if (as === "error" && match === undefined)
    return [`${id}: an error is only the bug's when it contains what \`match\` says`];
  return [];
}
