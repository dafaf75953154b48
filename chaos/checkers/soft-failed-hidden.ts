import type { JournalRoom } from "#chaos/journal/journal-room";
import type { JournalView, RecordOf } from "#chaos/journal/view";
import { domainOf } from "#protocol/auth/auth-event";
import type { Checker, Looking } from "./checker.ts";
import { mayBeSoftFailed } from "./soft-failure.ts";

export const softFailedHidden: Checker = {
  name: "soft-failed-hidden",
  statement:
    "an event that the state of a server refuses when it comes is not shown to its clients",
  requirement: "FED.dag.soft-fail",
  look(view, epoch, looking) {
    looking.because("no event came that may have been soft-failed");
    const { first } = view.span(epoch);
    const shown = new Map<string, string>();
    for (const { server, user, timeline } of view.until("sync", epoch)) {
      for (const { event_id: id } of timeline) shown.set(`${server} ${id}`, user);
    }
    for (const room of view.rooms.values()) {
      for (const { arrival, why } of softFailures(view, room, epoch)) {
        if (arrival.seq < first) continue;
        looking.at();
        const user = shown.get(`${arrival.server} ${arrival.event_id}`);
        if (user !== undefined) tell(view, room, { arrival, why }, user, looking);
      }
    }
  },
};

type Arrival = RecordOf<"arrive">;
interface SoftFailure {
  readonly arrival: Arrival;
  readonly why: string;
}

function tell(
  view: JournalView,
  room: JournalRoom,
  { arrival, why }: SoftFailure,
  user: string,
  looking: Looking,
): void {
  const { server, event_id: id } = arrival;
  looking.find({
    outcome: "reported",
    matter: "server",
    requirement: "FED.dag.soft-fail",
    what: `${id}, which the state of ${view.label(server)} refused when it came (${why}), was shown to ${user}`,
    room: room.id,
    servers: [server],
    events: [id],
  });
}

/** Arrivals this close to each other may have been looked at in another order. */
const CLOSE_MS = 2_000;

/** Events that a server says it soft-failed, and those that it surely had to by what it had when they came. */
function softFailures(view: JournalView, room: JournalRoom, epoch: number): readonly SoftFailure[] {
  const byServer = new Map<string, Arrival[]>();
  for (const arrival of view.until("arrive", epoch)) {
    if (room.get(arrival.event_id) === undefined) continue;
    const ofServer = byServer.get(arrival.server) ?? [];
    ofServer.push(arrival);
    byServer.set(arrival.server, ofServer);
  }
  return [...byServer.values()].flatMap((arrivals) =>
    arrivals.flatMap((arrival, at) => {
      if (arrival.verdict === "soft_failed") {
        return [{ arrival, why: arrival.reason ?? "as it says itself" }];
      }
      const why = whyRefused(room, arrival, arrivals, at);
      return why === undefined ? [] : [{ arrival, why }];
    }),
  );
}

/** Undefined where the event was allowed, or it is open which state it met. */
function whyRefused(
  room: JournalRoom,
  { event_id: id, server, via, at: when, verdict }: Arrival,
  arrivals: readonly Arrival[],
  place: number,
): string | undefined {
  const one = room.get(id);
  const { history } = room;
  if (one === undefined || history === undefined || via === "created") return undefined;
  // What was asked for may come from before, and what a simulated server says is so.
  if (via !== "send" || verdict === "accepted" || verdict === "rejected") return undefined;
  if (one.rejection !== undefined || domainOf(one.event.sender) === server) return undefined;
  if (!room.areWhole([id]) || !mayBeSoftFailed(room, id)) return undefined;
  const isClose = arrivals.some(
    ({ event_id: other, at }) =>
      Math.abs(at - when) < CLOSE_MS &&
      other !== id &&
      !room.isBefore(other, id) &&
      !room.isBefore(id, other),
  );
  if (isClose) return undefined;
  const has = arrivals.slice(0, place).map(({ event_id: other }) => other);
  // An earlier one that may have been soft-failed is no part of the state, or is.
  if (has.some((other) => mayBeSoftFailed(room, other) && !room.isBefore(other, id)))
    return undefined;
  if (!one.event.prevEvents.every((prev) => has.includes(prev))) return undefined;
  return room.refusal(id, history.stateAfter(room.endsOf(has)));
}
