/** Writes what a source tells of one room as a replay, line by line as it comes; each event once. */
import { at, type Path } from "#harness/match/json";
import type { ArrivalVerdict, Body, StateIds, Via } from "#harness/replay/record";
import { REPLAY_FORMAT } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { withKeys } from "#tardis/model/json";

export interface Recorded {
  readonly room: string;
  readonly version: RoomVersion;
  /** What the page calls it. */
  readonly title: string;
  readonly tool: string;
}

export interface Came {
  /** Whose word it is that the event came there. */
  readonly server: string;
  readonly via: Via;
  readonly verdict: ArrivalVerdict;
  readonly from?: string;
  readonly reason?: string;
  /** Milliseconds since 1970; now unless given. */
  readonly at?: number | undefined;
}

export class Recorder {
  readonly #write: (line: string) => void;
  readonly #about: Recorded;
  readonly #known = new Set<string>();
  readonly #followed = new Set<string>();
  readonly #arrived = new Set<string>();
  #seq = 0;

  /** @param write takes a whole line, with its end */
  constructor(about: Recorded, write: (line: string) => void) {
    this.#about = about;
    this.#write = write;
    const { room, version, title: test, tool } = about;
    this.#add({
      t: "meta",
      format: REPLAY_FORMAT,
      version: 1,
      rooms: [room],
      room_version: version.id,
      run: "live",
      test,
      seed: 0,
      tool,
    });
  }

  get size(): number {
    return this.#known.size;
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  /** Events of those that were told which nothing follows that was told. */
  get extremities(): readonly string[] {
    return [...this.#known].filter((id) => !this.#followed.has(id));
  }

  /**
   * An event in the format of federation, unless it was told before. Returns its id; undefined: it is none, or of another
   * format.
   *
   * @param given its id, as the source tells it; calculated unless given
   */
  event(json: unknown, came: Came, given?: string): string | undefined {
    if (!isObject(json) || !Array.isArray(json.prev_events)) return undefined;
    const { version, room } = this.#about;
    const isGiven = version.eventIds === "given";
    const { event_id: own } = json;
    // From version 12 on a create event has no room id; servers add one for clients.
    const isRoomItself = version.isRoomIdHash && json.type === "m.room.create";
    const lacksRoom = json.room_id === undefined && !isRoomItself;
    // What a server adds for its clients is no part of the event.
    const added = [
      "unsigned",
      ...(isGiven ? [] : ["event_id"]),
      ...(isRoomItself ? ["room_id"] : []),
    ];
    const pdu = withKeys(json, {
      without: added,
      ...(lacksRoom ? { front: { room_id: room } } : {}),
    });
    const id = given ?? (typeof own === "string" ? own : eventId(pdu, version));
    if (!this.#known.has(id)) {
      this.#known.add(id);
      for (const before of idsIn(json.prev_events)) this.#followed.add(before);
      this.#add({ t: "pdu", event_id: id, pdu }, came.at);
    }
    this.#arrive(id, pdu, came);
    return id;
  }

  server(name: string, implementation?: string, version?: string): void {
    this.#add({
      t: "server",
      name,
      ...(implementation === undefined ? {} : { implementation }),
      ...(version === undefined ? {} : { version }),
    });
  }

  /** What a server says that the state of the room is. */
  state(said: Omit<Extract<Body, { t: "state" }>, "t">): void {
    this.#add({ t: "state", ...said });
  }

  note(text: string): void {
    this.#add({ t: "note", text });
  }

  #arrive(
    id: string,
    { sender }: JsonObject,
    { server, via, verdict, from, reason, at }: Came,
  ): void {
    const key = `${server} ${id} ${verdict}`;
    if (this.#arrived.has(key)) return;
    this.#arrived.add(key);
    const isOwn = typeof sender === "string" && domainOf(sender) === server;
    this.#add(
      {
        t: "arrive",
        server,
        event_id: id,
        via: isOwn ? "created" : via,
        ...(from === undefined || isOwn ? {} : { from }),
        verdict,
        ...(reason === undefined ? {} : { reason }),
      },
      at,
    );
  }

  #add(body: Body, at = Date.now()): void {
    this.#write(`${JSON.stringify({ seq: ++this.#seq, at, ...body })}\n`);
  }
}

/** Ids out of prev_events or auth_events; of room versions 1 and 2 they come with hashes. */
export function idsIn(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown) => {
    const id = Array.isArray(one) ? (one[0] as unknown) : one;
    return typeof id === "string" ? [id] : [];
  });
}

/** Objects of a list that may not be there. */
export function objectsAt(value: unknown, ...path: Path): readonly JsonObject[] {
  const list = at(value, ...path);
  return Array.isArray(list) ? list.filter((one): one is JsonObject => isObject(one)) : [];
}

/** By `type|state_key`, of state events as clients get them. */
export function stateIdsOf(events: unknown): StateIds {
  if (!Array.isArray(events)) return {};
  return Object.fromEntries(
    events
      .filter(isObject)
      .map((event) => [`${event.type}|${event.state_key}`, String(event.event_id)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
