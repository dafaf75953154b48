/** A summary as the data of the conformance site. Text of runs is tamed here, evidence of sensitive findings withheld. */
import type { Requirement } from "#harness/requirements/requirement";
import type { RunHeader } from "#harness/results/outcome";
import type { ReplayPage } from "#harness/results/replays";
import { describeFinding, isWithheld, type RenderOptions, tame, tameLine } from "#reports/finding";
import { notesOf, VERDICTS } from "#reports/render/words";
import type { Finding, Summary } from "#reports/summarise";
import { worstOf } from "#reports/worst";
import {
  ABSENT,
  LETTERS,
  type SiteCheck,
  type SiteColumn,
  type SiteDeployment,
  type SiteDetails,
  type SiteFinding,
  type SiteIndex,
  type SiteReplay,
  type SiteRequirement,
} from "./data.ts";

export interface KnownCheck {
  readonly title: string;
  readonly place: string;
  readonly hasMutant: boolean;
}

export interface SiteInput {
  readonly summary: Summary;
  /** Of all runs. */
  readonly headers: readonly RunHeader[];
  /** Later runs of a deployment, by the names that they go by: oldest first. */
  readonly again: ReadonlyMap<string, string>;
  /** Checks of the suites, by requirement. */
  readonly checks: ReadonlyMap<string, readonly KnownCheck[]>;
  /** Where the site has a copy of a finding's recording. */
  readonly pageOf: (finding: Finding) => ReplayPage | undefined;
  /** Of the finding's check, as texts, the telling one last. */
  readonly exchangesOf: (finding: Finding) => readonly string[];
  /** `from` is the folder of the site. */
  readonly options: RenderOptions;
}

export interface SiteData {
  readonly index: Omit<SiteIndex, "runs" | "pairs" | "hasPlots" | "leftOut">;
  /** By requirement, as the index has them. */
  readonly details: readonly SiteDetails[];
}

export function siteData(input: SiteInput): SiteData {
  const { summary, headers } = input;
  const findings = summary.groups.flatMap(({ findings }) => findings);
  const deploymentAt = new Map(summary.deployments.map(({ name }, at) => [name, at]));
  const byRequirement = [...Map.groupBy(findings, ({ result }) => result.requirement)].sort(
    ([, [a]], [, [b]]) => compare(orderOf(a), orderOf(b)),
  );
  const outcomes = summary.deployments.map(() => [] as string[]);
  const requirements: SiteRequirement[] = [];
  const details: SiteDetails[] = [];
  for (const [id, own] of byRequirement) {
    const [first] = own;
    if (first === undefined) continue;
    requirements.push(requirementOf(first));
    details.push(detailsOf(id, own, deploymentAt, input));
    const byDeployment = Map.groupBy(own, ({ result }) => result.deployment);
    for (const [name, at] of deploymentAt) {
      const worst = worstOf((byDeployment.get(name) ?? []).map(({ result }) => result.outcome));
      outcomes[at]?.push(worst === undefined ? ABSENT : LETTERS[worst]);
    }
  }
  const facts = new Map(headers.flatMap(({ deployments }) => deployments.map((d) => [d.name, d])));
  const deployments = summary.deployments.map(({ name, counts, levels }, at): SiteDeployment => {
    const base = input.again.get(name) ?? name;
    return {
      name: tameLine(name),
      servers: (facts.get(base)?.servers ?? []).map(({ role, implementation, version }) =>
        tameLine(`${role}: ${implementation} ${version}`),
      ),
      counts,
      levels,
      suites: summary.groups
        .filter(({ deployment }) => deployment === name)
        .map(({ suite, counts, levels, durationMs }) => ({
          suite: tameLine(suite),
          counts,
          levels,
          durationMs,
        })),
      outcomes: outcomes[at]?.join("") ?? "",
    };
  });
  return {
    index: {
      verdict: VERDICTS[summary.verdict],
      harness: tameLine(summary.header?.harness ?? ""),
      requirementSet: tameLine(summary.header?.requirements ?? ""),
      troubles: summary.troubles.map(tame),
      deployments,
      columns: columnsOf(deploymentAt, input.again),
      requirements,
    },
    details,
  };
}

function columnsOf(
  deploymentAt: ReadonlyMap<string, number>,
  again: ReadonlyMap<string, string>,
): readonly SiteColumn[] {
  const later = Map.groupBy(again, ([, base]) => base);
  return [...deploymentAt]
    .filter(([name]) => !again.has(name))
    .map(([name, at]) => ({
      name: tameLine(name),
      deployments: [
        at,
        ...(later.get(name) ?? []).flatMap(([other]) => deploymentAt.get(other) ?? []),
      ],
    }));
}

function requirementOf({ result, requirement }: Finding): SiteRequirement {
  return {
    id: tameLine(result.requirement),
    suite: tameLine(result.suite),
    level: result.level,
    ...(result.party === undefined ? {} : { party: result.party }),
    ...(requirement === undefined ? {} : { basis: requirement.basis }),
    isSensitive: requirement?.sensitive ?? true,
    statement: tameLine(requirement?.statement ?? ""),
    source: tameLine(requirement?.source ?? "unknown to this version of the requirements"),
  };
}

