import { type JournalRoom, membershipOf } from "#chaos/journal/journal-room";
import type { Checker, Looking } from "./checker.ts";
import { type QuietRoom, quietRooms } from "./quiet-room.ts";
import { isRevoked, resetsBefore } from "./resets.ts";

export const noResurrection: Checker = {
  name: "no-resurrection",
  statement: "a banned user stays banned until somebody with the power to do so lifts the ban",
  requirement: "FED.chaos.ban-holds",
  look(view, epoch, looking) {
    looking.because("nobody was banned");
    for (const quiet of quietRooms(view, epoch)) {
      for (const server of quiet.states.keys()) lookAt(quiet, server, looking);
    }
  },
};

function lookAt(quiet: QuietRoom, server: string, looking: Looking): void {
  const { room, view, states } = quiet;
  const shown = states.get(server);
  if (shown === undefined || room.history === undefined) return;
  const { state, extremities } = shown;
  const has = room.ancestors(extremities);
  const bans = room.history.events.filter(
    ({ event, rejection }) =>
      rejection === undefined && membershipOf(event) === "ban" && has.has(event.id),
  );
  const expected = quiet.expected(server);
  for (const { event: ban } of bans) {
    looking.at();
    const key = `m.room.member|${ban.stateKey}`;
    const now = state[key];
    const membership = membershipOf(room.get(now ?? "")?.event);
    if (membership === "ban" || isLifted(room, ban.id, now)) continue;
    if (isRevoked(room, ban.id, room.stateOf(state))) continue;
    const finding = {
      requirement: "FED.chaos.ban-holds" as const,
      what: `${ban.stateKey} is ${membership ?? "nothing"} on ${view.label(server)} although ${ban.id} bans him`,
      room: room.id,
      servers: [server],
      events: [ban.id, now ?? []].flat(),
    };
    if (expected === undefined) looking.find({ outcome: "unknown", ...finding });
    else if (expected[key] !== now) {
      looking.find({ outcome: "fail", matter: "server", ...finding });
    } else {
      const reset = resetsBefore(room, extremities).find(({ lost }) => lost === ban.id);
      looking.find({
        outcome: "known-protocol-reset",
        matter: "protocol",
        class: reset?.resetClass ?? "other",
        ...finding,
      });
    }
  }
}

/** Whether the event, or one before it, is an unban after the ban: every event was allowed by the state before it. */
function isLifted(room: JournalRoom, ban: string, now: string | undefined): boolean {
  const event = now === undefined ? undefined : room.get(now)?.event;
  if (event === undefined || now === undefined || !room.isBefore(ban, now)) return false;
  for (let id: string | undefined = now; id !== undefined && id !== ban; ) {
    const one = room.get(id);
    if (one === undefined) return false;
    const { stateKey = "", sender } = one.event;
    if (membershipOf(one.event) === "leave" && sender !== stateKey) return true;
    id = room.at(one.before, "m.room.member", stateKey)?.id;
  }
  return false;
}
