/** Where a recording went wrong: the event to look at, and the key and the server to ask about. */
import { differingKeys, hasCome, lastLook } from "#tardis/model/last-look";
import type { Run, Snapshot, Step } from "#tardis/model/run";

export interface Moment {
  readonly row: number;
  readonly view: "why" | "event" | "servers" | "run";
  /** `type|state_key` in which servers differ. */
  readonly key: string | undefined;
  /** Of Run.servers: the one that is alone with what it has. */
  readonly server: number | undefined;
}

const EVENT_ID = /\$[\w+/-]{43}/g;

/** Undefined when nothing failed, or there is no event. */
export function failingMoment(run: Run): Moment | undefined {
  const failed = failedSteps(run);
  const [first] = failed;
  if (first === undefined || run.pdus.length === 0) return undefined;
  const named = failed.flatMap(({ rooms }) => rooms);
  for (const room of new Set([...named, ...run.rooms.map(({ id }) => id)])) {
    for (const step of failed) {
      const moment = inDifference(run, room, step.seq);
      if (moment !== undefined) return moment;
    }
  }
  return (
    atEvent(run, failed) ?? { ...NOTHING, row: lastRow(run, undefined, first.seq), view: "run" }
  );
}

const NOTHING = { key: undefined, server: undefined };

/** Of the first look that found something. Operations that a server refused are a part of the story where checkers judge it. */
function failedSteps({ steps, records }: Run): readonly Step[] {
  const isJudged = records.some(({ body }) => body.t === "verdict");
  const failed = steps.filter(({ isOk, isVerdict }) => isOk === false && isVerdict === isJudged);
  const [first] = failed;
  return isJudged ? failed.filter(({ epoch }) => epoch === first?.epoch) : failed;
}

/** What servers said when they were asked is not the same. */
function inDifference(run: Run, room: string, seq: number): Moment | undefined {
  const look = lastLook(run, room, seq);
  const [key] = differingKeys(look);
  const row = lastRow(run, room, seq);
  return key === undefined || row < 0
    ? undefined
    : { row, view: "why", key, server: alone(run, look, key, seq) };
}

/** Who has not got what others name; else who says what fewest say. */
function alone(run: Run, look: readonly Snapshot[], key: string, seq: number): number | undefined {
  const values = look.map(({ state }) => state.get(key));
  const others = [...new Set(values)].filter((id) => id !== undefined);
  const lacking = look.find(({ server }) => others.some((id) => !hasCome(run, server, id, seq)));
  const count = (id: string | undefined) => values.filter((value) => value === id).length;
  const least = Math.min(...values.map(count));
  return (lacking ?? look.find(({ state }) => count(state.get(key)) === least))?.server;
}

/** What the failures name, else what their texts do. */
function atEvent(run: Run, failed: readonly Step[]): Moment | undefined {
  const told = failed.flatMap(({ message = "" }) => message.match(EVENT_ID) ?? []);
  const rows = new Map(run.pdus.map(({ eventId }, row) => [eventId, row]));
  const ids = [...failed.flatMap(({ events }) => events), ...told];
  const row = ids.map((id) => rows.get(id)).find((at) => at !== undefined);
  if (row === undefined) return undefined;
  const id = run.pdus[row]?.eventId ?? "";
  const recorded = new Set(run.arrivals.map(({ server }) => server));
  const isEverywhere = [...recorded].every((server) =>
    hasCome(run, server, id, Number.POSITIVE_INFINITY),
  );
  return { ...NOTHING, row, view: isEverywhere ? "event" : "servers" };
}

/** Row of the last event, of a room or of all, that was recorded by then; -1 for none. */
function lastRow({ pdus }: Run, room: string | undefined, seq: number): number {
  return pdus.findLastIndex(
    (pdu) => pdu.seq <= seq && (room === undefined || pdu.event.roomId === room),
  );
}

/**
 * Number of the last record that belongs to a row as far as its room goes: what came before the room's next event, or
 * before something failed there.
 */
export function untilOfRoom(run: Run, row: number): number {
  const own = run.pdus[row];
  const next = run.pdus.find(({ event }, at) => at > row && event.roomId === own?.event.roomId);
  const until = next === undefined ? Number.POSITIVE_INFINITY : next.seq - 1;
  const failed = failedSteps(run)[0]?.seq ?? Number.POSITIVE_INFINITY;
  const from = own?.seq ?? Number.POSITIVE_INFINITY;
  return Math.max(own?.seq ?? 0, failed >= from ? Math.min(until, failed) : until);
}

/** What the page's address says behind its name, to be opened there. */
export function fragmentOf({ pdus, servers }: Run, { row, view, key, server }: Moment): string {
  const given = new URLSearchParams({ at: pdus[row]?.eventId ?? "", view });
  if (key !== undefined) given.set("key", key);
  if (server !== undefined) given.set("server", servers[server]?.name ?? "");
  return `#${given}`;
}
