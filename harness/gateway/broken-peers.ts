/**
 * Servers that are broken on purpose, played by the gateway between servers that are not: what a chaos run must find.
 * Each is a set of scripted rules, so it lives in the gateway's own process.
 *
 * Requests are signed, so a transaction can not be changed: one that holds a PDU to be lost is acknowledged as a whole and
 * delivered not at all. What else is in it can be fetched later, as after any lost transaction; its EDUs are gone. The
 * handshakes of joins, invites and knocks are left alone.
 */
import { createHash } from "node:crypto";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { roomVersion } from "#protocol/rooms/room-version";
import type { LocalRule, RuleMatch, ScriptExchange } from "./rule.ts";

export interface BrokenPeer {
  readonly name: string;
  readonly rules: readonly LocalRule[];
  /** Ids of the events that it has kept from a server so far. */
  readonly kept: ReadonlySet<string>;
}

/** Room version of a room; undefined: not known, its PDUs are then let through. */
export type VersionOf = (roomId: string) => string | undefined;

const API = "/_matrix/federation/v1";
const SEND_JOIN = "/_matrix/federation/v2/send_join/*/*";
/** Servers alone: what the harness asks by peers of its own is the truth. */
const BETWEEN: RuleMatch = { from: "hs*", to: "hs*" };
/** Answers that hold PDUs or their ids: path, and the fields with lists of them (server-server API). */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  [`${API}/get_missing_events/*`]: ["events"],
  [`${API}/backfill/*`]: ["pdus"],
  [`${API}/event/*`]: ["pdus"],
  [`${API}/state/*`]: ["pdus", "auth_chain"],
  [`${API}/state_ids/*`]: ["pdu_ids", "auth_chain_ids"],
  [`${API}/event_auth/*/*`]: ["auth_chain"],
};

/**
 * One of `of` PDUs, chosen by the seed and by what it says, never reaches another server. Ids and times differ whenever a story
 * is told again; what is lost is then the same.
 */
export function dropPdus(options: {
  readonly seed: number | string;
  readonly versionOf: VersionOf;
  readonly of?: number;
}): BrokenPeer {
  const { seed, versionOf, of = 20 } = options;
  // Lists of ids say nothing of what they name.
  const lost = new Set<string>();
  const isLost = (id: string, pdu: JsonObject | undefined): boolean => {
    if (pdu === undefined || lost.has(id)) return lost.has(id);
    const says = JSON.stringify([seed, pdu.type, pdu.content]);
    const isIt = createHash("sha256").update(says).digest().readUInt32BE() % of === 0;
    if (isIt) lost.add(id);
    return isIt;
  };
  return withholding("drop-pdus", BETWEEN, BETWEEN, versionOf, isLost);
}

/** One server is never told of bans. */
export function hideBans(options: {
  readonly server: string;
  readonly versionOf: VersionOf;
}): BrokenPeer {
  const { server, versionOf } = options;
  // Lists of ids say nothing of what they name; bans are known once one has gone over any link.
  const bans = new Set<string>();
  const isBan = (id: string, pdu: JsonObject | undefined): boolean => {
    const { type, content } = pdu ?? {};
    if (type === "m.room.member" && isObject(content) && content.membership === "ban") bans.add(id);
    return bans.has(id);
  };
  const [pushes, pulls] = [
    { ...BETWEEN, to: server },
    { ...BETWEEN, from: server },
  ];
  const peer = withholding("hide-ban", pushes, pulls, versionOf, isBan);
  const learns: LocalRule = {
    name: "hide-ban",
    match: { ...BETWEEN, method: "PUT", path: `${API}/send/*` },
    phase: "before",
    action: {
      kind: "script",
      run: ({ request }) => {
        for (const [id, pdu] of identified(listOf(request, "pdus"), versionOf)) isBan(id, pdu);
        return undefined;
      },
    },
  };
  return { ...peer, rules: [learns, ...peer.rules] };
}

