/** `crucible resolve`: the state that a file's events resolve to, and why. Needs no server. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { print, printJson } from "#cli/io";
import { describe, HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import {
  compileDag,
  DAG_FORMAT,
  type DagFile,
  namedState,
  parseDagFile,
} from "#protocol/dag/dag-file";
import { parseRoomFile } from "#protocol/dag/room-file";
import { ROOM_VERSIONS, type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { EventGraph } from "#protocol/state/event-graph";
import { explainStep } from "#protocol/state/explain";
import { resolveState } from "#protocol/state/resolve";
import { RoomHistory } from "#protocol/state/room-history";
import type { ResolutionStep } from "#protocol/state/trace";
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

interface Difference {
  readonly key: string;
  readonly expected: string | null;
  readonly actual: string | null;
  /** In a room file: after which event. */
  readonly after?: string;
}

export function resolveCommand(): Command {
  const command = new Command("resolve")
    .description(
      "resolve the state of event graphs in files; exit code 1 when a file expects another",
    )
    .argument("<file...>", "DAG files, rooms as NDJSON or JSON array, scenario files (JSON5)")
    .option(
      "--room-version <id>",
      "in this version; for DAG files all that they expect, for rooms their own unless given (repeatable)",
      collect,
      [],
    )
    .option("--trace", "tell every decision")
    .option(
      "--json",
      "an array of {file, roomVersion, state, differences?, rejected?, problems?, trace?}",
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

function resolve(files: readonly string[], options: Options): void {
  const versions = options.roomVersion.map(knownVersion);
  const resolutions = files.flatMap((file) => resolveFile(file, versions, options.trace === true));
  if (resolutions.some(({ differences = [] }) => differences.length > 0)) process.exitCode = 1;
  if (options.json) printJson(resolutions);
  else for (const resolution of resolutions) show(resolution);
}

function resolveFile(
  file: string,
  versions: readonly RoomVersion[],
  isTraced: boolean,
): readonly Resolution[] {
  const text = read(file);
  try {
    const dag = tryDag(text);
    if (dag === undefined) return resolveRoom(file, text, versions, isTraced);
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

function resolveRoom(
  file: string,
  text: string,
  versions: readonly RoomVersion[],
  isTraced: boolean,
): readonly Resolution[] {
  const asked = versions.length > 0 ? versions : [undefined];
  return asked.map((version) => {
    const room = parseRoomFile(text, { name: file, version });
    const history = new RoomHistory(room.events, room.version, { givenStates: room.givenStates });
    const trace: ResolutionStep[] = [];
    const state = history.stateAfter(
      history.extremities,
      isTraced ? (step) => trace.push(step) : undefined,
    );
    const differences = [...room.expected].flatMap(([id, expected]) => {
      const after = history.named(history.get(id)?.after ?? new Int32Array(0));
      return differencesOf(expected, pick(after, Object.keys(expected))).map((difference) => ({
        ...difference,
        after: id,
      }));
    });
    return {
      file,
      roomVersion: room.version.id,
      state: history.named(state),
      ...(room.expected.size === 0 ? {} : { differences }),
      rejected: history.events.flatMap(({ event, rejection }) =>
        rejection === undefined ? [] : [{ id: event.id, ...rejection }],
      ),
      ...(room.problems.length === 0 ? {} : { problems: room.problems }),
      ...(isTraced ? { trace } : {}),
    };
  });
}

function show({ file, roomVersion: version, state, ...rest }: Resolution): void {
  const { differences, rejected = [], problems = [], trace = [] } = rest;
  const verdict =
    differences === undefined
      ? ""
      : differences.length === 0
        ? ": as expected"
        : ": not as expected";
  print(`${file}, room version ${version}${verdict}`);
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

function pick(state: NamedState, keys: readonly string[]): NamedState {
  return Object.fromEntries(Object.entries(state).filter(([key]) => keys.includes(key)));
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

function knownVersion(id: string): RoomVersion {
  const version = roomVersion(id);
  if (version !== undefined) return version;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no room version ${id}`,
    next: didYouMean(id, [...ROOM_VERSIONS.keys()]),
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} can not be read`,
      facts: [describe(cause)],
      next: "check the path",
      cause,
    });
  }
}
