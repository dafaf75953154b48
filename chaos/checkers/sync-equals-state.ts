import { membershipOf } from "#chaos/journal/journal-room";
import type { JournalView, RecordOf } from "#chaos/journal/view";
import { type Checker, type Looking, some } from "./checker.ts";
import { differingKeys, type QuietRoom, quietRooms } from "./quiet-room.ts";

export const syncEqualsState: Checker = {
  name: "sync-equals-state",
  statement: "what a client folded of all it was told is the state of the room",
  requirement: "FED.chaos.sync-equals-state",
  look(view, epoch, looking) {
    const rooms = new Map(quietRooms(view, epoch).map((quiet) => [quiet.room.id, quiet]));
    const isAfter = new Map<string, boolean>();
    for (const { user, room, is_state_after: after } of view.until("sync", epoch)) {
      isAfter.set(`${user} ${room}`, after && isAfter.get(`${user} ${room}`) !== false);
    }
    for (const folded of view.during("view", epoch)) {
      const quiet = rooms.get(folded.room);
      if (quiet === undefined) continue;
      lookAt(quiet, folded, isAfter.get(`${folded.user} ${folded.room}`) === true, looking);
    }
  },
};

function lookAt(
  quiet: QuietRoom,
  folded: RecordOf<"view">,
  isAfter: boolean,
  looking: Looking,
): void {
  const { view, room, states } = quiet;
  const { server, user, keys, source } = folded;
  const sample = states.get(server);
  if (sample === undefined) return;
  const { state } = sample;
  if (!isJoined(view, room.id, state[`m.room.member|${user}`])) return;
  const isAsked = (key: string) => keys === undefined || keys.includes(key);
  const later = toldAfter(quiet, sample);
  const wrong = differingKeys(state, folded.state).filter((key) => isAsked(key) && !later.has(key));
  const gone = wrong.filter((key) => state[key] === undefined && wasThere(quiet, folded, key));
  const amiss = wrong.filter((key) => !gone.includes(key));
  const isJudged = source === "sliding-sync" || isAfter;
  if (isJudged || amiss.length === 0) looking.at();
  const about = (differing: readonly string[]) => ({
    what: `${user} has by ${source} another state than ${view.label(server)}: ${some("key", differing)}`,
    room: room.id,
    servers: [server],
    events: [
      ...new Set(differing.flatMap((key) => [folded.state[key] ?? [], state[key] ?? []].flat())),
    ],
  });
  if (gone.length > 0) {
    // Answers list events: none says that a key has none any more.
    const finding = about(gone);
    const what = `${finding.what}; no sync can tell that a key is gone`;
    looking.find({ outcome: "reported", matter: "protocol", ...finding, what });
  }
  if (amiss.length === 0) return;
  const finding = about(amiss);
  if (!isJudged) {
    looking.because("the server does not offer state_after, without which folding may be wrong");
    const what = `${finding.what}; without state_after that is right after some forks`;
    looking.find({ outcome: "reported", ...finding, what });
  } else if (source === "sliding-sync") {
    looking.find({ outcome: "reported", matter: "server", ...finding });
  } else {
    const requirement = "FED.chaos.sync-equals-state";
    looking.find({ outcome: "fail", matter: "server", requirement, ...finding });
  }
}

/** Keys of the room that the server has told any of its clients news of after the look at its state. */
function toldAfter(
  { view, epoch }: QuietRoom,
  { seq, server, room }: RecordOf<"state">,
): Set<string> {
  const told = view
    .until("sync", epoch)
    .filter((sync) => sync.seq > seq && sync.server === server && sync.room === room);
  return new Set(
    told.flatMap(({ timeline, state }) => [
      ...timeline.flatMap(({ key }) => key ?? []),
      ...Object.keys(state),
    ]),
  );
}

/** Whether what the client has at the key can have been in the state of its server before. */
function wasThere({ room, states }: QuietRoom, folded: RecordOf<"view">, key: string): boolean {
  const id = folded.state[key];
  const one = id === undefined ? undefined : room.get(id);
  if (id === undefined || one === undefined || one.rejection !== undefined) return false;
  return room.ancestors(states.get(folded.server)?.extremities ?? []).has(id);
}

/** Others are not told what happens; without the event, who asked the server for a state is taken for joined. */
function isJoined(view: JournalView, roomId: string, id: string | undefined): boolean {
  if (id === undefined) return false;
  const event = view.rooms.get(roomId)?.get(id)?.event;
  return event === undefined || membershipOf(event) === "join";
}
