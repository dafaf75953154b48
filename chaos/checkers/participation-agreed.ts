import type { Checker, Looking } from "./checker.ts";
import { explained, undelivered } from "./divergence.ts";
import { type QuietRoom, quietRooms } from "./quiet-room.ts";

export const participationAgreed: Checker = {
  name: "participation-agreed",
  statement: "servers agree on which servers have a joined user",
  requirement: "FED.chaos.participation",
  look(view, epoch, looking) {
    for (const quiet of quietRooms(view, epoch)) {
      lookAtStates(quiet, looking);
      lookAtMembers(quiet, looking);
    }
  },
};

/** Every server that ever joined has a say: what it believes of itself, and, when it takes part, what it believes of others. */
function lookAtStates(quiet: QuietRoom, looking: Looking): void {
  const { view, room, truth, states } = quiet;
  if (truth === undefined) {
    looking.because("no events were seen, so that nobody can say who is in a room");
    return;
  }
  const inRoom = room.serversIn(truth);
  const asked = [...states.keys()].filter((one) => quiet.everJoined.has(one));
  if (asked.length < 2) return;
  looking.at(asked.length);
  for (const server of asked) {
    const seen = quiet.seenBy(server);
    const place = { room: room.id, servers: [server] };
    if (seen === undefined) {
      const what = `${view.label(server)} shows members by events that nobody has shown`;
      looking.find({ outcome: "unknown", what, ...place });
      continue;
    }
    // Who has left is told nothing more, so what it believes of others is old.
    const isIn = inRoom.has(server) || seen.has(server);
    const names = [...new Set([...seen, ...inRoom])].filter((one) => isIn || one === server);
    const disputed = names.filter((one) => seen.has(one) !== inRoom.has(one));
    if (disputed.length === 0) continue;
    const named = disputed.map(
      (one) => `${one === server ? "itself" : view.label(one)} ${seen.has(one) ? "in" : "out"}`,
    );
    const finding = {
      what: `${view.label(server)} takes ${named.join(", ")}, which all events together do not give`,
      room: room.id,
      servers: [server, ...disputed.filter((one) => one !== server)],
    };
    looking.find(undelivered(quiet, [server], finding) ?? explained(quiet, [server], finding));
  }
}

/** A server's answers about members have to fit its own state. */
function lookAtMembers(quiet: QuietRoom, looking: Looking): void {
  const { view, room, states, epoch } = quiet;
  for (const answer of view.during("members", epoch)) {
    if (answer.room !== room.id || answer.joined === undefined) continue;
    const state = states.get(answer.server)?.state;
    if (state === undefined) continue;
    const members = Object.entries(state).filter(([key]) => key.startsWith("m.room.member|"));
    const events = members.map(([, id]) => room.get(id)?.event);
    if (events.includes(undefined)) continue;
    looking.at();
    const joined = events.flatMap((event) =>
      event?.content.membership === "join" ? (event.stateKey ?? "") : [],
    );
    const wrong = [
      ...joined.filter((user) => !answer.joined?.includes(user)),
      ...answer.joined.filter((user) => !joined.includes(user)),
    ];
    if (wrong.length === 0) continue;
    looking.find({
      outcome: "reported",
      requirement: "FED.chaos.participation",
      matter: "server",
      what: `joined_members of ${view.label(answer.server)} does not fit its own state about ${wrong.join(", ")}`,
      room: room.id,
      servers: [answer.server],
    });
  }
}
