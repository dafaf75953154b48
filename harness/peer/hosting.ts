/** Handlers of a server that hosts rooms: what others need in order to join them, leave them, and fill gaps. */
import { at, isObject, numberAt } from "#harness/match/json";
import { domainOf } from "#protocol/auth/auth-event";
import type { JsonObject } from "#protocol/events/event";
import { type Answer, answer, refusal } from "./answer.ts";
import type { Signer } from "./keys.ts";
import { type Pdu, sign } from "./pdu.ts";
import type { PeerRoom, RoomEntry } from "./room.ts";
import type { Handler, HandlerContext, PeerRequest, Routes } from "./routes.ts";

export interface Host {
  readonly signer: Signer;
  /** Undefined: the room is not served. */
  readonly room: (roomId: string) => PeerRoom | undefined;
  readonly rooms: () => Iterable<PeerRoom>;
  /** Takes an event of another server in. Why not, if it does not. */
  readonly admit: (room: PeerRoom, json: JsonObject) => Promise<string | RoomEntry>;
  /** Sends an event to the other servers of its room. */
  readonly share: (room: PeerRoom, pdu: Pdu, except: string) => void;
}

const BACKFILL_AT_MOST = 100;

/** The routes answer for served rooms only; about others they have nothing to say. */
export function addHosting(routes: Routes, host: Host): void {
  const inRoom =
    (
      handle: (
        room: PeerRoom,
        request: PeerRequest,
        context: HandlerContext,
      ) => ReturnType<Handler>,
    ) =>
    (request: PeerRequest, context: HandlerContext) => {
      const room = host.room(context.parameter("roomId"));
      return room && handle(room, request, context);
    };
  const make = (membership: string) =>
    inRoom((room, { query }, { parameter }) =>
      makeMembership(room, host.signer, membership, parameter("userId"), query.getAll("ver")),
    );
  const send = (conclude: (room: PeerRoom, entry: RoomEntry) => unknown) =>
    inRoom(async (room, { json, authorization }) => {
      if (!isObject(json)) return refusal(400, "M_BAD_JSON");
      const entry = await host.admit(room, vouched(room, json as JsonObject, host.signer));
      if (typeof entry === "string") return refusal(403, "M_FORBIDDEN", entry);
      host.share(room, entry.pdu, authorization?.origin ?? "");
      return answer(conclude(room, entry));
    });
  const routesOfRooms: Readonly<Record<string, Handler>> = {
    "GET /_matrix/federation/v1/make_join/{roomId}/{userId}": make("join"),
    "PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}": send((room, entry) =>
      sendJoinAnswer(room, entry, host.signer),
    ),
    "GET /_matrix/federation/v1/make_leave/{roomId}/{userId}": make("leave"),
    "PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}": send(() => ({})),
    "GET /_matrix/federation/v1/make_knock/{roomId}/{userId}": make("knock"),
    "PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}": send((room) => ({
      knock_room_state: strippedState(room),
    })),
    "GET /_matrix/federation/v1/state/{roomId}": inRoom((room, { query }) =>
      stateAnswer(room, query.get("event_id") ?? "", (pdus) => pdus.map(({ json }) => json), {
        state: "pdus",
        auth: "auth_chain",
      }),
    ),
    "GET /_matrix/federation/v1/state_ids/{roomId}": inRoom((room, { query }) =>
      stateAnswer(room, query.get("event_id") ?? "", (pdus) => pdus.map(({ id }) => id), {
        state: "pdu_ids",
        auth: "auth_chain_ids",
      }),
    ),
    "GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}": inRoom((room, _, { parameter }) => {
      const eventId = parameter("eventId");
      if (room.find(eventId) === undefined) return refusal(404, "M_NOT_FOUND");
      return answer({ auth_chain: room.authChain([eventId]).map(({ json }) => json) });
    }),
    "GET /_matrix/federation/v1/event/{eventId}": (_, { parameter }) => {
      for (const room of host.rooms()) {
        const entry = room.find(parameter("eventId"));
        if (entry !== undefined) return answer(transaction(host.signer, [entry.pdu]));
      }
      return refusal(404, "M_NOT_FOUND");
    },
    "GET /_matrix/federation/v1/backfill/{roomId}": inRoom((room, { query }) => {
      const limit = Math.min(Number(query.get("limit") ?? BACKFILL_AT_MOST), BACKFILL_AT_MOST);
      const pdus = room.ancestors(query.getAll("v"), { limit, includesFrom: true });
      return answer(transaction(host.signer, pdus));
    }),
    "POST /_matrix/federation/v1/get_missing_events/{roomId}": inRoom((room, { json }) => {
      const limit = at(json, "limit") === undefined ? 10 : numberAt(json, "limit");
      const stopAt = idsAt(json, "earliest_events");
      const latest = idsAt(json, "latest_events");
      const pdus = room.ancestors(latest, { limit, stopAt, includesFrom: false });
      return answer({ events: pdus.map((pdu) => pdu.json).reverse() });
    }),
  };
  for (const [route, handler] of Object.entries(routesOfRooms)) routes.add(route, handler);
}

