/** When events come to servers: other orders than those of the recording, and what servers then make of them. */
import type { RoomEvent } from "#protocol/events/event";
import type { RoomHistory } from "#protocol/state/room-history";
import { RunError } from "#tardis/model/problem";
import type { NumberedRecord } from "#tardis/model/run";

/** Events in the state of a room are looked at where they come by these. */
const SOFT_FAILING: ReadonlySet<string> = new Set(["send", "get_missing_events"]);
/** Deciding about more takes too long: then servers are taken to say what they said. */
const MAX_ARRIVALS = 3_000;

export interface Delivery {
  readonly event: string;
  readonly server: string;
  readonly before: string;
}

/**
 * Records in which the event, and what of its ancestors is not there by then, come to a server just before another event.
 *
 * @param records with the ids that they have after all edits, which the delivery names as well
 * @param eventOf by id
 * @throws RunError when there is no such arrival, or the other event is an ancestor
 */
export function delivered(
  records: readonly NumberedRecord[],
  { event, server, before }: Delivery,
  eventOf: (id: string) => RoomEvent | undefined,
): readonly NumberedRecord[] {
  const firstOf = (id: string) =>
    records.findIndex(
      ({ body }) => body.t === "arrive" && body.server === server && body.event_id === id,
    );
  const target = firstOf(before);
  for (const id of [event, before]) {
    if (firstOf(id) < 0) {
      throw new RunError({ file: "edits", what: `${id} does not come to ${server}` });
    }
  }
  const needed = withAncestors(event, eventOf);
  if (needed.has(before)) {
    throw new RunError({ file: "edits", what: `${event} follows ${before}, and comes after it` });
  }
  const isMoved = ({ body }: NumberedRecord, at: number) =>
    at > target &&
    needed.has(String(body.event_id)) &&
    ((body.t === "arrive" && body.server === server) || body.t === "pdu");
  const moved = records.filter(isMoved);
  const rest = records.filter((record, at) => !isMoved(record, at));
  const place = rest.indexOf(records[target] as NumberedRecord);
  return [...rest.slice(0, place), ...moved, ...rest.slice(place)];
}

function withAncestors(
  id: string,
  eventOf: (id: string) => RoomEvent | undefined,
): ReadonlySet<string> {
  const found = new Set([id]);
  for (const one of found) {
    const event = eventOf(one);
    for (const other of event === undefined ? [] : [...event.prevEvents, ...event.authEvents]) {
      found.add(other);
    }
  }
  return found;
}

/** What a server would make of what comes to it, by our own rules. */
export interface Judgement {
  readonly verdict: "accepted" | "rejected" | "soft_failed";
  readonly reason: string | undefined;
}

/**
 * Of each arrival, in order: rejected by its own citations and the state before it, or soft-failed by the state that the
 * server has then; undefined for what says nothing of that kind, and for all when there are too many.
 */
export function judgeArrivals(
  records: readonly NumberedRecord[],
  historyOf: (eventId: string) => RoomHistory | undefined,
): readonly (Judgement | undefined)[] {
  const count = records.filter(({ body }) => body.t === "arrive").length;
  if (count > MAX_ARRIVALS) return records.map(() => undefined);
  const servers = new Map<string, Map<RoomHistory, Extremities>>();
  return records.map(({ body }) => {
    const { t, server, event_id: id, via, verdict } = body;
    if (t !== "arrive" || typeof server !== "string" || typeof id !== "string") return undefined;
    const history = historyOf(id);
    const replayed = history?.get(id);
    if (history === undefined || replayed === undefined || verdict === "outlier") return undefined;
    const rooms = servers.get(server) ?? new Map<RoomHistory, Extremities>();
    servers.set(server, rooms);
    const extremities = rooms.get(history) ?? new Extremities(history);
    rooms.set(history, extremities);
    const { event, rejection } = replayed;
    if (rejection !== undefined) return { verdict: "rejected", reason: rejection.why };
    const refusal =
      SOFT_FAILING.has(String(via)) && !extremities.has(id)
        ? history.refusal(event, extremities.state)
        : undefined;
    if (refusal !== undefined) return { verdict: "soft_failed", reason: refusal.why };
    extremities.take(event);
    return { verdict: "accepted", reason: undefined };
  });
}

/** What a next event of a server would follow. */
class Extremities {
  readonly #history: RoomHistory;
  readonly #taken = new Set<string>();
  readonly #followed = new Set<string>();
  #ids: ReadonlySet<string> = new Set();
  #state: Int32Array | undefined;

  constructor(history: RoomHistory) {
    this.#history = history;
  }

  has(id: string): boolean {
    return this.#taken.has(id);
  }

  get state(): Int32Array {
    this.#state ??= this.#history.stateAfter([...this.#ids]);
    return this.#state;
  }

  take({ id, prevEvents }: RoomEvent): void {
    this.#taken.add(id);
    const left = [...this.#ids].filter((one) => !prevEvents.includes(one));
    this.#ids = new Set(this.#followed.has(id) ? left : [...left, id]);
    for (const one of prevEvents) this.#followed.add(one);
    this.#state = undefined;
  }
}
