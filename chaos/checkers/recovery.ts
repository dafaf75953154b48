/** Checkers of how servers come back: in which time, with what behind them, and with what they had. */
import type { JournalRoom } from "#chaos/journal/journal-room";
import { type Finding, OTHER_EXTREMITIES } from "#chaos/journal/record";
import type { JournalView, RecordOf } from "#chaos/journal/view";
import { type Checker, type Looking, some } from "./checker.ts";
import { explained, undelivered } from "./divergence.ts";
import { differingKeys, expectedOf, type QuietRoom, quietRooms } from "./quiet-room.ts";

export const backoffBounded: Checker = {
  name: "backoff-bounded",
  statement: "servers agree within the time that a convergence has, nudged or silent",
  requirement: "FED.chaos.catch-up-nudged",
  look(view, epoch, looking) {
    for (const recovery of view.during("recovery", epoch)) {
      if (recovery.epoch === epoch) lookAtRecovery(view, recovery, looking);
    }
  },
};

function lookAtRecovery(view: JournalView, recovery: RecordOf<"recovery">, looking: Looking): void {
  const { mode, ms, limit_ms: limit, missing, epoch } = recovery;
  looking.at();
  if (ms !== null && ms <= limit) return;
  const took = ms === null ? "never agreed" : `agreed after ${ms} ms`;
  const what = `the servers ${took}, ${mode}, within ${limit} ms: ${missing[0] ?? "nothing was missing"}`;
  const rooms = quietRooms(view, epoch);
  if (ms !== null || rooms.length === 0) {
    const isDuty = mode === "nudged";
    const requirement = isDuty ? "FED.chaos.catch-up-nudged" : "FED.chaos.catch-up-silent";
    const outcome = isDuty ? "fail" : "reported";
    looking.find({ outcome, matter: "server", requirement, what });
    return;
  }
  const reasons = rooms.flatMap((quiet) => whyApart(quiet, what) ?? []);
  for (const reason of reasons) looking.find(reason);
  if (reasons.length > 0) return;
  const other = missing.find((line) => !line.endsWith(OTHER_EXTREMITIES));
  if (other !== undefined) {
    looking.find({
      outcome: "unknown",
      what: `${what}; nothing that is known tells why: ${other}`,
    });
    return;
  }
  const why = "all have the same state and each the events that it should, so only extremities do";
  looking.find({ outcome: "reported", matter: "protocol", what: `${what}; ${why}` });
}

/** Undefined for a room of which the servers have the same, but for forward extremities. */
function whyApart(quiet: QuietRoom, what: string): Finding | undefined {
  const { participants, room, states } = quiet;
  // Who takes itself for joined stays apart as well.
  const servers = [...states.keys()].filter(
    (server) => participants.includes(server) || quiet.seenBy(server)?.has(server),
  );
  const finding = { what, room: room.id, servers };
  const missing = undelivered(quiet, participants, finding);
  if (missing !== undefined) return missing;
  const shown = servers.map((server) => states.get(server)?.state ?? {});
  const isSame = shown.every((state) => differingKeys(state, shown[0] ?? {}).length === 0);
  const isKnown = participants.every((server) => quiet.lacks(server) !== undefined);
  if (isSame && isKnown) return undefined;
  const found = explained(quiet, servers, finding);
  // For a state that the rules do not give other checkers fail.
  return found.outcome === "fail" ? { ...found, outcome: "reported" } : found;
}

const MOST_EXTREMITIES = 10;

export const extremitiesBounded: Checker = {
  name: "extremities-bounded",
  statement: `a room has at most ${MOST_EXTREMITIES} forward extremities when all is quiet`,
  requirement: "FED.chaos.extremities-bounded",
  look(view, epoch, looking) {
    for (const { view: of, room, states } of quietRooms(view, epoch)) {
      for (const { server, extremities } of states.values()) {
        if (extremities.length === 0) continue;
        looking.at();
        if (extremities.length <= MOST_EXTREMITIES) continue;
        looking.find({
          outcome: "reported",
          matter: "server",
          requirement: "FED.chaos.extremities-bounded",
          what: `${of.label(server)} has ${extremities.length} forward extremities`,
          room: room.id,
          servers: [server],
          events: extremities,
        });
      }
    }
  },
};

export const restartSame: Checker = {
  name: "restart-same",
  statement: "a server that comes back has what it had, and what has come since",
  requirement: "FED.chaos.kill-durability",
  look(view, epoch, looking) {
    looking.because("no server was looked at before and after it was restarted");
    const { first } = view.span(epoch);
    const before = new Map<string, RecordOf<"state">>();
    for (const state of view.until("state", epoch)) {
      const place = `${state.room} ${state.server}`;
      const was = before.get(place);
      if (state.moment === "before-restart") before.set(place, state);
      if (state.moment !== "after-restart") continue;
      before.delete(place);
      if (was !== undefined && state.seq >= first) lookAtRestart(view, was, state, looking);
    }
  },
};

function lookAtRestart(
  view: JournalView,
  was: RecordOf<"state">,
  is: RecordOf<"state">,
  looking: Looking,
): void {
  looking.at();
  const keys = differingKeys(was.state, is.state);
  const room = view.rooms.get(is.room);
  const who = view.label(is.server);
  const place = { room: is.room, servers: [is.server] };
  const has = room?.ancestors(is.extremities);
  // What something follows that has come may be covered by what nobody was shown.
  const ends = new Set(room?.endsOf(arrived(view, room, is)));
  const lost = was.extremities.filter(
    (id) => room?.get(id) !== undefined && !has?.has(id) && ends.has(id),
  );
  if (is.extremities.length > 0 && lost.length > 0) {
    looking.find({
      outcome: "fail",
      matter: "server",
      requirement: "FED.chaos.kill-durability",
      what: `${who} comes back without ${some("event", lost)}`,
      events: lost,
      ...place,
    });
    return;
  }
  if (keys.length === 0) return;
  const what = `${who} comes back with another state: ${some("key", keys)}`;
  const events = keys.flatMap((key) => [was.state[key] ?? [], is.state[key] ?? []].flat());
  const isSame = String(was.extremities.toSorted()) === String(is.extremities.toSorted());
  if (isSame && is.extremities.length > 0) {
    const requirement = "FED.chaos.state-equal";
    looking.find({ outcome: "fail", matter: "server", requirement, what, events, ...place });
    return;
  }
  const expected = room === undefined ? undefined : expectedOf(room, is);
  // What came just before the end may have been shown to nobody.
  if (expected === undefined && room !== undefined && isOfArrivals(view, room, is)) return;
  if (expected === undefined) {
    looking.find({ outcome: "unknown", what, events, ...place });
  } else if (differingKeys(expected, is.state).length > 0) {
    const requirement = "FED.chaos.state-oracle";
    looking.find({ outcome: "fail", matter: "server", requirement, what, events, ...place });
  }
}

/** Whether the state is what the rules give for all that had come to the server. */
function isOfArrivals(view: JournalView, room: JournalRoom, is: RecordOf<"state">): boolean {
  const ends = room.endsOf(arrived(view, room, is));
  return room.areWhole(ends) && differingKeys(room.stateAfter(ends), is.state).length === 0;
}

/** Events of the room that had come to the server when it was looked at. */
function arrived(view: JournalView, room: JournalRoom, is: RecordOf<"state">): readonly string[] {
  return view.all("arrive").flatMap(({ seq, server, event_id: id }) => {
    const isHere = seq < is.seq && server === is.server;
    return isHere && room.get(id) !== undefined ? id : [];
  });
}