/**
 * One server answers for the state of a room, whatever event is asked for, what it was at the first join that this server
 * took part in since these rules are in force; and nothing for missing events, so that others have to ask for state.
 */
export function oldState(options: { readonly server: string }): BrokenPeer {
  const name = "old-state-ids";
  const { server } = options;
  const first = new Map<string, FirstState>();
  const learns = (link: RuleMatch): LocalRule => ({
    name,
    match: { ...link, path: SEND_JOIN, status: 200 },
    phase: "processed",
    action: {
      kind: "script",
      run: ({ path, answer }) => {
        const room = roomIn(path);
        const state = first.has(room) ? undefined : stateAtJoin(answer);
        if (state !== undefined) first.set(room, state);
        return undefined;
      },
    },
  });
  const lies = (path: string, body: (state: FirstState) => unknown): LocalRule => ({
    name,
    match: { ...BETWEEN, to: server, path, status: 200 },
    phase: "processed",
    action: {
      kind: "script",
      run: ({ path: asked }) => {
        const known = first.get(roomIn(asked));
        return known === undefined ? undefined : { status: 200, body: body(known) };
      },
    },
  });
  const ids = (pdus: FirstState["state"]) => pdus.map(([id]) => id);
  const events = (pdus: FirstState["state"]) => pdus.map(([, pdu]) => pdu);
  return {
    name,
    rules: [
      learns({ ...BETWEEN, from: server }),
      learns({ ...BETWEEN, to: server }),
      lies(`${API}/get_missing_events/*`, () => ({ events: [] })),
      lies(`${API}/state_ids/*`, ({ state, chain }) => ({
        pdu_ids: ids(state),
        auth_chain_ids: ids(chain),
      })),
      lies(`${API}/state/*`, ({ state, chain }) => ({
        pdus: events(state),
        auth_chain: events(chain),
      })),
    ],
    kept: new Set(),
  };
}

/**
 * One of `of` encrypted messages to devices is acknowledged and goes no further, and with it all that were sent in the same
 * request.
 *
 * @param passed how many there were before; it goes on counting there
 */
export function loseToDevice({
  of = 200,
  passed = { count: 0 },
}: {
  readonly of?: number;
  readonly passed?: { count: number };
} = {}): BrokenPeer {
  const name = "lose-to-device";
  const loses: LocalRule = {
    name,
    match: {
      from: "client",
      method: "PUT",
      path: "/_matrix/client/v3/sendToDevice/m.room.encrypted/*",
    },
    phase: "before",
    action: {
      kind: "script",
      run: ({ request }) => {
        const before = Math.floor(passed.count / of);
        passed.count += targetsIn(request);
        return Math.floor(passed.count / of) > before ? { status: 200, body: {} } : undefined;
      },
    },
  };
  return { name, rules: [loses], kept: new Set() };
}

/** How many devices a request of PUT /sendToDevice is for. */
export function targetsIn(request: unknown): number {
  const messages = isObject(request) ? request.messages : undefined;
  const users = isObject(messages) ? Object.values(messages) : [];
  return users.reduce<number>(
    (sum, devices) => sum + (isObject(devices) ? Object.keys(devices).length : 0),
    0,
  );
}

interface FirstState {
  readonly state: readonly [id: string, JsonObject][];
  readonly chain: readonly [id: string, JsonObject][];
}

/** @param path of a request that names its room after the endpoint */
function roomIn(path: string): string {
  return decodeURIComponent(path.split("/")[5] ?? "");
}

