/** Writes the event graph of a DAG file into a room of a peer: the same events, with real users, hashes, ids and signatures. */
import { HarnessError } from "#harness/errors";
import { AuthEvent } from "#protocol/auth/auth-event";
import { PowerLevels } from "#protocol/auth/levels";
import { userLevel } from "#protocol/auth/rules";
import { compileEvent, type DagEvent, type DagFile } from "#protocol/dag/dag-file";
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { resolveState } from "#protocol/state/resolve";
import type { Founding } from "./found.ts";
import type { Pdu } from "./pdu.ts";
import type { PeerRoom } from "./room.ts";
import { type RoomState, slot } from "./room-state.ts";

export interface Stage {
  /** Makes the room, see foundRoom. */
  readonly found: (founding: Founding) => PeerRoom;
  /** The id of the user who plays this one of the file. */
  readonly userId: (user: string) => string;
  /** Lets in whoever watches, once the room has its first join rules. What the file tells of later comes after that. */
  readonly admit: (room: PeerRoom, founder: string) => Promise<void>;
}

export interface WrittenDag {
  readonly file: DagFile;
  readonly room: PeerRoom;
  /** Ids of the file by real event id. */
  readonly names: ReadonlyMap<string, string>;
  readonly sets: readonly WrittenSet[];
}

export interface WrittenSet {
  /** Real event ids, those of who was let in included. */
  readonly state: RoomState;
  /** An event after which the state is this one; undefined: none, so that it takes a lie to claim it. */
  readonly tip: string | undefined;
}

const SECOND_MS = 1000;
/** Ids that are tried for an event; each is signed, which takes milliseconds. */
const MAX_ATTEMPTS = 300;
/** Ids that tell how ids are spread, for each of the events at one time. */
const SAMPLES = 8;

/** @throws HarnessError INTERNAL for a file that does not begin as rooms do. */
export async function writeDag(
  file: DagFile,
  version: string,
  { found, userId, admit }: Stage,
): Promise<WrittenDag> {
  const [create, firstJoin, ...others] = file.events;
  const opening = others.find(({ type }) => type === "m.room.join_rules");
  if (create === undefined || firstJoin?.stateKey !== create.sender || opening === undefined) {
    throw new HarnessError("INTERNAL", {
      what: `${file.id} can not be played`,
      facts: ["a create event, the join of its sender and join rules have to come first"],
    });
  }
  const begin = Date.now() - SECOND_MS * Math.max(...file.events.map(({ ts }) => ts));
  const words = new Map(usersOf(file).map((user) => [user, userId(user)]));
  const founder = words.get(create.sender) ?? create.sender;
  const room = found({
    version,
    creator: founder,
    creation: translate(create.content, words) as JsonObject,
    joinRule: null,
    powerLevels: null,
    originServerTs: begin + SECOND_MS * create.ts,
  });
  const writer = new Writer(room, file.events, words, begin);
  for (const [at, { event }] of [...room.entries].entries()) {
    writer.name([create, firstJoin][at]?.id ?? "", event.id);
  }
  for (const event of others) {
    writer.write(event);
    if (event !== opening) continue;
    await admit(room, founder);
    writer.follow(opening);
  }
  return { file, room, names: writer.names, sets: file.stateSets.map((set) => writer.set(set)) };
}

/** Users who may send messages in each state set, and in what the sets resolve to. */
export function speakersOf({ room, sets }: WrittenDag): readonly string[] {
  const states = sets.map(({ state }) => [...state.values()]);
  const [first, ...others] = [resolveState(room.graph, states), ...states].map((ids) =>
    speakersIn(room, ids),
  );
  return first?.filter((user) => others.every((users) => users.includes(user))) ?? [];
}

function speakersIn(room: PeerRoom, ids: readonly string[]): readonly string[] {
  const events = ids.flatMap((id) => room.find(id)?.event ?? []);
  const find = (wanted: string) => events.find(({ type }) => type === wanted);
  const [create, levels] = [find("m.room.create"), find("m.room.power_levels")];
  if (create === undefined) return [];
  const founding = new AuthEvent(create, room.version);
  const known = levels && new PowerLevels(levels.content);
  return events.flatMap(({ type, stateKey = "", content }) => {
    const isJoined = type === "m.room.member" && content.membership === "join";
    const isHeard =
      userLevel(stateKey, founding, known) >= (known?.required("m.room.message", false) ?? 0);
    return isJoined && isHeard ? stateKey : [];
  });
}

