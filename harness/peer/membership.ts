/** How a peer gets its users into rooms of other servers, and out again. */
import { at, listAt, objectAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import { isObject, type JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { FederationClient } from "./client.ts";
import { versionOf } from "./found.ts";
import type { Signer } from "./keys.ts";
import { type EventLies, type Pdu, seal } from "./pdu.ts";
import { PeerRoom, type RoomSetup } from "./room.ts";

export type MembershipChange = "join" | "leave" | "knock";

export interface Prepared {
  readonly pdu: Pdu;
  readonly version: RoomVersion;
}

export interface Author {
  readonly signer: Signer;
  readonly nextName: (prefix: string) => string;
}

/** The event that make_join, make_leave or make_knock proposes, completed and signed. */
export async function prepare(
  client: FederationClient,
  change: MembershipChange,
  roomId: string,
  userId: string,
  { signer, nextName }: Author,
  { versions, ...lies }: EventLies & { readonly versions?: readonly string[] },
): Promise<Prepared> {
  const made = ok(
    await {
      join: () => client.makeJoin(roomId, userId, versions),
      leave: () => client.makeLeave(roomId, userId),
      knock: () => client.makeKnock(roomId, userId, versions),
    }[change](),
  );
  const named = at(made, "room_version");
  const version = versionOf(typeof named === "string" ? named : "1");
  const template = objectAt(made, "event") as JsonObject;
  const {
    origin: _,
    event_id: __,
    hashes: ___,
    signatures: ____,
    unsigned: _____,
    ...event
  } = template;
  const complete = {
    ...event,
    origin_server_ts: Date.now(),
    ...(version.eventIds === "given"
      ? { event_id: `$${nextName("event")}:${signer.serverName}` }
      : {}),
  };
  return { pdu: seal(complete, lies, version, [signer]), version };
}

/** Takes in what send_join answered: the state before the join, its auth chain and the join. */
export function takeJoin(
  known: PeerRoom | undefined,
  answered: unknown,
  { pdu, version }: Prepared,
  setup: Omit<RoomSetup, "version">,
): PeerRoom {
  const room = known ?? new PeerRoom({ ...setup, version });
  const state = eventsOf(answered, "state");
  room.addOutliers([...eventsOf(answered, "auth_chain"), ...state]);
  const returned = at(answered, "event");
  const stateBefore = state.map((event) => eventId(event, version));
  room.add(isObject(returned) ? returned : pdu, { stateBefore, isRejected: false });
  return room;
}

function eventsOf(answered: unknown, key: string): readonly JsonObject[] {
  return listAt(answered, key).map((_, index) => objectAt(answered, key, index) as JsonObject);
}
