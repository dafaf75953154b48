/** What `crucible mutants` left in its run directory: which checks were seen to fail by a violation made on purpose. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import { parsedOrNull } from "./json-line.ts";

/** Best first: a check that was seen to fail once can fail. */
export const MUTANT_VERDICTS = ["killed", "moot", "survived", "not-fired", "error"] as const;

export interface MutantVerdict {
  readonly name: string;
  /** `moot`: the server breaks the rule itself, before the mutant could. */
  readonly verdict: (typeof MUTANT_VERDICTS)[number];
}

export interface MutatedCheck {
  readonly requirement: string;
  readonly check: string;
  /** None: the check has none, or did not apply to that server. */
  readonly mutants: readonly MutantVerdict[];
  /** It did not apply to that server, so nothing was tried. */
  readonly isSkipped: boolean;
}

const check = z.object({ requirement: z.string(), check: z.string() });
const infoSchema = z.looseObject({
  mode: z.literal("mutants"),
  mutants: z.array(
    check.extend({
      mutants: z.array(z.object({ name: z.string(), verdict: z.enum(MUTANT_VERDICTS) })),
    }),
  ),
});
const resultSchema = check.extend({ kind: z.literal("check"), outcome: z.string() });

/** @throws HarnessError BAD_FILE for a folder that is no finished run of `crucible mutants` */
export function readMutantsRun(folder: string): readonly MutatedCheck[] {
  const file = path.join(folder, "run.json");
  const parsed = infoSchema.safeParse(
    existsSync(file) ? parsedOrNull(readFileSync(file, "utf8")) : null,
  );
  if (!parsed.success) {
    throw new HarnessError("BAD_FILE", {
      what: `${folder} has no results of \`crucible mutants\``,
      facts: existsSync(file) ? [z.prettifyError(parsed.error)] : [`there is no ${file}`],
      next: "name the run directory of a `crucible mutants` that came to its end",
    });
  }
  const skipped = skippedIn(path.join(folder, "results.jsonl"));
  return parsed.data.mutants.map((one) => ({ ...one, isSkipped: skipped.has(keyOf(one)) }));
}

/** The same check of several runs once, each mutant with the best that was seen of it. */
export function mergeMutants(
  runs: readonly (readonly MutatedCheck[])[],
): ReadonlyMap<string, MutatedCheck> {
  const groups = Map.groupBy(runs.flat(), keyOf);
  return new Map([...groups].flatMap(([key, same]) => (same[0] ? [[key, merged(same)]] : [])));
}

export function keyOf({ requirement, check }: Pick<MutatedCheck, "requirement" | "check">): string {
  return `${requirement}\0${check}`;
}

function merged(same: readonly MutatedCheck[]): MutatedCheck {
  const [{ requirement, check }] = same as readonly [MutatedCheck];
  const byName = Map.groupBy(
    same.flatMap(({ mutants }) => mutants),
    ({ name }) => name,
  );
  const mutants = [...byName].map(([name, seen]) => {
    const verdict = MUTANT_VERDICTS.find((known) => seen.some((one) => one.verdict === known));
    return { name, verdict: verdict ?? "error" };
  });
  return { requirement, check, mutants, isSkipped: same.every(({ isSkipped }) => isSkipped) };
}

function skippedIn(file: string): ReadonlySet<string> {
  if (!existsSync(file)) return new Set();
  const results = readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => resultSchema.safeParse(parsedOrNull(line)).data ?? []);
  return new Set(results.filter(({ outcome }) => outcome === "skip").map(keyOf));
}
