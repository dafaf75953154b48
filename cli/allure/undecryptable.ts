/** For reports: why messages of failed checks could not be read, as `crucible utd explain` tells it. */
import { describe } from "#harness/errors";
import type { DeviceName } from "#harness/forensics/evidence";
import { explainFiles } from "#harness/forensics/explain-files";
import { pageOf } from "#harness/forensics/page";
import type { StoredRun } from "#harness/results/run-directory";
import { isWithheld, type RenderOptions, tameLine } from "#reports/finding";
import { buildStatusOf } from "#reports/render/build-status";
import type { Finding, Summary } from "#reports/summarise";

/** A reader looks at no more, and a run in which all fails has one cause. */
const EXPLAINED_AT_MOST = 20;

/** Pages of Markdown by what they belong to. Records that are gone or broken cost the page, not the report. */
export async function undecryptablePages(
  { groups }: Summary,
  runs: readonly StoredRun[],
  options: Pick<RenderOptions, "disclose">,
): Promise<ReadonlyMap<Finding, string>> {
  const pages = new Map<Finding, string>();
  const red = groups
    .flatMap(({ findings }) => findings)
    .filter(
      (finding) =>
        ["failure", "error"].includes(buildStatusOf(finding.result)) &&
        (finding.evidence?.undecryptable ?? []).length > 0 &&
        !isWithheld(finding, options),
    )
    .slice(0, EXPLAINED_AT_MOST);
  for (const run of runs) {
    // Evidence of joined runs may have another deployment; what it holds is the same.
    const held = new Set(run.evidence.map(({ undecryptable }) => undecryptable));
    const own = red.filter(({ evidence }) => held.has(evidence?.undecryptable));
    if (own.length > 0)
      for (const [finding, page] of await explained(run, own)) pages.set(finding, page);
  }
  return pages;
}

async function explained(
  run: StoredRun,
  findings: readonly Finding[],
): Promise<readonly (readonly [Finding, string])[]> {
  const asked = findings.flatMap((finding) =>
    (finding.evidence?.undecryptable ?? []).map(({ event, user, device, why, withheld }) => {
      const native = { code: why, ...(withheld === undefined ? {} : { withheld }) };
      return { finding, question: { event, target: { user, device }, native } };
    }),
  );
  try {
    const questions = asked.map(({ question }) => question);
    const utds = await explainFiles([run.path], questions);
    return findings.flatMap((finding) => {
      const own = asked.filter((one) => one.finding === finding).map(({ question }) => question);
      const found = utds.filter(({ event, target }) =>
        own.some((one) => one.event === event && isSame(one.target, target)),
      );
      return found.length === 0 ? [] : [[finding, found.map(pageOf).join("\n")] as const];
    });
  } catch (error) {
    const why = `not explained: ${tameLine(describe(error).replaceAll(run.path, "<run>"))}\n`;
    return findings.map((finding) => [finding, why] as const);
  }
}

function isSame(one: DeviceName, other: DeviceName): boolean {
  return one.user === other.user && one.device === other.device;
}
