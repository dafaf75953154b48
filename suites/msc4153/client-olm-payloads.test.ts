/** What a client library takes of Olm messages that are well encrypted and say what is not so; the other end is libolm. */

import { objectAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectThat, ok } from "#harness/world/expect";
import type { JsonObject } from "#protocol/events/event";
import {
  type Actor,
  type Cast,
  expectReadable,
  expectUnreadable,
  judged,
  LOSES_KEYS,
  mailOf,
  TEXT,
  untilMail,
} from "./clients.ts";
import { query } from "./cross-signing.ts";
import { OlmPeer, PeerMegolm } from "./olm-peer.ts";

const LAX = { share: "all", read: "untrusted" } as const;

interface Scene {
  readonly alice: OlmPeer;
  readonly bob: Actor;
  readonly roomId: string;
}

/** A peer and a client in a room; the client knows the peer's device and that its user has signed it. */
async function met(cast: Cast): Promise<Scene> {
  const alice = await OlmPeer.start(await cast.world.user("alice"));
  const bob = await cast.user("bob", { policy: LAX });
  const roomId = await encryptedRoom(alice.session, bob.session);
  await bob.client.syncOnce();
  return { alice, bob, roomId };
}

/** An event of a new session, whose key the peer sends in a payload that was altered; returns the event's id. */
async function planted(
  { alice, bob, roomId }: Scene,
  alter: (payload: JsonObject) => JsonObject = (payload) => payload,
): Promise<string> {
  const megolm = new PeerMegolm(roomId);
  const payload = await alice.payload(bob.session, "m.room_key", megolm.key());
  const eventId = await megolm.say(alice, TEXT);
  await alice.send(bob.session, alter(payload));
  await untilMail(bob);
  return eventId;
}

check(
  "E2EE.olm.validate-payload",
  "the client takes no key from a message that names another sender, recipient or key of one than it has",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const scene = await met(cast);
      const { bob, roomId } = scene;
      const mallory = await OlmPeer.start(await world.user("mallory"));
      const { userId } = mallory.session;
      const others: readonly [string, JsonObject][] = [
        ["sender", { sender: userId }],
        ["keys.ed25519", { keys: { ed25519: mallory.ed25519 } }],
        ["recipient", { recipient: userId }],
        ["recipient_keys.ed25519", { recipient_keys: { ed25519: mallory.ed25519 } }],
      ];

      // Without the sender's device keys, which would give the sender away as well (MSC4147).
      const bare = ({ sender_device_keys: _keys, ...payload }: JsonObject) => payload;
      const right = await planted(scene, bare);
      const wrong: [string, string][] = [];
      for (const [field, altered] of others)
        wrong.push([field, await planted(scene, (payload) => ({ ...bare(payload), ...altered }))]);

      expectReadable(await bob.client.read(roomId, right), "a message whose key came rightly");
      for (const [field, eventId] of wrong) {
        const what = `one whose key came with another ${field}`;
        expectUnreadable(await bob.client.read(roomId, eventId), what);
      }
    }),
);

check(
  "MSC4147.mismatch",
  "the client takes no key from a message with device keys that are not the sender's, or not signed by it",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const scene = await met(cast);
      const { alice, bob, roomId } = scene;
      const mallory = await OlmPeer.start(await world.user("mallory"));
      const { deviceId } = alice.session;
      const { signatures: _signatures, ...bare } = alice.deviceKeys;
      const keys = bare.keys as JsonObject;
      const signed = (altered: JsonObject) => alice.sign({ ...bare, ...altered });
      const others: readonly [string, JsonObject][] = [
        ["user_id", signed({ user_id: mallory.session.userId })],
        [
          "curve25519 key",
          signed({ keys: { ...keys, [`curve25519:${deviceId}`]: mallory.curve25519 } }),
        ],
        [
          "ed25519 key",
          mallory.sign(
            { ...bare, keys: { ...keys, [`ed25519:${deviceId}`]: mallory.ed25519 } },
            alice.session,
          ),
        ],
        ["signature", { ...signed({ algorithms: [] }), algorithms: bare.algorithms ?? [] }],
      ];

      const right = await planted(scene);
      const wrong: [string, string][] = [];
      for (const [field, sender_device_keys] of others)
        wrong.push([
          field,
          await planted(scene, (payload) => ({ ...payload, sender_device_keys })),
        ]);

      expectReadable(await bob.client.read(roomId, right), "a message whose key came rightly");
      for (const [field, eventId] of wrong) {
        const what = `one whose key came with another ${field} in sender_device_keys`;
        expectUnreadable(await bob.client.read(roomId, eventId), what);
      }
    }),
);

check(
  "MSC4147.embed",
  "the client puts its device keys, with what has signed them, into messages to devices",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { userId, deviceId, ...alice } = await signedClient(cast);
      const bob = await OlmPeer.start(await world.user("bob"));
      const roomId = await encryptedRoom(alice.session, bob.session);

      await alice.client.send(roomId, TEXT);

      const opened = bob.opened(await mailOf(bob.session));
      const key = opened.find(({ type }) => type === "m.room_key");
      const embedded = key?.sender_device_keys ?? key?.["org.matrix.msc4147.device_keys"];
      const shown = ok(await query(bob.session, { userId }));
      const { unsigned: _unsigned, ...published } = objectAt(
        shown,
        "device_keys",
        userId,
        deviceId,
      );
      expectThat(key !== undefined, "a message with a room key", opened.length);
      expectContains(embedded, published, "the device keys in it");
    }),
);

async function signedClient(cast: Cast) {
  const { session, client } = await cast.user("alice");
  return { session, client, userId: session.userId, deviceId: session.deviceId };
}

check(
  "E2EE.megolm.no-worse-key",
  "the client keeps its key of a session when one from a later message on comes",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await met(cast);
      const mallory = await OlmPeer.start(await world.user("mallory"));
      const megolm = new PeerMegolm(roomId);

      await give(bob, alice, "m.room_key", megolm.key());
      const first = await megolm.say(alice, TEXT);
      await give(bob, alice, "m.room_key", megolm.key());
      const second = await megolm.say(alice, TEXT);
      await give(bob, mallory, "m.forwarded_room_key", forwarded(megolm, alice));

      for (const eventId of [first, second])
        expectReadable(await bob.client.read(roomId, eventId), "a message of the session");
    }),
);

check(
  "E2EE.megolm.no-worse-key",
  "the client takes no key from an earlier message on of somebody whom it has no reason to trust with it",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await met(cast);
      const mallory = await OlmPeer.start(await world.user("mallory"));
      const megolm = new PeerMegolm(roomId);
      const earlier = { key: megolm.key(), forwarded: forwarded(megolm, alice) };
      const first = await megolm.say(alice, TEXT);

      await give(bob, alice, "m.room_key", megolm.key());
      const second = await megolm.say(alice, TEXT);
      await give(bob, mallory, "m.forwarded_room_key", earlier.forwarded);
      await give(bob, mallory, "m.room_key", earlier.key);

      expectReadable(await bob.client.read(roomId, second), "a message whose key it has");
      expectUnreadable(await bob.client.read(roomId, first), "the message before");
    }),
);

/** Sends a payload by the book, and has the client take it in. */
async function give(to: Actor, from: OlmPeer, type: string, content: JsonObject): Promise<void> {
  await from.send(to.session, await from.payload(to.session, type, content));
  await untilMail(to);
}

function forwarded(megolm: PeerMegolm, owner: OlmPeer): JsonObject {
  return {
    ...megolm.exported(owner),
    sender_claimed_ed25519_key: owner.ed25519,
    forwarding_curve25519_key_chain: [],
  };
}