/** Body of the answer to send_join: the state before the join, with its auth chain. */
function sendJoinAnswer(room: PeerRoom, entry: RoomEntry, signer: Signer): JsonObject {
  const state = [...(entry.before?.values() ?? [])];
  return {
    origin: signer.serverName,
    state: state.map((id) => room.pdu(id).json),
    auth_chain: room.authChain([...state, entry.pdu.id]).map(({ json }) => json),
    event: entry.pdu.json,
    members_omitted: false,
    servers_in_room: [...new Set(state.flatMap((id) => joinedServerOf(room, id)))],
  };
}

function joinedServerOf(room: PeerRoom, eventId: string): readonly string[] {
  const { type, stateKey = "", content } = room.find(eventId)?.event ?? {};
  return type === "m.room.member" && content?.membership === "join" ? [domainOf(stateKey)] : [];
}

/** What invites and knocks show of a room: the whole events, as room version 12 asks (MSC4311). */
export function strippedState(room: PeerRoom): JsonObject[] {
  const types = ["m.room.create", "m.room.join_rules", "m.room.name", "m.room.encryption"];
  const state = room.stateAt();
  return types.flatMap((type) => {
    const event = room.stateEvent(type, "", state);
    return event === undefined ? [] : [room.pdu(event.id).json];
  });
}

function makeMembership(
  room: PeerRoom,
  signer: Signer,
  membership: string,
  userId: string,
  versions: readonly string[],
): Answer {
  const { version } = room;
  if (membership !== "leave" && versions.length > 0 && !versions.includes(version.id)) {
    const error = `the room is of version ${version.id}`;
    const errcode = "M_INCOMPATIBLE_ROOM_VERSION";
    return { status: 400, json: { errcode, error, room_version: version.id } };
  }
  const voucher = membership === "join" ? voucherFor(room, signer, userId) : undefined;
  const content = {
    membership,
    ...(voucher === undefined ? {} : { join_authorised_via_users_server: voucher }),
  };
  const { json } = room.build({
    type: "m.room.member",
    stateKey: userId,
    sender: userId,
    content,
    signers: [],
  });
  const { hashes: _, signatures: __, event_id: ___, ...event } = json;
  return answer({ room_version: version.id, event: { ...event, origin: signer.serverName } });
}

/** A user of the host who may vouch for a restricted join; undefined when none has to, or none is there. */
function voucherFor(room: PeerRoom, { serverName }: Signer, userId: string): string | undefined {
  const joinRule = room.stateEvent("m.room.join_rules")?.content.join_rule;
  const isRestricted = joinRule === "restricted" || joinRule === "knock_restricted";
  if (!isRestricted || !room.version.hasRestrictedJoins) return undefined;
  if (["join", "invite"].includes(room.membershipOf(userId) ?? "")) return undefined;
  return room.joinedUsers(serverName)[0];
}

/** With the host's signature when one of its users vouches for the join. */
function vouched(room: PeerRoom, json: JsonObject, signer: Signer): JsonObject {
  const voucher = at(json, "content", "join_authorised_via_users_server");
  const isOurs = typeof voucher === "string" && domainOf(voucher) === signer.serverName;
  return isOurs ? sign(json, room.version, signer) : json;
}

function stateAnswer(
  room: PeerRoom,
  eventId: string,
  show: (pdus: readonly Pdu[]) => unknown,
  keys: { readonly state: string; readonly auth: string },
): Answer {
  const before = room.find(eventId)?.before;
  if (before === undefined) return refusal(404, "M_NOT_FOUND");
  const state = [...before.values()].map((id) => room.pdu(id));
  return answer({
    [keys.state]: show(state),
    [keys.auth]: show(room.authChain(before.values())),
  });
}

function transaction({ serverName }: Signer, pdus: readonly Pdu[]): JsonObject {
  return {
    origin: serverName,
    origin_server_ts: Date.now(),
    pdus: pdus.map(({ json }) => json),
  };
}

function idsAt(json: unknown, key: string): readonly string[] {
  const list = at(json, key);
  return Array.isArray(list) ? list.filter((id) => typeof id === "string") : [];
}
