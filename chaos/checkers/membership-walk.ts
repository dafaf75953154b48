import { type JournalRoom, membershipOf } from "#chaos/journal/journal-room";
import type { JournalView } from "#chaos/journal/view";
import type { Checker, Looking } from "./checker.ts";
import { expectedOf } from "./quiet-room.ts";
import { isRevoked, resetsBefore } from "./resets.ts";
import { type Change, changesIn } from "./walks.ts";

export const membershipWalk: Checker = {
  name: "membership-walk",
  statement: "the memberships of a user, as one server shows them, follow each other legally",
  requirement: "FED.chaos.state-oracle",
  look(view, epoch, looking) {
    for (const change of changesIn(view, epoch)) lookAt(view, change, looking);
  },
};

/** Steps that no single event can make. */
const ILLEGAL = new Set(["ban join", "ban invite", "ban knock", "join invite", "join knock"]);

function lookAt(view: JournalView, { room, before, after }: Change, looking: Looking): void {
  const keys = Object.keys({ ...before.state, ...after.state });
  for (const key of keys.filter((one) => one.startsWith("m.room.member|"))) {
    const [from, to] = [before.state[key], after.state[key]];
    looking.at();
    if (from === to || from === undefined || isWalk(room, from, to)) continue;
    const [was, is] = [from, to ?? ""].map((id) => membershipOf(room.get(id)?.event));
    // Something sent beside it has taken it back.
    if (isRevoked(room, from, room.stateOf(after.state))) continue;
    if (!ILLEGAL.has(`${was} ${is}`) && to !== undefined) continue;
    const finding = {
      what: `${key.slice("m.room.member|".length)} goes from ${was ?? "unknown"} to ${is ?? "nothing"} on ${view.label(after.server)}`,
      room: room.id,
      servers: [after.server],
      events: [from, to ?? []].flat(),
    };
    const expected = expectedOf(room, after);
    if (expected === undefined) looking.find({ outcome: "unknown", ...finding });
    else if (expected[key] !== to) {
      const requirement = "FED.chaos.state-oracle";
      looking.find({ outcome: "fail", matter: "server", requirement, ...finding });
    } else {
      const reset = resetsBefore(room, after.extremities).find(({ lost }) => lost === from);
      looking.find({
        outcome: "known-protocol-reset",
        matter: "protocol",
        class: reset?.resetClass ?? "other",
        ...finding,
      });
    }
  }
}

/** Whether the second event comes of the first one by steps each of which the state before it allows. */
function isWalk(room: JournalRoom, from: string, to: string | undefined): boolean {
  for (let id = to; id !== undefined; ) {
    if (id === from) return true;
    const one = room.get(id);
    if (one === undefined || one.rejection !== undefined) return false;
    id = room.at(one.before, "m.room.member", one.event.stateKey ?? "")?.id;
  }
  return false;
}
