/** `crucible recall`: whether checks see known bugs, on releases that have them and on releases that have not. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { colour, print, printJson, remark } from "#cli/io";
import { missingIds, resultsOf, runGroup, specOf, storedResults } from "#cli/recall/runs";
import { ROOT } from "#cli/run/session";
import { addRunOptions, SERVER_SETTINGS, settingsOf } from "#cli/run-options";
import { exitCodeOf, showStacks, troubleText } from "#cli/trouble";
import { HarnessError, type HarnessErrorCode } from "#harness/errors";
import { loadCatalogue } from "#harness/requirements/catalogue";
import { indexChecks } from "#harness/requirements/check-index";
import type { Requirement } from "#harness/requirements/requirement";
import { newRunId } from "#harness/results/ids";
import { didYouMean } from "#harness/suggest";
import { type Bug, type Bugs, readBugs } from "#reports/recall/bugs";
import { type Group, groupBugs } from "#reports/recall/groups";
import { type GroupResults, judgeRecall } from "#reports/recall/judge";
import { recallData, recallMarkdown, renderRecall } from "#reports/render/recall";
import { withHelp } from "./options.ts";

interface Flags {
  readonly bugs: string;
  readonly versions: readonly string[];
  readonly only: readonly string[];
  readonly reuse?: true;
  readonly json?: true;
}

/** What a recall works with. */
interface Plan {
  readonly bugs: Bugs;
  readonly chosen: readonly Bug[];
  readonly groups: readonly Group[];
  readonly requirements: ReadonlyMap<string, Requirement>;
  readonly titlesOf: (id: string) => readonly string[];
}

const OWN_BUGS = path.join(ROOT, "drivers/synapse/bugs.yaml");

export function recallCommand(): Command {
  const command = new Command("recall")
    .description("run checks on releases with known bugs: what is caught, missed, a false alarm")
    .option("--bugs <file>", "list of known bugs", OWN_BUGS)
    .option("--versions <list>", "start these releases only (commas, repeatable)", names, [])
    .option("--only <ids>", "these bugs only (commas, repeatable)", names, [])
    .option("--reuse", "take what runs in --out have already decided, and run the rest")
    .option("--json", "an object {exitCode, counts, total, suites, bugs: [{bug, verdict, …}]}");
  addRunOptions(command, [
    ...SERVER_SETTINGS.filter((name) => name !== "hs"),
    "workers",
    "concurrency",
    "timeoutScale",
    "retry",
    "record",
    "seed",
    "dryRun",
    "out",
    "debug",
  ]).action(async (flags: Flags, self: Command) => {
    process.exitCode = await recall(flags, self);
  });
  return withHelp(command, "recall", {
    notes: [
      "Each release is started once, with all checks that its bugs need. A bug is caught when a check fails where the bug is, as",
      "it should, and passes where it is mended; docs/recall.md tells the format of the file, and what was measured.",
      "Exit codes: 0 all that ran are caught, or missed for a reason that the file gives; 1 a false alarm, or missed or\nskipped without a reason;",
      "2 usage, 3 trouble of the harness or of the machine, 4 no verdict on any bug, 130 interrupted.",
    ].join("\n"),
    examples: [
      "",
      "--only ROOM-ALIAS-500,FED-PROFILE-NULL --out recall",
      "--out recall --reuse                   go on where it was interrupted",
      "--versions 1.136.0,1.163.2 --dry-run",
      "--bugs ci/bugs.yaml --json",
    ],
  });
}

