/**
 * DAG files (docs/dag-format.md), which searches write: a room of this version, in which each state set is the given state after a
 * message, and one more message follows them all. Events have names and no ids.
 */
import { describe } from "#harness/errors";
import { compileDag, DAG_FORMAT, parseDagFile } from "#protocol/dag/dag-file";
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import { RunError } from "#tardis/model/problem";
import type { Draft, Input, Part } from "./part.ts";

/** Of files that expect nothing. */
const DEFAULT_VERSION = "11";
/** What the message is called in which all states meet. */
const RESOLVED = "$resolved";

export function isDag(value: unknown): value is JsonObject {
  return isObject(value) && value.format === DAG_FORMAT;
}

/** @throws RunError for what is no such file */
export function readDag({ name, value }: Input, asked: RoomVersion | undefined): Part {
  try {
    const dag = parseDagFile(value);
    const version = asked ?? roomVersion([...dag.expected.keys()].at(-1) ?? DEFAULT_VERSION);
    if (version === undefined)
      throw new Error("it expects something of a version that is not known");
    const { events, stateSets, rejected } = compileDag(dag, version);
    const ends = stateSets.map((_, at) =>
      message(`$state-set-${at + 1}`, events.slice(-1), events),
    );
    const all = [...events, ...ends, message(RESOLVED, ends, events)];
    const expected = Object.entries(dag.expected.get(version.id) ?? {});
    const scenario = {
      annotations: { title: dag.title },
      precalculated_state_after: Object.fromEntries(
        ends.map(({ id }, at) => [id, stateSets[at] ?? []]),
      ),
      x_replay: {
        expect: { [RESOLVED]: Object.fromEntries(expected.map(([key, id]) => [key, `$${id}`])) },
      },
    };
    const meta = { t: "meta", format: "mx-replay", version: 1, room_version: version.id, scenario };
    const place = { file: name };
    const drafts: readonly Draft[] = [
      { place, at: undefined, body: meta },
      ...all.map((event, at) => ({
        place: { ...place, field: at < events.length ? `events[${at}]` : "state_sets" },
        at: undefined,
        body: { t: "pdu", event_id: event.id, pdu: pduOf(event, version) },
      })),
    ];
    return {
      format: "dag",
      isOrdered: true,
      versions: new Map([["*", version.id]]),
      creates: [],
      problems: [...rejected].map((id) => ({
        ...place,
        what: `${id} was rejected by the file's word; here our own rules decide`,
      })),
      tell: () => ({ drafts, problems: [] }),
    };
  } catch (error) {
    throw new RunError({
      file: name,
      what: describe(error),
    });
  }
}

/** By who made the room. */
function message(
  id: string,
  after: readonly RoomEvent[],
  [create]: readonly RoomEvent[],
): RoomEvent {
  const last = Math.max(0, ...after.map(({ originServerTs }) => originServerTs));
  return {
    id,
    type: "m.room.message",
    sender: create?.sender ?? "",
    roomId: create?.roomId ?? "",
    content: {},
    authEvents: [],
    prevEvents: after.map((event) => event.id),
    originServerTs: last + 1,
    depth: last + 1,
  };
}

function pduOf(event: RoomEvent, version: RoomVersion): JsonObject {
  const isRoot = version.isRoomIdHash && event.type === "m.room.create";
  return {
    type: event.type,
    ...(event.stateKey === undefined ? {} : { state_key: event.stateKey }),
    sender: event.sender,
    ...(isRoot ? {} : { room_id: event.roomId }),
    content: event.content,
    prev_events: event.prevEvents,
    auth_events: event.authEvents,
    ...(event.redacts === undefined ? {} : { redacts: event.redacts }),
    depth: event.depth,
    origin_server_ts: event.originServerTs,
  };
}
