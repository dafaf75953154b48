/** What a client library takes of Olm messages that are well encrypted and say what is not so; the other end is libolm. */

import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat } from "#harness/world/expect";
import type { JsonObject } from "#protocol/events/event";
import {
  expectReadable,
  expectUnreadable,
  judged,
  LOSES_KEYS,
  mailOf,
  SHOWS_OTHER_KEYS,
  TEXT,
} from "./clients.ts";
import { OlmPeer, PeerMegolm } from "./olm-peer.ts";
import { expectSenderKeys, give, met, type Scene } from "./peer-scene.ts";

const LAX = { share: "all", read: "untrusted" } as const;

/** An event of a new session, whose key the peer sends in a payload that was altered; returns the event's id. */
async function plant(
  { alice, bob, roomId }: Scene,
  alter?: (payload: JsonObject) => JsonObject,
): Promise<string> {
  const megolm = new PeerMegolm(roomId);
  const key = megolm.key();
  const eventId = await megolm.say(alice, TEXT);
  await give(bob, alice, "m.room_key", key, alter);
  return eventId;
}

/** Plants payloads with one thing altered each, and a right one before and after: the client reads what the right ones are for. */
async function expectRefused(
  scene: Scene,
  altered: Readonly<Record<string, JsonObject>>,
  right: (payload: JsonObject) => JsonObject = (payload) => payload,
): Promise<void> {
  const planted: [what: string, eventId: string][] = [["nothing", await plant(scene, right)]];
  for (const [what, fields] of Object.entries(altered))
    planted.push([what, await plant(scene, (payload) => ({ ...right(payload), ...fields }))]);
  planted.push(["nothing again", await plant(scene, right)]);

  const readable: string[] = [];
  for (const [what, eventId] of planted) {
    const { isReadable } = await scene.bob.client.read(scene.roomId, eventId);
    if (isReadable) readable.push(what);
  }
  expectEqual(readable, ["nothing", "nothing again"], "what was altered where a key was taken");
}

check(
  "E2EE.olm.validate-payload",
  "the client takes no key from a message that names another sender, recipient or key of one than it has",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const scene = await met(cast, LAX);
      const mallory = await OlmPeer.start(await world.user("mallory"));
      const { userId } = mallory.session;
      const altered = {
        sender: { sender: userId },
        "keys.ed25519": { keys: { ed25519: mallory.ed25519 } },
        recipient: { recipient: userId },
        "recipient_keys.ed25519": { recipient_keys: { ed25519: mallory.ed25519 } },
      };

      // Without the sender's device keys, which would give the sender away as well (MSC4147).
      await expectRefused(scene, altered, ({ sender_device_keys: _keys, ...payload }) => payload);
    }),
);

check(
  "MSC4147.mismatch",
  "the client takes no key from a message with device keys that are not the sender's, or not signed by it",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const scene = await met(cast, LAX);
      const { alice } = scene;
      const mallory = await OlmPeer.start(await world.user("mallory"));
      const { deviceId } = alice.session;
      const { signatures: _signatures, ...bare } = alice.deviceKeys;
      const keys = bare.keys as JsonObject;
      const signed = (altered: JsonObject) => alice.sign({ ...bare, ...altered });
      const other = (more: JsonObject) => ({ ...keys, ...more });
      const altered = {
        user_id: signed({ user_id: mallory.session.userId }),
        "curve25519 key": signed({
          keys: other({ [`curve25519:${deviceId}`]: mallory.curve25519 }),
        }),
        "ed25519 key": mallory.sign(
          { ...bare, keys: other({ [`ed25519:${deviceId}`]: mallory.ed25519 }) },
          alice.session,
        ),
        signature: { ...signed({ algorithms: [] }), algorithms: bare.algorithms ?? [] },
      };

      const embedded = Object.entries(altered).map(([what, sender_device_keys]) => [
        `${what} in sender_device_keys`,
        { sender_device_keys },
      ]);
      await expectRefused(scene, Object.fromEntries(embedded));
    }),
);

check(
  "MSC4147.embed",
  "the client puts its device keys, with what has signed them, into messages to devices",
  { mutant: [LOSES_KEYS, SHOWS_OTHER_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await OlmPeer.start(await world.user("bob"));
      const roomId = await encryptedRoom(alice.session, bob.session);

      await alice.client.send(roomId, TEXT);

      const opened = bob.opened(await mailOf(bob.session));
      const key = opened.find(({ type }) => type === "m.room_key");
      expectThat(key !== undefined, "a message with a room key", opened.length);
      await expectSenderKeys(key ?? {}, alice.session, bob);
    }),
);

check(
  "E2EE.megolm.no-worse-key",
  "the client keeps its key of a session when one from a later message on comes",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await met(cast, LAX);
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
      const { alice, bob, roomId } = await met(cast, LAX);
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

function forwarded(megolm: PeerMegolm, owner: OlmPeer): JsonObject {
  return {
    ...megolm.exported(owner),
    sender_claimed_ed25519_key: owner.ed25519,
    forwarding_curve25519_key_chain: [],
  };
}
