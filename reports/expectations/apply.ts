import { globMatcher } from "#harness/requirements/select";
import {
  type CheckResult,
  type DeploymentFacts,
  type Evidence,
  titleOf,
} from "#harness/results/outcome";
import { isInRange } from "#harness/versions";
import type { Manifest, ManifestEntry } from "./manifest.ts";

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
  const place = `${entry.file.split("/").at(-1)}:${entry.line}`;
  const { expect } = entry;
  if (expect === "disabled") return result;
  if (expect === "unsupported" && result.outcome === "fail") {
    return { ...result, outcome: "skip", reason: `unsupported: ${entry.reason}` };
  }
  if (result.outcome === "pass") {
    // Of a whole area some checks pass also on a server that lacks it: that something is refused, for example.
    return Array.isArray(expect) || entry.id.includes("*")
      ? result
      : { ...result, outcome: "xpass", reason: adviceFor(entry, place) };
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

function adviceFor({ check }: ManifestEntry, place: string): string {
  return check === undefined
    ? `delete the entry at ${place}, or name the check that fails in it`
    : `delete the entry at ${place}`;
}

/** Whether an entry speaks of a check. */
export function isAbout(
  { id, check }: ManifestEntry,
  result: Pick<CheckResult, "requirement" | "check">,
): boolean {
  return globMatcher(id)(result.requirement) && (check === undefined || check === titleOf(result));
}

function concerns(entry: ManifestEntry, result: CheckResult, facts: DeploymentFacts): boolean {
  return isAbout(entry, result) && applies(entry.when, facts);
}

/** A version range has to hold for every server of the deployment, the weakest deciding what can be expected. */
function applies(
  when: ManifestEntry["when"],
  { topology, name, servers }: DeploymentFacts,
): boolean {
  if (when === undefined) return true;
  if (when.topology !== undefined && when.topology !== topology) return false;
  if (when.database !== undefined && !name.split(/[/+]/).includes(when.database)) return false;
  if (when.auth !== undefined && servers.some(({ auth = "none" }) => auth !== when.auth))
    return false;
  if (
    when.rtc_auth !== undefined &&
    servers.some(({ rtcAuth = "none" }) => rtcAuth !== when.rtc_auth)
  )
    return false;
  const { version: range } = when;
  return range === undefined || servers.every(({ version }) => isInRange(version, range));
}
