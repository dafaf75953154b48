/** What would make a manifest fit a run; printed, never written, since a reason can not be guessed. */
import type { Requirement } from "#harness/requirements/requirement";
import { type CheckResult, titleOf } from "#harness/results/outcome";
import { stableReason } from "#reports/baseline/reason";
import { tameLine } from "#reports/finding";
import { isAbout } from "./apply.ts";
import type { Manifest, ManifestEntry } from "./manifest.ts";

export interface Proposal {
  /** YAML of entries to add; each says TODO where only a person can know. */
  readonly add: readonly string[];
  /** `file:line: id` and why the entry no longer fits as it is. */
  readonly change: readonly string[];
  /** `file:line: id` of entries that no longer hold. */
  readonly remove: readonly string[];
}

export function proposeUpdate(
  results: readonly CheckResult[],
  manifest: Manifest | undefined,
  requirements: ReadonlyMap<string, Requirement>,
): Proposal {
  const having = (outcome: CheckResult["outcome"]) =>
    results.filter((result) => result.outcome === outcome);
  const entries = manifest?.entries ?? [];
  const place = ({ line, id }: ManifestEntry) => `${manifest?.file}:${line}: ${id}`;
  const known = (result: CheckResult) =>
    entries.find((entry) => entry.match !== undefined && isAbout(entry, result));
  const failed = having("fail").filter(({ requirement }) => requirements.has(requirement));
  const passed = having("xpass");
  const outdated = failed.flatMap((result) => known(result) ?? []);
  const stale = entries.filter((entry) => passed.some((result) => isAbout(entry, result)));
  // An entry that still describes another check of its requirement only has to be narrowed.
  const half = stale.filter((entry) => having("xfail").some((result) => isAbout(entry, result)));
  return {
    add: additions(
      failed.filter((result) => known(result) === undefined),
      results,
      requirements,
    ),
    change: [
      ...[...new Set(outdated)].map(
        (entry) => `${place(entry)} fails in another way than its match`,
      ),
      ...half.map((entry) => `${place(entry)} passes in part: name the check that fails`),
    ],
    remove:
      manifest === undefined
        ? passed.map(({ requirement, reason }) => tameLine(`${requirement}: ${reason ?? ""}`))
        : stale.filter((entry) => !half.includes(entry)).map(place),
  };
}

/** One entry a requirement, or one a failing check where others of the requirement do not fail. */
function additions(
  failed: readonly CheckResult[],
  results: readonly CheckResult[],
  requirements: ReadonlyMap<string, Requirement>,
): string[] {
  return [...Map.groupBy(failed, ({ requirement }) => requirement)].flatMap(([id, group]) => {
    const isWhole = results
      .filter(({ requirement }) => requirement === id)
      .every(({ outcome }) => outcome === "fail");
    const isSensitive = requirements.get(id)?.sensitive === true;
    const byTitle = [...new Map(group.map((result) => [titleOf(result), result]))];
    return (isWhole ? byTitle.slice(0, 1) : byTitle).map(([title, { reason = "" }]) =>
      [
        `  - id: ${id}`,
        ...(isWhole ? [] : [`    check: ${quoted(title)}`]),
        "    expect: fail",
        '    reason: "TODO"',
        // Of a sensitive failure nothing but its existence goes into a shared file.
        ...(isSensitive || reason === "" ? [] : [`    evidence: ${quoted(stableReason(reason))}`]),
      ].join("\n"),
    );
  });
}

/** Text of a run as a string of YAML on one line. */
export function quoted(text: string): string {
  return JSON.stringify(tameLine(text));
}
