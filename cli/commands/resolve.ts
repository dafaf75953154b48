/** `crucible resolve`: the state that a file's events resolve to, and why. Needs no server. */
import { Command } from "commander";
import { print, printJson } from "#cli/io";
import { knownVersion, readText } from "#cli/tardis/files";
import { describe, HarnessError } from "#harness/errors";
import {
  compileDag,
  DAG_FORMAT,
  type DagFile,
  namedState,
  parseDagFile,
} from "#protocol/dag/dag-file";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { explainStep } from "#protocol/state/explain";
import { resolveState } from "#protocol/state/resolve";
import type { ResolutionStep } from "#protocol/state/trace";
import { loadRun } from "#tardis/formats/load";
import { problemText } from "#tardis/model/problem";
import {
  differencesIn,
  historyOf,
  type Difference as RunDifference,
} from "#tardis/model/room-of-run";
import { collect, withHelp } from "./options.ts";

interface Options {
  readonly roomVersion: readonly string[];
  readonly trace?: true;
  readonly json?: true;
}

type NamedState = Readonly<Record<string, string>>;

/** One file in one version. */
interface Resolution {
  readonly file: string;
  /** Where a file holds several. */
  readonly room?: string;
  readonly roomVersion: string;
  readonly state: NamedState;
  /** Absent: the file expects nothing. */
  readonly differences?: readonly Difference[];
  readonly rejected?: readonly {
    readonly id: string;
    readonly rule: string;
    readonly why: string;
  }[];
  readonly problems?: readonly string[];
  readonly trace?: readonly ResolutionStep[];
}

/** In a room: after which event. */
type Difference = Omit<RunDifference, "after"> & { readonly after?: string };

export function resolveCommand(): Command {
  const command = new Command("resolve")
    .description(
      "resolve the state of event graphs in files; exit code 1 when a file expects another",
    )
    .argument(
      "<file...>",
      "DAG files, rooms, scenarios, replays, and whatever else crucible tardis reads",
    )
    .option(
      "--room-version <id>",
      "in this version; for DAG files all that they expect, for rooms their own unless given (repeatable)",
      collect,
      [],
    )
    .option("--trace", "tell every decision")
    .option(
      "--json",
      "an array of {file, room?, roomVersion, state, differences?, rejected?, problems?, trace?}",
    )
    .action(resolve);
  return withHelp(command, "resolve", {
    notes: "The formats are described in docs/dag-format.md.",
    examples: [
      "scenarios/stories/state-resolution/*.json",
      "room.ndjson --trace",
      "b-ban-cascade.json --room-version 11 --room-version 12 --json",
    ],
  });
}

async function resolve(files: readonly string[], options: Options): Promise<void> {
  const versions = options.roomVersion.map(knownVersion);
  const resolutions: Resolution[] = [];
  for (const file of files) {
    resolutions.push(...(await resolveFile(file, versions, options.trace === true)));
  }
  if (resolutions.some(({ differences = [] }) => differences.length > 0)) process.exitCode = 1;
  if (options.json) printJson(resolutions);
  else for (const resolution of resolutions) show(resolution);
}

async function resolveFile(
  file: string,
  versions: readonly RoomVersion[],
  isTraced: boolean,
): Promise<readonly Resolution[]> {
  const text = readText(file);
  try {
    const dag = tryDag(text);
    if (dag === undefined) return await resolveRooms(file, text, versions, isTraced);
    const asked =
      versions.length > 0 ? versions : [...dag.expected.keys()].map((id) => knownVersion(id));
    return asked.map((version) => resolveDag(file, dag, version, isTraced));
  } catch (cause) {
    if (cause instanceof HarnessError) throw cause;
    throw new HarnessError("BAD_FILE", {
      what: describe(cause).startsWith(file) ? describe(cause) : `${file}: ${describe(cause)}`,
      next: "docs/dag-format.md describes the formats",
      cause,
    });
  }
}

function resolveDag(
  file: string,
  dag: DagFile,
  version: RoomVersion,
  isTraced: boolean,
): Resolution {
  const { events, stateSets, rejected } = compileDag(dag, version);
  const graph = EventGraph.of(events, version, rejected);
  const trace: ResolutionStep[] = [];
  const ids = resolveState(graph, stateSets, isTraced ? (step) => trace.push(step) : undefined);
  const state = namedState(ids, dag);
  const expected = dag.expected.get(version.id);
  return {
    file,
    roomVersion: version.id,
    state,
    ...(expected === undefined ? {} : { differences: differencesOf(expected, state) }),
    ...(isTraced ? { trace } : {}),
  };
}

async function resolveRooms(
  file: string,
  text: string,
  versions: readonly RoomVersion[],
  isTraced: boolean,
): Promise<readonly Resolution[]> {
  const run = await loadRun([{ name: file, text }], { version: versions[0] });
  return run.rooms.flatMap((room) =>
    (versions.length > 0 ? versions : [room.version]).map((version) => {
      const history = historyOf(run, room, version);
      const trace: ResolutionStep[] = [];
      const state = history.stateAfter(
        history.extremities,
        isTraced ? (step) => trace.push(step) : undefined,
      );
      return {
        file,
        ...(run.rooms.length > 1 ? { room: room.id } : {}),
        roomVersion: version.id,
        state: history.named(state),
        ...(run.expected.size === 0 ? {} : { differences: differencesIn(run, history) }),
        rejected: history.events.flatMap(({ event, rejection }) =>
          rejection === undefined ? [] : [{ id: event.id, ...rejection }],
        ),
        ...(run.problems.length === 0 ? {} : { problems: run.problems.map(problemText) }),
        ...(isTraced ? { trace } : {}),
      };
    }),
  );
}

function show({ file, room, roomVersion: version, state, ...rest }: Resolution): void {
  const { differences, rejected = [], problems = [], trace = [] } = rest;
  const verdict =
    differences === undefined
      ? ""
      : differences.length === 0
        ? ": as expected"
        : ": not as expected";
  print(`${file}${room === undefined ? "" : `, ${room}`}, room version ${version}${verdict}`);
  for (const problem of problems) print(`  not read: ${problem}`);
  for (const step of trace) for (const line of explainStep(step)) print(`  | ${line}`);
  for (const { id, rule, why } of rejected) print(`  rejected ${id}: ${rule}, ${why}`);
  for (const [key, id] of Object.entries(state)) print(`  ${key.padEnd(40)} ${id}`);
  for (const { key, expected, actual, after } of differences ?? []) {
    const where = after === undefined ? "" : ` after ${after}`;
    print(`  differs${where}: ${key} should be ${expected ?? "absent"}, is ${actual ?? "absent"}`);
  }
}

function differencesOf(
  expected: Readonly<Record<string, string | null>>,
  actual: NamedState,
): readonly Difference[] {
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...keys]
    .sort()
    .map((key) => ({ key, expected: expected[key] ?? null, actual: actual[key] ?? null }))
    .filter((difference) => difference.expected !== difference.actual);
}

function tryDag(text: string): DagFile | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const format = (json as { format?: unknown } | null)?.format;
  return format === DAG_FORMAT ? parseDagFile(json) : undefined;
}
