/** MSC4268, what is within: bundles that a client library makes, opened with libolm, and such that libolm's peer makes for it. */
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import type { JsonValue } from "#protocol/events/event";
import { BUNDLE, bundleFor, uploadBundle } from "./bundles.ts";
import {
  expectReadable,
  expectUnreadable,
  judged,
  LOSES_KEYS,
  SHOWS_OTHER_KEYS,
  TEXT,
} from "./clients.ts";
import { OlmPeer, PeerMegolm } from "./olm-peer.ts";
import { expectSenderKeys, give, met } from "./peer-scene.ts";

const LEGACY = { share: "identity", read: "legacy" } as const;
const FLAGS = ["shared_history", "org.matrix.msc3061.shared_history"];
const VISIBILITY = {
  method: "PUT",
  path: "/_matrix/client/v3/rooms/*/state/m.room.history_visibility/**",
};

check(
  "MSC4268.shareable-only",
  "the client shares the keys of messages that newcomers may see, and no others",
  {
    mutant: altersRequest("has the later messages seen by newcomers too", VISIBILITY, {
      set: { "/history_visibility": "shared" },
    }),
  },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await OlmPeer.start(await world.user("bob"));
      const roomId = await encryptedRoom(alice.session);
      const shareable = await alice.client.send(roomId, TEXT);
      const content = { history_visibility: "joined" };
      await alice.session.setState(roomId, "m.room.history_visibility", content);
      await alice.client.syncOnce();
      await alice.client.rotate(roomId);
      const hidden = await alice.client.send(roomId, TEXT);

      await alice.client.history.share(roomId, bob.session.userId);

      const { shared, withheld } = await bundleFor(bob);
      expectEqual(shared, [shareable.sessionId], "the sessions that are shared");
      const both = withheld.filter((session) => shared.includes(session));
      expectEqual(both, [], "sessions that are shared and withheld");
      if (!withheld.includes(hidden.sessionId))
        world.note("the session that is not shared is not told as withheld");
    }),
);

check(
  "MSC4268.bundle-has-sender-keys",
  "the client tells of a bundle with its device keys",
  { mutant: [LOSES_KEYS, SHOWS_OTHER_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await OlmPeer.start(await world.user("bob"));
      const roomId = await encryptedRoom(alice.session);
      await alice.client.send(roomId, TEXT);

      await alice.client.history.share(roomId, bob.session.userId);

      const { payload } = await bundleFor(bob);
      await expectSenderKeys(payload, alice.session, bob);
    }),
);

check(
  "MSC4268.flag-absent",
  "the client shares no session that is not marked by true, the boolean",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await met(cast, LEGACY);
      const carol = await OlmPeer.start(await world.user("carol"));
      const marks: [mark: JsonValue | undefined, session: string][] = [];

      for (const mark of [undefined, "true", 1, false, true]) {
        const megolm = new PeerMegolm(roomId);
        const flags =
          mark === undefined ? {} : Object.fromEntries(FLAGS.map((name) => [name, mark]));
        await give(bob, alice, "m.room_key", megolm.key(flags));
        marks.push([mark, megolm.sessionId]);
      }
      await bob.client.history.share(roomId, carol.session.userId);

      const { shared } = await bundleFor(carol);
      const taken = marks.filter(([, session]) => shared.includes(session)).map(([mark]) => mark);
      expectEqual(taken, [true], "the marks by which a session is shared");
    }),
);

check(
  "MSC4268.sender-keys",
  "the client takes no bundle from a message without the sender's device keys",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await met(cast, LEGACY);
      const megolm = new PeerMegolm(roomId);
      const keys = [bundled(megolm, alice)];
      const eventId = await megolm.say(alice, TEXT);
      const content = await uploadBundle(alice, roomId, keys);
      const accept = () => bob.client.history.accept(roomId, alice.session.userId);

      await give(bob, alice, BUNDLE, content, ({ sender_device_keys: _keys, ...bare }) => bare);
      const isTakenBare = await accept();
      const before = await bob.client.read(roomId, eventId);
      await give(bob, alice, BUNDLE, content);
      const isTaken = await accept();

      expectEqual([isTakenBare, isTaken], [false, true], "whether each bundle is taken");
      expectUnreadable(before, "the message before");
      expectReadable(await bob.client.read(roomId, eventId), "the message after");
    }),
);

check(
  "MSC4268.wrong-room",
  "the client takes no key of another room from a bundle",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await met(cast, LEGACY);
      const other = await encryptedRoom(alice.session, bob.session);
      const [own, foreign] = [new PeerMegolm(roomId), new PeerMegolm(other)];
      const keys = [bundled(own, alice), bundled(foreign, alice)];
      const [inRoom, elsewhere] = [await own.say(alice, TEXT), await foreign.say(alice, TEXT)];

      await give(bob, alice, BUNDLE, await uploadBundle(alice, roomId, keys));
      await bob.client.history.accept(roomId, alice.session.userId);

      expectReadable(await bob.client.read(roomId, inRoom), "the message of the bundle's room");
      expectUnreadable(await bob.client.read(other, elsewhere), "the message of another room");
    }),
);

/** A session as it is in bundles. */
function bundled(megolm: PeerMegolm, owner: OlmPeer) {
  return { ...megolm.exported(owner), sender_claimed_keys: { ed25519: owner.ed25519 } };
}
