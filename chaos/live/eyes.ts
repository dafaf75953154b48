/** What users are shown of a room, server by server: asked for, not listened to. */
import { type HttpResponse, path, type RequestOptions } from "#harness/http/client";
import { at, isObject, listAt } from "#harness/match/json";
import type { StateIds } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import type { JsonObject } from "#protocol/events/event";
import type { Actor, Cast, CastRoom } from "./cast.ts";
import { unlessSilent } from "./silence.ts";
import type { SyncClient } from "./sync-client.ts";
import { stateIds, type Traffic } from "./traffic.ts";

/** A room as a user of one server sees it at one moment. */
export interface Sample {
  readonly role: string;
  readonly user: Actor;
  readonly state: StateIds;
  /** Shown events that nothing follows which the server is known to have. */
  readonly extremities: readonly string[];
  /** Every event that its clients have been shown by /sync, and when first, epoch milliseconds. */
  readonly shown: ReadonlyMap<string, number>;
  /** Server names with joined users, by the state. */
  readonly participants: ReadonlySet<string>;
}

/** `nobody`: no user of this server is joined, as it says itself. `silent`: it gave no answer of use. */
export type Sampled = Sample | "nobody" | "silent";

const TIMEOUT_MS = 5_000;
const PAGE = 250;
const MAX_PAGES = 12;
const FEDERATION = JSON.stringify({ event_format: "federation" });

export class Eyes {
  readonly #cast: Cast;
  readonly #traffic: Traffic;
  readonly #syncs: () => readonly SyncClient[];
  /** Users who were joined when last looked, by room and role. */
  readonly #lookers = new Map<string, Actor>();

  constructor(cast: Cast, traffic: Traffic, syncs: () => readonly SyncClient[]) {
    this.#cast = cast;
    this.#traffic = traffic;
    this.#syncs = syncs;
  }

  /** One sample of a room on a server, by a user whom that server takes for joined. */
  async sample(room: CastRoom, role: string): Promise<Sampled> {
    const key = `${room.id} ${role}`;
    const last = this.#lookers.get(key);
    const others = this.#cast.on(role).filter((actor) => actor !== last);
    let isSilent = false;
    for (const user of [...(last === undefined ? [] : [last]), ...others]) {
      const sample = await this.#sampleBy(user, room);
      if (typeof sample === "object") {
        this.#lookers.set(key, user);
        return sample;
      }
      if (sample === "silent") isSilent = true;
    }
    return isSilent ? "silent" : "nobody";
  }

  /** Events that clients of a server have been shown by /sync, and when the first of them, epoch milliseconds. */
  shown(roomId: string, role: string): ReadonlyMap<string, number> {
    const first = new Map<string, number>();
    for (const sync of this.#syncs()) {
      if (sync.actor.role !== role) continue;
      for (const [event, at] of sync.shown(roomId))
        first.set(event, Math.min(at, first.get(event) ?? at));
    }
    return first;
  }

  /** The state as a user has been told by /sync; undefined: not joined, as far as that goes. */
  told(user: Actor, roomId: string): StateIds | undefined {
    return this.#syncs()
      .find(({ actor }) => actor === user)
      ?.view(roomId);
  }

  async #sampleBy(user: Actor, room: CastRoom): Promise<Sampled> {
    const answer = await ask(user, path`/_matrix/client/v3/rooms/${room.id}/state`);
    if (answer?.status === 403 || answer?.status === 404) return "nobody";
    if (answer?.status !== 200) return (await this.#isJoined(user, room)) ? "silent" : "nobody";
    const { json } = answer;
    const events = (Array.isArray(json) ? json : []).filter(isObject) as JsonObject[];
    const members = events.filter(
      ({ type, content }) => type === "m.room.member" && at(content, "membership") === "join",
    );
    if (!members.some(({ state_key: key }) => key === user.userId)) return "nobody";
    const shown = this.shown(room.id, user.role);
    return {
      role: user.role,
      user,
      state: stateIds(events),
      extremities: this.#traffic.ends(this.#cast.serverName(user.role), room.id, [...shown.keys()]),
      shown,
      participants: new Set(members.map(({ state_key: key }) => domainOf(String(key)))),
    };
  }

  /** True also when there is no answer. */
  async #isJoined(user: Actor, room: CastRoom): Promise<boolean> {
    const answer = await ask(user, "/_matrix/client/v3/joined_rooms");
    const rooms = at(answer?.json, "joined_rooms");
    return !Array.isArray(rooms) || rooms.includes(room.id);
  }

  /** Tells the journal every event of a room that this user is shown and that it does not know; true when that was all. */
  async readAll(user: Actor, room: CastRoom): Promise<boolean> {
    const server = this.#cast.serverName(user.role);
    let from: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { dir: "b", limit: PAGE, filter: FEDERATION, from };
      const answer = await ask(user, path`/_matrix/client/v3/rooms/${room.id}/messages`, { query });
      if (answer?.status !== 200) return false;
      const pdus = pdusIn(answer);
      const isNew = pdus.map((pdu) => this.#traffic.show(pdu, server)).includes(true);
      const end = at(answer.json, "end");
      // What is older was read before.
      if (!isNew || typeof end !== "string") return true;
      from = end;
    }
    return false;
  }

  /** Status of GET /event; 0: no answer. */
  async event(user: Actor, roomId: string, eventId: string): Promise<number> {
    const answer = await ask(user, path`/_matrix/client/v3/rooms/${roomId}/event/${eventId}`);
    return answer?.status ?? 0;
  }

  /** Memberships, and who is joined; undefined: it was refused. */
  async members(
    user: Actor,
    roomId: string,
  ): Promise<
    { members: Readonly<Record<string, string>>; joined?: readonly string[] } | undefined
  > {
    const base = path`/_matrix/client/v3/rooms/${roomId}`;
    const [members, joined] = await Promise.all([
      ask(user, `${base}/members`),
      ask(user, `${base}/joined_members`),
    ]);
    if (members?.status !== 200) return undefined;
    const chunk = listAt(members.json, "chunk").filter(isObject);
    const users = at(joined?.json, "joined");
    return {
      members: Object.fromEntries(
        chunk.map(({ state_key: key, content }) => [
          String(key),
          String(at(content, "membership") ?? ""),
        ]),
      ),
      ...(joined?.status === 200 && isObject(users) ? { joined: Object.keys(users).sort() } : {}),
    };
  }
}

/** Undefined: there was no answer, as servers that are down give none. */
async function ask(
  { session }: Actor,
  target: string,
  options: RequestOptions = {},
): Promise<HttpResponse | undefined> {
  return await unlessSilent(session.request("GET", target, { timeoutMs: TIMEOUT_MS, ...options }));
}

/** Oldest first. */
function pdusIn({ json }: HttpResponse): readonly JsonObject[] {
  const chunk = at(json, "chunk");
  return (Array.isArray(chunk) ? chunk.filter(isObject) : []).reverse() as JsonObject[];
}
