/**
 * What a client shows: a pure fold of sliding sync answers. A view is forked before each request and kept when the answer
 * has been processed, so that a dropped answer leaves no trace.
 */
import { isStub, type RoomResult, type SlidingResponse, type SyncEvent } from "./response.ts";

/** A run of events without a hole, oldest first. */
export type Segment = readonly SyncEvent[];

export interface RoomView {
  readonly membership: RoomResult["membership"];
  readonly name: string | null | undefined;
  readonly avatar: string | null | undefined;
  readonly heroes: RoomResult["heroes"];
  readonly isDm: boolean | undefined;
  readonly joinedCount: number | undefined;
  readonly invitedCount: number | undefined;
  readonly bumpStamp: number | undefined;
  /** By `type|state_key`. Only what was asked for. */
  readonly state: ReadonlyMap<string, SyncEvent>;
  readonly strippedState: RoomResult["stripped_state"];
  /** The newest last; between two there may be events that the client does not have. */
  readonly timeline: readonly Segment[];
  /** Ids of the events that were ever in the timeline since the room was last sent whole. */
  readonly delivered: ReadonlySet<string>;
}

const NOTHING: RoomView = {
  membership: undefined,
  name: undefined,
  avatar: undefined,
  heroes: undefined,
  isDm: undefined,
  joinedCount: undefined,
  invitedCount: undefined,
  bumpStamp: undefined,
  state: new Map(),
  strippedState: undefined,
  timeline: [],
  delivered: new Set(),
};

export class View {
  readonly rooms: ReadonlyMap<string, RoomView>;
  readonly counts: Readonly<Record<string, number>>;

  constructor(
    rooms: ReadonlyMap<string, RoomView> = new Map(),
    counts: Readonly<Record<string, number>> = {},
  ) {
    this.rooms = rooms;
    this.counts = counts;
  }

  room(id: string): RoomView | undefined {
    return this.rooms.get(id);
  }

  /** The view after an answer; this one stays as it is. */
  with({ rooms, counts }: SlidingResponse): View {
    const next = new Map(this.rooms);
    for (const [id, result] of Object.entries(rooms)) next.set(id, foldRoom(next.get(id), result));
    return new View(next, { ...this.counts, ...counts });
  }
}

/** `initial` replaces; otherwise what is left out is unchanged, and null unsets (MSC4186 §RoomResult). */
function foldRoom(before: RoomView | undefined, result: RoomResult): RoomView {
  const base = before === undefined || result.initial === true ? NOTHING : before;
  const { timeline = [], limited = false, required_state: entries = [] } = result;
  const state = new Map(base.state);
  for (const entry of entries) {
    const key = stateKeyOf(entry);
    if (isStub(entry)) state.delete(key);
    else state.set(key, entry as SyncEvent);
  }
  const kept = <Key extends keyof RoomResult>(key: Key, old: RoomResult[Key]): RoomResult[Key] =>
    Object.hasOwn(result, key) ? result[key] : old;
  return {
    membership: kept("membership", base.membership),
    name: kept("name", base.name),
    avatar: kept("avatar", base.avatar),
    // A name takes the place of heroes.
    heroes: kept("heroes", typeof result.name === "string" ? undefined : base.heroes),
    isDm: kept("is_dm", base.isDm),
    joinedCount: kept("joined_count", base.joinedCount),
    invitedCount: kept("invited_count", base.invitedCount),
    bumpStamp: kept("bump_stamp", base.bumpStamp),
    state,
    strippedState: kept("stripped_state", base.strippedState),
    timeline: extended(base.timeline, timeline, {
      isGap: limited,
      isExpanded: result.expanded_timeline === true,
    }),
    delivered: new Set([...base.delivered, ...timeline.map(({ event_id }) => event_id)]),
  };
}

function extended(
  before: readonly Segment[],
  events: Segment,
  { isGap, isExpanded }: { isGap: boolean; isExpanded: boolean },
): readonly Segment[] {
  if (events.length === 0) return before;
  const last = before.at(-1) ?? [];
  if (isExpanded) {
    // The newest events anew, from further back: what goes before them stays.
    const ids = new Set(events.map(({ event_id }) => event_id));
    const older = last.filter(({ event_id }) => !ids.has(event_id));
    const isConnected = older.length < last.length;
    return isConnected ? [...before.slice(0, -1), orderedUnion(last, events)] : [...before, events];
  }
  if (isGap || last.length === 0) return last.length === 0 ? [events] : [...before, events];
  return [...before.slice(0, -1), [...last, ...events]];
}

/** Two runs that overlap, as one. */
function orderedUnion(known: Segment, events: Segment): Segment {
  const ids = new Set(events.map(({ event_id }) => event_id));
  const first = known.findIndex(({ event_id }) => ids.has(event_id));
  const older = known.slice(0, first).filter(({ event_id }) => !ids.has(event_id));
  return [...older, ...events];
}

/** `type|state_key`. */
export function stateKeyOf(event: {
  readonly type: string;
  readonly state_key?: string | undefined;
}): string {
  return `${event.type}|${event.state_key ?? ""}`;
}

/** Membership as a client of the unstable dialect has to guess it: by its own member event. */
export function membershipIn(room: RoomView, userId: string): string | undefined {
  if (room.membership !== undefined) return room.membership;
  const stripped = room.strippedState?.find(
    ({ type, state_key }) => type === "m.room.member" && state_key === userId,
  );
  const own = room.state.get(`m.room.member|${userId}`) ?? ownInTimeline(room, userId);
  const { membership } = own?.content ?? stripped?.content ?? {};
  return typeof membership === "string" ? membership : undefined;
}

function ownInTimeline({ timeline }: RoomView, userId: string): SyncEvent | undefined {
  return timeline
    .flat()
    .findLast(({ type, state_key }) => type === "m.room.member" && state_key === userId);
}