/** Undefined when the answer to send_join can not be read. Members that it leaves out are taken from the auth chain. */
function stateAtJoin(answer: unknown): FirstState | undefined {
  const [state, chain] = [listOf(answer, "state"), listOf(answer, "auth_chain")].map((pdus) =>
    pdus.filter(isObject),
  ) as [JsonObject[], JsonObject[]];
  const create = [...state, ...chain].find(({ type }) => type === "m.room.create");
  const named = isObject(create?.content) ? (create.content.room_version ?? "1") : "";
  const version = roomVersion(String(named));
  if (version === undefined) return undefined;
  const byDepth = chain.toSorted((one, other) => Number(one.depth) - Number(other.depth));
  const last = new Map(
    [...byDepth, ...state].map((pdu) => [JSON.stringify([pdu.type, pdu.state_key]), pdu]),
  );
  const identify = (pdu: JsonObject): [string, JsonObject] => [eventId(pdu, version), pdu];
  try {
    return { state: [...last.values()].map(identify), chain: chain.map(identify) };
  } catch {
    return undefined;
  }
}

type IsWithheld = (id: string, pdu: JsonObject | undefined) => boolean;

/**
 * @param pushes which links' transactions lose PDUs.
 * @param pulls which links' answers leave them out.
 */
function withholding(
  name: string,
  pushes: RuleMatch,
  pulls: RuleMatch,
  versionOf: VersionOf,
  isWithheld: IsWithheld,
): BrokenPeer {
  const kept = new Set<string>();
  const withholds: IsWithheld = (id, pdu) => {
    const isIt = isWithheld(id, pdu);
    if (isIt) kept.add(id);
    return isIt;
  };
  const push: LocalRule = {
    name,
    match: { ...pushes, method: "PUT", path: `${API}/send/*` },
    phase: "before",
    action: {
      kind: "script",
      run: ({ request }) => {
        const pdus = identified(listOf(request, "pdus"), versionOf);
        // Every one is looked at, so that `kept` names all that are lost.
        if (pdus.filter(([id, pdu]) => withholds(id, pdu)).length === 0) return undefined;
        return { status: 200, body: { pdus: Object.fromEntries(pdus.map(([id]) => [id, {}])) } };
      },
    },
  };
  const pull = ([path, fields]: [string, readonly string[]]): LocalRule => ({
    name,
    match: { ...pulls, path, status: 200 },
    phase: "processed",
    action: { kind: "script", run: (exchange) => without(exchange, fields, versionOf, withholds) },
  });
  return { name, rules: [push, ...Object.entries(LISTS).map(pull)], kept };
}

/** The answer without what is withheld; undefined when nothing of it is. */
function without(
  { answer, path }: ScriptExchange,
  fields: readonly string[],
  versionOf: VersionOf,
  withholds: IsWithheld,
): { status: number; body: unknown } | undefined {
  if (!isObject(answer)) return undefined;
  const changed: Record<string, unknown> = { ...answer };
  let isChanged = false;
  for (const field of fields) {
    const items = listOf(answer, field);
    const left = items.filter((item) => {
      if (typeof item === "string") return !withholds(item, undefined);
      const id = idOf(item, versionOf);
      return id === undefined || !withholds(id, item as JsonObject);
    });
    if (left.length === items.length) continue;
    changed[field] = left;
    isChanged = true;
  }
  if (!isChanged) return undefined;
  // An event by its id is there or not.
  if (path.startsWith(`${API}/event/`)) {
    return { status: 404, body: { errcode: "M_NOT_FOUND", error: "Could not find event" } };
  }
  return { status: 200, body: changed };
}

function listOf(json: unknown, field: string): readonly unknown[] {
  const list = isObject(json) ? json[field] : undefined;
  return Array.isArray(list) ? list : [];
}

function identified(pdus: readonly unknown[], versionOf: VersionOf): [string, JsonObject][] {
  return pdus.flatMap((pdu) => {
    const id = idOf(pdu, versionOf);
    return id === undefined ? [] : [[id, pdu as JsonObject] as [string, JsonObject]];
  });
}

/** Undefined when its room, the room's version, or what it should have of an id is not known. */
function idOf(pdu: unknown, versionOf: VersionOf): string | undefined {
  if (!isObject(pdu) || typeof pdu.room_id !== "string") return undefined;
  const version = roomVersion(versionOf(pdu.room_id) ?? "");
  if (version === undefined) return undefined;
  try {
    return eventId(pdu, version);
  } catch {
    return undefined;
  }
}
