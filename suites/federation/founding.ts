/** What checks of create events share: rooms that a peer founds wrongly, and users who join them through it or can not. */
import { type HttpResponse, path } from "#harness/http/client";
import { isObject, type JsonObject } from "#harness/match/json";
import type { Founding } from "#harness/peer/found";
import type { EventLies } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import type { Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { room as roomIn, type Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import type { JsonObject as EventContent } from "#protocol/events/event";

const JOIN = "/_matrix/client/v3/join/*";

/** A server that does not look at the create event. */
export const JOINS_ANY: Mutant = altersAnswer(
  "joins the room",
  { path: JOIN },
  { status: 200, body: { room_id: "!joined" } },
);

/** A server that takes right rooms for wrong ones. */
export const JOINS_NONE: Mutant = altersAnswer(
  "joins no room",
  { path: JOIN, status: 200 },
  { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } },
);

/** A create event with other keys in its content; undefined: without the key. */
export function creating(keys: Readonly<Record<string, unknown>>): EventLies {
  return {
    beforeHash: ({ content, ...event }) => {
      const merged = { ...(isObject(content) ? content : {}), ...keys };
      const given = Object.entries(merged).filter(([, value]) => value !== undefined);
      return { ...event, content: Object.fromEntries(given) as EventContent };
    },
  };
}

/** A room of the peer that others can join through it. */
export function host(peer: Peer, founding: Omit<Founding, "creator"> = {}): PeerRoom {
  const room = peer.createRoom({ creator: peer.user("founder"), ...founding });
  peer.serve(room);
  return room;
}

/** POST /join of a user of the server under test, through the peer. */
export function joinThrough(alice: Session, peer: Peer, room: PeerRoom): Promise<HttpResponse> {
  const via = { server_name: peer.serverName, via: peer.serverName };
  return alice.post(path`/_matrix/client/v3/join/${room.roomId}`, {}, via);
}

export async function expectJoined(
  alice: Session,
  room: PeerRoom,
  response: HttpResponse,
): Promise<void> {
  expectEqual(ok(response).room_id, room.roomId, "the room that was joined", response);
  const joined = await joinedRoom(alice, room);
  expectThat(joined !== undefined, `${room.roomId} in rooms.join of /sync`, "nothing");
}

export async function expectNotJoined(
  alice: Session,
  room: PeerRoom,
  response: HttpResponse,
): Promise<void> {
  const what = `a refusal to join the room of version ${room.version.id}`;
  expectThat(response.status >= 400, what, `status ${response.status}`, response);
  const joined = await joinedRoom(alice, room);
  expectThat(joined === undefined, `no ${room.roomId} in rooms.join of /sync`, joined);
}

/** Rooms that are wrong in this can not be joined, while right ones of the same version can. */
export async function expectRefused(
  world: World,
  wrongs: readonly (Omit<Founding, "creator"> & { readonly version: string })[],
): Promise<void> {
  const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
  for (const founding of wrongs) {
    const wrong = host(peer, founding);
    const right = host(peer, { version: founding.version });

    const refused = await joinThrough(alice, peer, wrong);
    const joined = await joinThrough(alice, peer, right);

    await expectNotJoined(alice, wrong, refused);
    await expectJoined(alice, right, joined);
  }
}

async function joinedRoom(alice: Session, room: PeerRoom): Promise<JsonObject | undefined> {
  const filter = { room: { rooms: [room.roomId], timeline: { limit: 1 } } };
  return roomIn(await alice.sync({ filter }), "join", room.roomId);
}
