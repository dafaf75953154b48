/** `crucible tardis check`: whether files are what they say: ids, expectations, what is missing, and what servers lack. */
import { colour, print, printJson } from "#cli/io";
import { shown } from "#tardis/explain/shown";
import { checkIds, type IdChecks } from "#tardis/model/check-ids";
import { problemText } from "#tardis/model/problem";
import { type Difference, differencesIn, historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { knownVersion, openFiles } from "./files.ts";

interface CheckOptions {
  readonly roomVersion?: string;
  readonly json?: true;
}

interface Checked {
  readonly file: string;
  readonly isOk: boolean;
  readonly rooms: readonly { readonly id: string; readonly version: string }[];
  readonly events: number;
  readonly ids: IdChecks;
  /** How many keys files expect, and those that are otherwise. */
  readonly expected: number;
  readonly differences: readonly Difference[];
  readonly problems: readonly string[];
  readonly gaps: readonly { readonly id: string; readonly citedBy: number }[];
  readonly servers: readonly ServerCounts[];
}

interface ServerCounts {
  readonly name: string;
  readonly arrived: number;
  readonly missing: number;
  readonly rejected: number;
  readonly softFailed: number;
}

export async function check(files: readonly string[], options: CheckOptions): Promise<void> {
  const version = options.roomVersion === undefined ? undefined : knownVersion(options.roomVersion);
  const checked: Checked[] = [];
  for (const file of files) checked.push(checkRun(file, await openFiles([file], version)));
  if (checked.some(({ isOk }) => !isOk)) process.exitCode = 1;
  if (options.json) printJson(checked);
  else for (const one of checked) show(one);
}

function checkRun(file: string, run: Run): Checked {
  const ids = checkIds(run);
  // Histories are costly, and nothing else asks for them.
  const differences =
    run.expected.size === 0
      ? []
      : run.rooms.flatMap((room) => differencesIn(run, historyOf(run, room)));
  const expected = [...run.expected.values()].reduce((sum, state) => sum + state.size, 0);
  return {
    file,
    isOk: differences.length === 0 && ids.differing.length === 0,
    rooms: run.rooms.map(({ id, version }) => ({ id, version: version.id })),
    events: run.pdus.length,
    ids,
    expected,
    differences,
    problems: run.problems.map(problemText),
    gaps: run.gaps.map(({ eventId, citedBy }) => ({ id: eventId, citedBy: citedBy.length })),
    servers: serversOf(run),
  };
}

function serversOf({ servers, arrivals, pdus }: Run): readonly ServerCounts[] {
  return servers.flatMap(({ name }, server) => {
    const own = arrivals.filter((arrival) => arrival.server === server);
    if (own.length === 0) return [];
    const rows = new Set(own.flatMap(({ row }) => row ?? []));
    return {
      name,
      arrived: rows.size,
      missing: pdus.length - rows.size,
      rejected: own.filter(({ verdict }) => verdict === "rejected").length,
      softFailed: own.filter(({ verdict }) => verdict === "soft_failed").length,
    };
  });
}

function show({ file, isOk, rooms, events, ids, ...rest }: Checked): void {
  const of = rooms.map(({ id, version }) => `${shown(id)} (version ${version})`).join(", ");
  const verdict = isOk ? colour.green("ok") : colour.red("not ok");
  print(`${verdict} ${file}: ${events} events${of === "" ? "" : ` of ${of}`}`);
  const { matching, calculated, unknown, differing } = ids;
  print(
    `  ids: ${matching} match, ${calculated} calculated, ${unknown} can not be checked, ${differing.length} differ`,
  );
  for (const { id, calculated } of differing) print(`  id ${shown(id)} should be ${calculated}`);
  if (rest.expected > 0) {
    print(
      `  expected: ${rest.expected - rest.differences.length} of ${rest.expected} keys are as expected`,
    );
  }
  for (const { after, key, expected, actual } of rest.differences) {
    print(
      `  after ${shown(after)}: ${shown(key)} should be ${shown(expected ?? "absent")}, is ${shown(actual ?? "absent")}`,
    );
  }
  for (const problem of rest.problems) print(`  not read: ${shownLine(problem)}`);
  for (const { id, citedBy } of rest.gaps)
    print(`  missing ${shown(id)}, which ${citedBy} events refer to`);
  for (const { name, arrived, missing, rejected, softFailed } of rest.servers) {
    print(
      `  ${shown(name)}: ${arrived} events, without ${missing}; ${rejected} rejected, ${softFailed} soft-failed`,
    );
  }
}

/** A problem may quote a file. */
function shownLine(text: string): string {
  return (text.match(/.{1,70}/gsu) ?? []).map(shown).join("");
}
