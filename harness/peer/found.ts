/** Rooms that a peer founds. */
import { HarnessError } from "#harness/errors";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import type { Signer } from "./keys.ts";
import { assemble, type EventLies } from "./pdu.ts";
import { type Draft, PeerRoom } from "./room.ts";

export interface Founding {
  /** `11` unless given. */
  readonly version?: string;
  /** User id of the peer who founds it and joins first. */
  readonly creator: string;
  /** `public` unless given; null: no join rules. */
  readonly joinRule?: string | JsonObject | null;
  /** Further keys of the create event's content. */
  readonly creation?: JsonObject;
  /** Replaces keys of the power levels; null: the room has none. */
  readonly powerLevels?: JsonObject | null;
  /** What is wrong of the create event. The peer takes it for a right one, and goes by the version that it was to have. */
  readonly createLies?: EventLies;
  /** Where the room id is not the hash of the create event. */
  readonly roomId?: string;
  /** Of the create event and the founder's join; now unless given. */
  readonly originServerTs?: number;
  /** Further events, in order; the founder sends those without a sender. */
  readonly events?: readonly (Omit<Draft, "sender"> & { readonly sender?: string })[];
}

export function foundRoom(
  founding: Founding,
  signer: Signer,
  nextName: (prefix: string) => string,
): PeerRoom {
  const { creator, joinRule = "public", creation = {}, powerLevels = {}, events = [] } = founding;
  const { createLies = {} } = founding;
  const version = versionOf(founding.version ?? "11");
  const originServerTs = founding.originServerTs ?? Date.now();
  const givenRoomId = founding.roomId ?? `!${nextName("room")}:${signer.serverName}`;
  const parts = {
    type: "m.room.create",
    sender: creator,
    stateKey: "",
    content: {
      room_version: version.id,
      ...(version.hasImplicitCreator ? {} : { creator }),
      // Two rooms of version 12 that are founded in the same millisecond would be the same room.
      "org.matrix-crucible.room": givenRoomId,
      ...creation,
    },
    prevEvents: [],
    authEvents: [],
    depth: 1,
    originServerTs,
  };
  const { id, json } = assemble(
    { ...parts, roomId: version.isRoomIdHash ? undefined : givenRoomId },
    createLies,
    {
      version,
      signers: [signer],
      givenId: `$${nextName("event")}:${signer.serverName}`,
      hashOf: () => "",
    },
  );
  const roomId = version.isRoomIdHash ? `!${id.slice(1)}` : givenRoomId;
  const create: RoomEvent = { ...parts, id, roomId };
  const room = new PeerRoom({ version, roomId, signer, nextName });
  const isLie = founding.createLies !== undefined || founding.roomId !== undefined;
  room.add(json, { as: create, ...(isLie ? { isRejected: false } : {}) });
  const send = (draft: Draft) => room.add(room.build(draft));
  const state = (type: string, stateKey: string, content: JsonObject) =>
    send({ type, stateKey, sender: creator, content });
  const joined = { membership: "join" };
  send({
    type: "m.room.member",
    stateKey: creator,
    sender: creator,
    content: joined,
    originServerTs,
  });
  if (powerLevels !== null) {
    const users = version.hasPrivilegedCreators ? {} : { [creator]: 100 };
    state("m.room.power_levels", "", { users, ...powerLevels });
  }
  if (joinRule !== null) {
    const content = typeof joinRule === "string" ? { join_rule: joinRule } : joinRule;
    state("m.room.join_rules", "", content);
  }
  for (const event of events) send({ sender: creator, ...event });
  return room;
}

/** @throws HarnessError INTERNAL for a version that is not one of 1 to 12. */
export function versionOf(id: string): RoomVersion {
  const version = ROOM_VERSIONS.get(id);
  if (version === undefined) {
    throw new HarnessError("INTERNAL", {
      what: `the peer knows no room version ${id}`,
      facts: [`known: ${[...ROOM_VERSIONS.keys()].join(", ")}`],
    });
  }
  return version;
}