async function recall(flags: Flags, self: Command): Promise<number> {
  const resolved = settingsOf(self);
  const { settings } = resolved;
  if (settings.debug) showStacks();
  if (flags.reuse && settings.out === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: "--reuse has no runs to take",
      next: "name the folder of an earlier recall with --out",
    });
  }
  const plan = await planOf(flags);
  const { bugs, chosen, groups, requirements, titlesOf } = plan;
  const folder = path.resolve(settings.out ?? path.join(".runs", `recall-${newRunId()}`));
  const stored = new Map<string, GroupResults>(
    // Also of releases that are not to be started now.
    flags.reuse
      ? groupBugs(chosen).map((group) => [group.name, storedResults(folder, group, bugs.hs)])
      : [],
  );
  const idsOf = (group: Group) => missingIds(group, stored.get(group.name) ?? [], titlesOf);
  if (settings.dryRun) return dryRun(plan, idsOf, flags);
  const seed = settings.seed ?? Math.floor(Math.random() * 2 ** 32);
  const seen = new Map(stored);
  let trouble = 0;
  let wasInterrupted = false;
  for (const [index, group] of groups.entries()) {
    const ids = idsOf(group);
    if (ids.length === 0) continue;
    remark(`${index + 1}/${groups.length} ${groupText(group, ids.length)}`);
    const run = { group, hs: bugs.hs, resolved, seed, folder };
    const executed = await runGroup(run, ids);
    seen.set(group.name, [...(seen.get(group.name) ?? []), resultsOf(executed)]);
    wasInterrupted = executed.wasInterrupted;
    if (wasInterrupted) break;
    if (executed.trouble === undefined) continue;
    remark(`${colour.red("error")} ${troubleText(executed.trouble)}`);
    // Other releases would meet the same: a disk that is full, a command line that is wrong.
    if (!isOfOneRelease(executed.trouble)) {
      trouble = exitCodeOf(executed.trouble);
      break;
    }
  }
  const judged = judgeRecall(chosen, seen, requirements);
  const exitCode = wasInterrupted ? 130 : trouble || judged.exitCode;
  const data = { ...(recallData(judged) as object), exitCode };
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "recall.json"), `${JSON.stringify(data, null, 2)}\n`);
  writeFileSync(path.join(folder, "recall.md"), recallMarkdown(judged));
  if (flags.json) printJson(data);
  else {
    print(renderRecall(judged, { colour: colour.isColorSupported }).trimEnd());
    print(`report: ${path.relative(process.cwd(), path.join(folder, "recall.md"))}`);
  }
  if (wasInterrupted)
    remark(`go on: crucible recall --reuse --out ${path.relative(process.cwd(), folder)}`);
  return exitCode;
}

async function planOf(flags: Flags): Promise<Plan> {
  const [{ byId: requirements }, index] = await Promise.all([loadCatalogue(), indexChecks()]);
  const titlesOf = (id: string) => (index.byId.get(id) ?? []).map(({ title }) => title);
  const bugs = readBugs(flags.bugs, { requirements, titlesOf });
  requireKnown("bug", flags.only, new Set(bugs.bugs.map(({ id }) => id)));
  const chosen = bugs.bugs.filter(({ id }) => flags.only.length === 0 || flags.only.includes(id));
  const releases = new Set(groupBugs(chosen).map(({ version }) => version));
  requireKnown("release among what these bugs need:", flags.versions, releases);
  const groups = groupBugs(chosen, flags.versions.length === 0 ? {} : { versions: flags.versions });
  return { bugs, chosen, groups, requirements, titlesOf };
}

function dryRun(
  { bugs, groups, chosen }: Plan,
  idsOf: (group: Group) => readonly string[],
  { json }: Flags,
): number {
  const rows = groups.map((group) => ({ group, ids: idsOf(group) }));
  const isIdle = rows.every(({ ids }) => ids.length === 0);
  if (json) {
    printJson({
      bugs: chosen.map(({ id }) => id),
      deployments: rows.map(({ group: { ids: _, ...group }, ids }) => ({
        ...group,
        hs: specOf({ ...group, ids }, bugs.hs),
        requirements: ids,
      })),
    });
    return isIdle ? 4 : 0;
  }
  for (const { group, ids } of rows) {
    print(groupText(group, ids.length));
    if (group.affected.length > 0) print(`  has:    ${group.affected.join(", ")}`);
    if (group.fixed.length > 0) print(`  mended: ${group.fixed.join(", ")}`);
    for (const id of ids) print(`  ${id}`);
  }
  const count = rows.filter(({ ids }) => ids.length > 0).length;
  print(`${chosen.length} bugs, ${count} deployments would start`);
  return isIdle ? 4 : 0;
}

function groupText({ name, affected, fixed }: Group, count: number): string {
  const requirements = count === 1 ? "1 requirement" : `${count} requirements`;
  return `${name}: ${requirements}, ${affected.length} bugs that it has, ${fixed.length} mended in it`;
}

/** Servers that do not start, or that can not be installed, tell nothing of the next release. */
function isOfOneRelease(trouble: unknown): boolean {
  const codes: readonly HarnessErrorCode[] = [
    "HS_DID_NOT_START",
    "HS_DIED",
    "HS_NO_ANSWER",
    "INSTALL_FAILED",
    "SERVICE_DIED",
  ];
  return trouble instanceof HarnessError && codes.includes(trouble.code);
}

function requireKnown(kind: string, given: readonly string[], known: ReadonlySet<string>): void {
  for (const name of given) {
    if (known.has(name)) continue;
    throw new HarnessError("BAD_USAGE", {
      what: `there is no ${kind} ${name}`,
      next: didYouMean(name, known),
    });
  }
}

function names(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, ...value.split(/[,\s]+/).filter((name) => name !== "")];
}
