import { membershipOf } from "#chaos/journal/journal-room";
import type { Finding } from "#chaos/journal/record";
import type { JournalView } from "#chaos/journal/view";
import type { Via } from "#harness/replay/record";
import { type Checker, type Looking, some } from "./checker.ts";
import { isOwed, isSurelyVisible } from "./delivery.ts";
import { quietRooms } from "./quiet-room.ts";

export const timelineUnique: Checker = {
  name: "timeline-unique",
  statement: "no event comes twice in the timeline of one client, and a gap is marked as limited",
  requirement: "FED.txn.response-lost",
  look(view, epoch, looking) {
    for (const timeline of timelines(view, epoch)) {
      lookForDoubles(view, timeline, looking);
      lookForHoles(view, epoch, timeline, looking);
    }
  },
};

/** What comes in other ways is history, which clients ask for. */
const NEWS: ReadonlySet<Via> = new Set(["created", "send", "get_missing_events"]);

/** What a client was told of a room since it is in it. */
interface Timeline {
  readonly server: string;
  readonly user: string;
  readonly room: string;
  /** Events of the first answer. */
  readonly first: readonly string[];
  isLimited: boolean;
  isJoined: boolean;
  /** How often each event came. */
  readonly events: Map<string, number>;
  /** Those that came again in this epoch. */
  readonly doubles: Set<string>;
  /** Those that came again behind a mark of a gap, at which clients begin anew. */
  readonly repeats: Set<string>;
}

function timelines(view: JournalView, epoch: number): readonly Timeline[] {
  const { first } = view.span(epoch);
  const found = new Map<string, Timeline>();
  for (const { seq, server, user, room, section, timeline, limited } of view.until("sync", epoch)) {
    const key = `${server} ${user} ${room}`;
    const known = found.get(key);
    const isJoined = section === "join";
    // Who comes back is told what he may have been told before, also when he was away between two answers only.
    const isBack =
      isJoined && known !== undefined && (!known.isJoined || hasLeft(view, room, user, timeline));
    const isNew = known === undefined || isBack;
    const one = isNew
      ? start({ server, user, room, first: timeline.map((event) => event.event_id) })
      : known;
    found.set(key, one);
    one.isJoined = isJoined;
    // The first answer is cut off where it begins.
    if (!isNew && limited) one.isLimited = true;
    const again = !isNew && limited ? one.repeats : one.doubles;
    for (const { event_id: id } of timeline) {
      const count = (one.events.get(id) ?? 0) + 1;
      one.events.set(id, count);
      if (count > 1 && seq >= first) again.add(id);
    }
  }
  return [...found.values()];
}

/** Whether a timeline tells that its reader was out of the room. */
function hasLeft(
  view: JournalView,
  room: string,
  user: string,
  timeline: readonly { readonly event_id: string }[],
): boolean {
  return timeline.some(({ event_id: id }) => {
    const event = view.rooms.get(room)?.get(id)?.event;
    const membership = event?.stateKey === user ? membershipOf(event) : undefined;
    return membership !== undefined && membership !== "join";
  });
}

function start(place: Pick<Timeline, "server" | "user" | "room" | "first">): Timeline {
  return {
    ...place,
    isLimited: false,
    isJoined: false,
    events: new Map(),
    doubles: new Set(),
    repeats: new Set(),
  };
}

function lookForDoubles(
  view: JournalView,
  { server, user, room, events, doubles, repeats }: Timeline,
  looking: Looking,
): void {
  looking.at(events.size);
  const tell = (twice: readonly string[], finding: Pick<Finding, "outcome" | "requirement">) => {
    if (twice.length === 0) return;
    const what = `${view.label(server)} tells ${user} more than once of ${some("event", twice)}`;
    looking.find({ ...finding, matter: "server", what, room, servers: [server], events: twice });
  };
  tell([...doubles], { outcome: "fail", requirement: "FED.txn.response-lost" });
  tell([...repeats], { outcome: "reported" });
}

/** What his server has to have, and was told to nobody although nothing marks a gap; with something later, so that it is no delay. */
function lookForHoles(
  view: JournalView,
  epoch: number,
  { server, user, room: id, first, isLimited, isJoined, events }: Timeline,
  looking: Looking,
): void {
  const quiet = quietRooms(view, epoch).find(({ room }) => room.id === id);
  const { room, truth } = quiet ?? {};
  if (room === undefined || truth === undefined || isLimited || !isJoined) return;
  const has = room.ancestors(quiet?.states.get(server)?.extremities ?? []);
  const isNews = new Set(
    view
      .until("arrive", epoch)
      .flatMap((one) => (one.server === server && NEWS.has(one.via) ? one.event_id : [])),
  );
  const missing = [...has].filter((event) => {
    if (!isNews.has(event) || events.has(event) || !first.some((one) => room.isBefore(one, event)))
      return false;
    const isLater = [...events.keys()].some((later) => room.isBefore(event, later));
    return isLater && isOwed(room, event, server) && isSurelyVisible(room, event, user, truth);
  });
  if (missing.length === 0) return;
  looking.find({
    outcome: "reported",
    matter: "server",
    what: `${view.label(server)} never told ${user} of ${some("event", missing)}, and marked no gap`,
    room: id,
    servers: [server],
    events: missing,
  });
}
