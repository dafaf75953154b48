/** Which deployments a recall starts: each release once, unless some of its bugs need settings of their own. */
import { compareVersions } from "#harness/versions";
import type { Bug, BugDeployment } from "./bugs.ts";

export interface Group {
  /** Also of its folder: `1.136.0`, `1.136.0,auth=oidc`. */
  readonly name: string;
  readonly version: string;
  readonly deployment: BugDeployment;
  /** Requirements to check, each once. */
  readonly ids: readonly string[];
  /** Ids of bugs that it has, and of those that are mended in it. */
  readonly affected: readonly string[];
  readonly fixed: readonly string[];
}

export interface GroupChoice {
  /** Only these releases; all that the bugs need unless given. */
  readonly versions?: readonly string[];
}

/** Whether anything is to be run for it. */
function isRunnable({ requirements, sqlite_one_machine }: Bug): boolean {
  return sqlite_one_machine === "yes" && requirements.length > 0;
}

/** By release, oldest first. */
export function groupBugs(bugs: readonly Bug[], { versions }: GroupChoice = {}): readonly Group[] {
  const wanted = bugs.filter(isRunnable).flatMap((bug) => [
    { bug, version: bug.affected, side: "affected" as const },
    { bug, version: bug.fixed, side: "fixed" as const },
  ]);
  const chosen = wanted.filter(({ version }) => versions?.includes(version) ?? true);
  const byName = Map.groupBy(chosen, ({ bug, version }) => groupName(bug, version));
  return [...byName]
    .map(([name, members]) => {
      const of = (side: "affected" | "fixed") =>
        members.filter((member) => member.side === side).map(({ bug }) => bug.id);
      const ids = members.flatMap(({ bug }) => bug.requirements.map(({ id }) => id));
      const [first] = members;
      return {
        name,
        version: first?.version ?? "",
        deployment: first?.bug.deployment ?? {},
        ids: [...new Set(ids)].sort(),
        affected: of("affected"),
        fixed: of("fixed"),
      };
    })
    .sort(
      (left, right) =>
        compareVersions(left.version, right.version) || (left.name < right.name ? -1 : 1),
    );
}

/** The group that shows a bug on a release. */
export function groupName({ deployment = {} }: Bug, version: string): string {
  const { options = {}, features = [], ...services } = deployment;
  const parts = [
    ...Object.entries({ ...services, ...options }).map(([name, value]) => `${name}=${value}`),
    ...features,
  ];
  return [version, ...parts.sort()].join(",").replace(/[^\w.,=+-]/g, "-");
}
