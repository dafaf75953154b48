/** What checks with a peer share: a room with a user of the server under test and one of the peer, and what is seen of it. */
import { path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { expectMatrixError, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { Founding } from "./found.ts";
import type { Peer } from "./peer.ts";
import type { Draft, PeerRoom } from "./room.ts";

export const SEND = "/_matrix/federation/v1/send/*";
export const EVENT = "/_matrix/client/v3/rooms/*/event/*";

export interface Meeting {
  readonly alice: Session;
  readonly peer: Peer;
  readonly mallory: string;
  readonly room: PeerRoom;
}

export interface MeetOptions {
  /** Room version; ends the check as unsupported when the server lacks it. The server's default unless given. */
  readonly version?: string;
  /** Further keys of POST /createRoom. */
  readonly creation?: JsonObject;
  /** Changes the peer before any server has heard of it. */
  readonly arrange?: (peer: Peer) => void;
}

/** A public room of the server under test that a user of the peer has joined. */
export async function meet(
  world: World,
  { version, creation = {}, arrange }: MeetOptions = {},
): Promise<Meeting> {
  if (version !== undefined) world.needs(`room-version:${version}`);
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  arrange?.(peer);
  const roomId = await alice.createRoom({
    preset: "public_chat",
    ...(version === undefined ? {} : { room_version: version }),
    ...creation,
  });
  const mallory = peer.user("mallory");
  const room = await peer.join(roomId, mallory, { via: alice.server.serverName });
  return { alice, peer, mallory, room };
}

/** A room that mallory of the peer has founded, and that a user of the server under test has joined. */
export async function visit(
  world: World,
  founding: Omit<Founding, "creator"> & { readonly version: string },
): Promise<Meeting> {
  world.needs(`room-version:${founding.version}`);
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  const mallory = peer.user("mallory");
  const room = peer.createRoom({ creator: mallory, ...founding });
  peer.serve(room);
  const via = { server_name: peer.serverName, via: peer.serverName };
  ok(await alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, via));
  return { alice, peer, mallory, room };
}

export function message(sender: string, body: string): Draft {
  return { type: "m.room.message", sender, content: { msgtype: "m.text", body } };
}

/** Joins a user of a server to a room that the peer serves. */
export async function enter(session: Session, peer: Peer, roomId: string): Promise<void> {
  ok(
    await session.post(
      path`/_matrix/client/v3/join/${roomId}`,
      {},
      { server_name: peer.serverName, via: peer.serverName },
    ),
  );
}

export async function expectUnknown(
  alice: Session,
  room: PeerRoom,
  eventId: string,
): Promise<void> {
  const response = await alice.get(path`/_matrix/client/v3/rooms/${room.roomId}/event/${eventId}`);
  expectMatrixError(response, 404, "M_NOT_FOUND");
}
