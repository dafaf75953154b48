import type { Requirement } from "#harness/requirements/requirement";
import type { CheckResult } from "#harness/results/outcome";
import type { Manifest } from "./manifest.ts";

export interface Proposal {
  /** YAML of entries to add; each says TODO where only a person can know. */
  readonly add: readonly string[];
  /** `file:line` and id of entries that no longer hold. */
  readonly remove: readonly string[];
}

/** What would make the manifest fit a run; never written, since a reason can not be guessed. */
export function proposeUpdate(
  results: readonly CheckResult[],
  manifest: Manifest | undefined,
  requirements: ReadonlyMap<string, Requirement>,
): Proposal {
  const failed = new Map(
    results
      .filter(({ outcome }) => outcome === "fail")
      .map((result) => [result.requirement, result]),
  );
  const passed = new Set(
    results.filter(({ outcome }) => outcome === "xpass").map(({ requirement }) => requirement),
  );
  return {
    add: [...failed.values()].map((result) => {
      const evidence =
        requirements.get(result.requirement)?.sensitive === false
          ? `\n    evidence: ${JSON.stringify(result.reason ?? "")}`
          : "";
      return `  - id: ${result.requirement}\n    expect: fail\n    reason: "TODO"${evidence}`;
    }),
    remove: (manifest?.entries ?? [])
      .filter(({ id }) => passed.has(id))
      .map(({ id, line }) => `${manifest?.file}:${line}: ${id}`),
  };
}
