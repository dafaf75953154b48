import type { CheckResult, DeploymentFacts, Evidence } from "#harness/results/outcome";
import type { Manifest, ManifestEntry } from "./manifest.ts";
import { inRange } from "./version-range.ts";

/**
 * The result as the manifest has it: a failure that it expects is `xfail`, a pass that it does not is `xpass`, a known
 * intermittent failure is `flaky`. Errors and skips stay what they are.
 */
export function applyManifest(
  result: CheckResult,
  evidence: Evidence | undefined,
  manifest: Manifest | undefined,
  facts: DeploymentFacts,
): CheckResult {
  const entry = manifest?.entries.find((candidate) => concerns(candidate, result, facts));
  if (entry === undefined || manifest === undefined) return result;
  const place = `${manifest.file.split("/").at(-1)}:${entry.line}`;
  const { expect } = entry;
  if (expect === "disabled") return result;
  if (expect === "unsupported") {
    return result.outcome === "fail"
      ? { ...result, outcome: "skip", reason: `unsupported: ${entry.reason}` }
      : result;
  }
  if (result.outcome === "pass") {
    return Array.isArray(expect)
      ? result
      : { ...result, outcome: "xpass", reason: `delete the entry at ${place}` };
  }
  if (result.outcome !== "fail") return result;
  const message = evidence?.message ?? result.reason ?? "";
  if (entry.match !== undefined && !message.includes(entry.match)) {
    return {
      ...result,
      reason: `${result.reason ?? ""} (${place} expects a failure with "${entry.match}")`,
    };
  }
  return { ...result, outcome: Array.isArray(expect) ? "flaky" : "xfail", reason: entry.reason };
}

/** Requirements that the manifest switches off on this deployment, with the reason. */
export function disabledBy(
  manifest: Manifest | undefined,
  facts: DeploymentFacts,
): Record<string, string> {
  const entries = (manifest?.entries ?? []).filter(
    ({ expect, when }) => expect === "disabled" && applies(when, facts),
  );
  return Object.fromEntries(entries.map(({ id, reason }) => [id, reason]));
}

function concerns(entry: ManifestEntry, result: CheckResult, facts: DeploymentFacts): boolean {
  const isId = entry.id.includes("*")
    ? new RegExp(`^${entry.id.split("*").map(escapeRegExp).join(".*")}$`).test(result.requirement)
    : entry.id === result.requirement;
  return (
    isId &&
    (entry.check === undefined || entry.check === result.check) &&
    applies(entry.when, facts)
  );
}

/** A version range has to hold for every server of the deployment, the weakest deciding what can be expected. */
function applies(
  when: ManifestEntry["when"],
  { topology, name, servers }: DeploymentFacts,
): boolean {
  if (when === undefined) return true;
  if (when.topology !== undefined && when.topology !== topology) return false;
  if (when.database !== undefined && !name.split("/").includes(when.database)) return false;
  const { version: range } = when;
  return range === undefined || servers.every(({ version }) => inRange(version, range));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
