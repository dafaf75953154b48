import type { JournalView } from "#chaos/journal/view";
import type { Checker, Looking } from "./checker.ts";

export const rejectedAbsent: Checker = {
  name: "rejected-absent",
  statement: "an event that the rules reject is in no state and in no timeline",
  requirement: "FED.auth.reject-not-in-state",
  look(view, epoch, looking) {
    for (const { room, server, state, extremities } of view.during("state", epoch)) {
      const where = { room, server };
      for (const id of Object.values(state)) lookAt(view, id, where, "in the state", looking);
      for (const id of extremities) lookAt(view, id, where, "an extremity", looking);
    }
    for (const { room, server, user, timeline } of view.during("sync", epoch)) {
      for (const { event_id: id } of timeline) {
        lookAt(view, id, { room, server }, `told to ${user}`, looking);
      }
    }
  },
};

function lookAt(
  view: JournalView,
  id: string,
  { room: roomId, server }: { readonly room: string; readonly server: string },
  what: "in the state" | "an extremity" | `told to ${string}`,
  looking: Looking,
): void {
  const room = view.rooms.get(roomId);
  const one = room?.get(id);
  if (room === undefined || one === undefined) return;
  looking.at();
  const { rejection } = one;
  // Without all that it stands on, who knows.
  if (rejection === undefined || !room.areWhole([id])) return;
  const isInState = what === "in the state";
  looking.find({
    outcome: isInState ? "fail" : "reported",
    matter: "server",
    requirement: isInState ? "FED.auth.reject-not-in-state" : "FED.auth.reject-hidden",
    what: `${id}, which the rules reject (${rejection.rule}: ${rejection.why}), is ${what} on ${view.label(server)}`,
    room: roomId,
    servers: [server],
    events: [id],
  });
}