class Writer {
  readonly names = new Map<string, string>();
  readonly #room: PeerRoom;
  readonly #events: readonly DagEvent[];
  /** What the file says, by what the room says: users and `$` with event ids. */
  readonly #words: Map<string, string>;
  readonly #begin: number;
  /** By the time of several events: the first id of each but the first of them. */
  readonly #bounds = new Map<number, readonly string[]>();
  /** What to build on instead of the opening, and what came with it. */
  #follows: ReadonlyMap<string, string> = new Map();
  #admitted: RoomState = new Map();

  constructor(
    room: PeerRoom,
    events: readonly DagEvent[],
    words: Map<string, string>,
    begin: number,
  ) {
    this.#room = room;
    this.#events = events;
    this.#words = words;
    this.#begin = begin;
  }

  name(name: string, eventId: string): void {
    this.names.set(eventId, name);
    this.#words.set(`$${name}`, eventId);
  }

  write(event: DagEvent): void {
    const pdu = this.#build(event);
    this.#room.add(pdu);
    this.name(event.id, pdu.id);
  }

  /** What is to come after an event comes after what the room has grown by since. */
  follow(opening: DagEvent): void {
    const [last = ""] = this.#room.extremities;
    this.#follows = new Map([[opening.id, last]]);
    const state = this.#room.stateAt();
    this.#admitted = new Map([...state].filter(([, id]) => !this.names.has(id)));
  }

  set(named: Readonly<Record<string, string>>): WrittenSet {
    const ids = Object.values(named).map((name) => this.#idOf(name));
    const state = new Map(this.#admitted);
    for (const id of ids) {
      const event = this.#room.find(id)?.event;
      if (event !== undefined) state.set(slot(event.type, event.stateKey ?? ""), id);
    }
    const tip = [...this.#room.entries].findLast(
      ({ after, rejection }) => rejection === undefined && after && areEqual(after, state),
    );
    return { state, tip: tip?.event.id };
  }

  #idOf(name: string): string {
    return this.#words.get(`$${name}`) ?? `$${name}`;
  }

  /** Ids are hashes: where they decide, the event is made anew until its id stands as in the file. */
  #build(event: DagEvent): Pdu {
    const rivals = this.#events.filter(({ ts }) => ts === event.ts).map(({ id }) => id);
    if (rivals.length === 1) return this.#attempt(event, 0);
    const place = rivals.sort().indexOf(event.id);
    const bounds = this.#bounds.get(event.ts) ?? this.#boundsFor(event, rivals.length);
    this.#bounds.set(event.ts, bounds);
    const [from = "", to] = [bounds[place - 1], bounds[place]];
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const pdu = this.#attempt(event, attempt);
      if (pdu.id >= from && (to === undefined || pdu.id < to)) return pdu;
    }
    throw new HarnessError("INTERNAL", {
      what: `${event.id} can not be written: no id in ${MAX_ATTEMPTS} stands where the file has it`,
      next: "give fewer events the same ts",
    });
  }

  /** Parts all ids into as many ranges, about equally likely: order left to chance can leave no room between two. */
  #boundsFor(event: DagEvent, ranges: number): readonly string[] {
    const ids = Array.from({ length: SAMPLES * ranges }, (_, at) => this.#attempt(event, at).id);
    return ids.sort().filter((_, at) => at > 0 && at % SAMPLES === 0);
  }

  #attempt(event: DagEvent, attempt: number): Pdu {
    const [create = event] = this.#events;
    const { type, stateKey, sender, content, redacts, authEvents } = compileEvent(
      event,
      create,
      this.#room.version,
    );
    const word = (text: string) => this.#words.get(text) ?? text;
    return this.#room.build({
      type,
      sender: word(sender),
      content: {
        ...(translate(content, this.#words) as JsonObject),
        ...(attempt === 0 ? {} : { "org.matrix-crucible.attempt": attempt }),
      },
      ...(stateKey === undefined ? {} : { stateKey: word(stateKey) }),
      ...(redacts === undefined ? {} : { redacts: word(redacts) }),
      prevEvents: event.prev.map((name) => this.#follows.get(name) ?? this.#idOf(name)),
      authEvents: authEvents.map(word),
      originServerTs: this.#begin + SECOND_MS * event.ts,
    });
  }
}

/** All that are named, also those who never act: they would have to sign what they vouch for. */
function usersOf({ events }: DagFile): readonly string[] {
  return [...new Set(JSON.stringify(events).match(/(?<=")@[^"]+:[^"]+(?=")/g))];
}

/** With each text that is a word of the one language put into the other, keys included. */
function translate(value: JsonValue, words: ReadonlyMap<string, string>): JsonValue {
  if (typeof value === "string") return words.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item: JsonValue) => translate(item, words));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, item]) => [
      words.get(key) ?? key,
      translate(item, words),
    ]),
  );
}

function areEqual(one: RoomState, other: RoomState): boolean {
  return one.size === other.size && [...one].every(([key, id]) => other.get(key) === id);
}
