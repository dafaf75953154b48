/** A client library in a room with a peer of libolm, and what the peer gives it. */
import type { CryptoPolicy } from "#harness/clients/crypto/crypto-client";
import { objectAt } from "#harness/match/json";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { JsonObject } from "#protocol/events/event";
import { type Actor, type Cast, untilMail } from "./clients.ts";
import { query } from "./cross-signing.ts";
import { OlmPeer } from "./olm-peer.ts";

export interface Scene {
  readonly alice: OlmPeer;
  readonly bob: Actor;
  readonly roomId: string;
}

/** The client, Bob, knows the peer's device and that its user has signed it, and has no key of the room yet. */
export async function met(cast: Cast, policy: CryptoPolicy): Promise<Scene> {
  const alice = await OlmPeer.start(await cast.world.user("alice"));
  const bob = await cast.user("bob", { policy });
  const roomId = await encryptedRoom(alice.session, bob.session);
  await bob.client.syncOnce();
  return { alice, bob, roomId };
}

/** Has the client take in a payload of a peer. @param alter what of it is not by the book */
export async function give(
  to: Actor,
  from: OlmPeer,
  type: string,
  content: JsonObject,
  alter: (payload: JsonObject) => JsonObject = (payload) => payload,
): Promise<void> {
  await from.send(to.session, alter(await from.payload(to.session, type, content)));
  await untilMail(to);
}

/** A payload of a client has the keys of its device as others are shown them, with what has signed them (MSC4147). */
export async function expectSenderKeys(
  payload: JsonObject,
  { userId, deviceId }: Session,
  peer: OlmPeer,
): Promise<void> {
  const embedded = payload.sender_device_keys ?? payload["org.matrix.msc4147.device_keys"];
  const shown = ok(await query(peer.session, { userId }));
  const { unsigned: _unsigned, ...published } = objectAt(shown, "device_keys", userId, deviceId);
  expectContains(embedded, published, "the device keys in the message");
}
