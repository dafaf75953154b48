import type { JournalView } from "#chaos/journal/view";
import type { Checker, Looking } from "./checker.ts";
import { expectedOf, type QuietRoom, quietRooms } from "./quiet-room.ts";
import { isLost, isRevoked, type Reset, resetsBefore } from "./resets.ts";
import { type Change, changesIn } from "./walks.ts";

export const noStateReset: Checker = {
  name: "no-state-reset",
  statement:
    "a key goes back to an older event, or to none, only where something sent beside it revokes it",
  requirement: "FED.chaos.no-state-reset",
  look(view, epoch, looking) {
    const told = new Set<string>();
    for (const quiet of quietRooms(view, epoch)) lookAtMerges(quiet, looking, told);
    for (const change of changesIn(view, epoch)) lookAtChange(view, change, looking, told);
  },
};

/** What the rules themselves have lost where branches met. */
function lookAtMerges(quiet: QuietRoom, looking: Looking, told: Set<string>): void {
  const { room, view, epoch, states } = quiet;
  const { history } = room;
  if (history === undefined) {
    looking.because("no events of a room of a known version were seen");
    return;
  }
  const { first } = view.span(epoch);
  const isNew = new Set(
    view.during("pdu", epoch).flatMap(({ seq, event_id: id }) => (seq >= first ? id : [])),
  );
  const found = new Map<string, { reset: Reset; servers: string[] }>();
  for (const [server, { extremities }] of states) {
    looking.at(room.ancestors(extremities).size);
    for (const reset of resetsBefore(room, extremities, isNew)) {
      const key = `${room.id} ${reset.lost}`;
      const known = found.get(key) ?? { reset, servers: [] };
      known.servers.push(server);
      found.set(key, known);
    }
  }
  for (const [key, { reset, servers }] of found) {
    told.add(key);
    looking.find({
      outcome: "known-protocol-reset",
      matter: "protocol",
      class: reset.resetClass,
      requirement: "FED.chaos.no-state-reset",
      what: `${reset.key} went back from ${reset.lost} to ${reset.instead ?? "nothing"}, as the rules say`,
      room: room.id,
      servers,
      events: [reset.lost, reset.instead ?? []].flat(),
    });
  }
}

/** What a server has lost between two looks. */
function lookAtChange(
  view: JournalView,
  { room, before, after }: Change,
  looking: Looking,
  told: Set<string>,
): void {
  const state = room.stateOf(after.state);
  for (const [key, lost] of Object.entries(before.state)) {
    const instead = after.state[key];
    looking.at();
    if (instead === lost || told.has(`${room.id} ${lost}`)) continue;
    if (room.get(lost) === undefined || !isLost(room, lost, instead)) continue;
    if (isRevoked(room, lost, state)) continue;
    told.add(`${room.id} ${lost}`);
    const finding = {
      what: `${key} went back from ${lost} to ${instead ?? "nothing"} on ${view.label(after.server)}`,
      room: room.id,
      servers: [after.server],
      events: [lost, instead ?? []].flat(),
    };
    const expected = expectedOf(room, after);
    if (expected === undefined) {
      const what = `${finding.what}; what it has is not known`;
      looking.find({ outcome: "unknown", ...finding, what });
    } else if (expected[key] !== instead) {
      const what = `${finding.what}, which the rules do not give`;
      const requirement = "FED.chaos.state-oracle";
      looking.find({ outcome: "fail", matter: "server", requirement, ...finding, what });
    } else if (!room.ancestors(after.extremities).has(lost)) {
      // As after a join by way of another server. What it must not lose is for other checkers.
      const what = `${finding.what}, as it has no more what it had`;
      looking.find({ outcome: "reported", matter: "server", ...finding, what });
    } else {
      looking.find({
        outcome: "known-protocol-reset",
        matter: "protocol",
        class: "other",
        requirement: "FED.chaos.no-state-reset",
        ...finding,
      });
    }
  }
}