function detailsOf(
  id: string,
  findings: readonly Finding[],
  deploymentAt: ReadonlyMap<string, number>,
  input: SiteInput,
): SiteDetails {
  const requirement = findings[0]?.requirement;
  const known = input.checks.get(id) ?? [];
  const checks = [...Map.groupBy(findings, ({ result }) => result.check)].map(([title, own]) =>
    checkOf(title, own, known, deploymentAt, input),
  );
  return { ...wordsOf(requirement), checks };
}

function wordsOf(requirement: Requirement | undefined): Omit<SiteDetails, "checks"> {
  const { check = "", needs = [], negative, unstable, retired } = requirement ?? {};
  return {
    how: tame(check),
    needs: needs.map(tameLine),
    ...(negative === undefined ? {} : { negative: tame(negative) }),
    ...(unstable === undefined ? {} : { unstable: tameLine(unstable) }),
    ...(retired === undefined ? {} : { retired: tameLine(retired) }),
  };
}

function checkOf(
  title: string,
  findings: readonly Finding[],
  known: readonly KnownCheck[],
  deploymentAt: ReadonlyMap<string, number>,
  input: SiteInput,
): SiteCheck {
  const outcomes = Array.from(deploymentAt, () => ABSENT);
  const durations = Array.from(deploymentAt, () => 0);
  for (const { result } of findings) {
    const at = deploymentAt.get(result.deployment) ?? 0;
    outcomes[at] = LETTERS[result.outcome];
    durations[at] = Math.round(result.durationMs);
  }
  const own = known.find((check) => check.title === title);
  return {
    title: tameLine(title),
    ...(own === undefined ? {} : { place: own.place, hasMutant: own.hasMutant }),
    outcomes: outcomes.join(""),
    durations,
    findings: findings.flatMap((finding) => findingOf(finding, deploymentAt, input)),
  };
}

function findingOf(
  finding: Finding,
  deploymentAt: ReadonlyMap<string, number>,
  input: SiteInput,
): readonly SiteFinding[] {
  const { result, evidence } = finding;
  const hasNotes = (evidence?.notes ?? []).length > 0;
  if (result.outcome === "pass" && !hasNotes) return [];
  const { options } = input;
  const hidden = isWithheld(finding, options);
  const text = describeFinding(finding, options);
  const all = hidden ? [] : input.exchangesOf(finding);
  const last = text.exchange === undefined || all.length > 0 ? [] : [text.exchange];
  const { reason, expected, actual, logs } = text;
  const replay = hidden ? undefined : replayOf(finding, input);
  const again = result.outcome === "pass" ? undefined : againOf(finding, input);
  return [
    {
      deployment: deploymentAt.get(result.deployment) ?? 0,
      ...(reason === undefined ? {} : { reason }),
      ...(expected === undefined ? {} : { expected }),
      ...(actual === undefined ? {} : { actual }),
      exchanges: [...all.map(tame), ...last],
      logs,
      notes: hasNotes ? notesOf(finding, options) : [],
      ...(replay === undefined ? {} : { replay }),
      ...(again === undefined ? {} : { again }),
    },
  ];
}

function replayOf(finding: Finding, { pageOf, options }: SiteInput): SiteReplay | undefined {
  const page = pageOf(finding);
  const { replay } = describeFinding({ ...finding, page }, options);
  if (replay === undefined) return undefined;
  const { file, link, note } = replay;
  return {
    file: file.split(/[\\/]/).at(-1) ?? "",
    ...(link === undefined ? {} : { link }),
    ...(note === undefined ? {} : { note }),
  };
}

/** As an id is written, and a driver that names a release: nothing that a shell would take for something else. */
const ID = /^[A-Z][\w.-]*$/;
const DRIVER = /^(?:process|docker):[\w@.:/-]+$/;

function againOf({ result }: Finding, { headers, again }: SiteInput): string | undefined {
  if (!ID.test(result.requirement)) return undefined;
  const name = again.get(result.deployment) ?? result.deployment;
  const header = headers.findLast(({ deployments }) => deployments.some((d) => d.name === name));
  const servers = header?.deployments.find((one) => one.name === name)?.servers ?? [];
  const drivers = [...new Set(servers.map(({ driver }) => driver))];
  const several = servers.map(({ role, driver }) => `${role}=${driver}`);
  const given = (drivers.length > 1 ? several : drivers).map((driver) => `--hs ${driver}`);
  const isPlain = drivers.every((driver) => DRIVER.test(driver));
  const seed = header === undefined ? [] : [`--seed ${header.seed}`];
  return ["crucible run", result.requirement, ...(isPlain ? given : []), ...seed].join(" ");
}

function orderOf(finding: Finding | undefined): string {
  return `${finding?.result.suite}\0${finding?.result.requirement}`;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
