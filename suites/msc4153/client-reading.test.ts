/** MSC4153 and MSC4147, receiving: which messages a client library shows, and what it says of the others. */
import { eventsAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  type Cast,
  expectReadable,
  expectUnreadable,
  HIDES_CHANGES,
  HIDES_IDENTITIES,
  judged,
  LOSES_KEYS,
  TEXT,
  told,
  untilChanged,
  untilMail,
} from "./clients.ts";
import { dehydrate, EVENTS, eventsOf, makeDehydrated } from "./dehydrated.ts";

const OLM = "m.room.encrypted";
const LAX = { share: "all", read: "untrusted" } as const;

check(
  "MSC4153.reject-unsigned-message",
  "the client shows no message of a device that its user has not signed",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const [alice, lax] = [await cast.user("alice"), await cast.user("charlie", { policy: LAX })];
      const bob = await cast.user("bob", { isSigned: false, policy: LAX });
      const roomId = await encryptedRoom(bob.session, alice.session, lax.session);
      for (const reader of [alice, lax]) await reader.client.syncOnce();

      const { eventId } = await bob.client.send(roomId, TEXT);
      for (const reader of [alice, lax]) await untilMail(reader);

      expectReadable(await lax.client.read(roomId, eventId), "the message where all is shown");
      const read = await alice.client.read(roomId, eventId);
      expectUnreadable(read, "the message where it counts", { why: "UnsignedSenderDevice" });
    }),
);

check(
  "MSC4153.reject-unsigned-todevice",
  "the client drops encrypted messages of a device that its user has not signed",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const signed = await cast.user("charlie", { policy: LAX });
      const unsigned = await cast.user("bob", { isSigned: false, policy: LAX });
      const others = [signed, unsigned];
      const sessions = others.map(({ session }) => session);
      await encryptedRoom(alice.session, ...sessions);
      await alice.client.syncOnce();
      const { userId, deviceId } = alice.session;

      const outcomes: unknown[] = [];
      for (const { client } of others) {
        await client.sendToDevice(userId, deviceId, "org.matrix-crucible.note", { text: "1" });
        const reports = await untilMail(alice);
        const [event] = reports.flatMap(({ events }) => events);
        outcomes.push([event?.outcome, event?.reason]);
      }

      const expected = [
        ["decrypted", undefined],
        ["undecryptable", "UnverifiedSenderDevice"],
      ];
      expectEqual(outcomes, expected, "what becomes of a message of each");
    }),
);

check(
  "MSC4153.late-signing-heals",
  "the client shows earlier messages of a device once its user has signed it",
  { mutant: [HIDES_CHANGES, HIDES_IDENTITIES] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await cast.user("bob", { isSigned: false, policy: LAX });
      const roomId = await encryptedRoom(bob.session, alice.session);
      await alice.client.syncOnce();
      const { eventId } = await bob.client.send(roomId, TEXT);
      await untilMail(alice);
      const before = await alice.client.read(roomId, eventId);

      await bob.client.bootstrapIdentity();
      await untilChanged(alice, bob.session);
      const after = await alice.client.read(roomId, eventId);

      expectUnreadable(before, "the message before", { why: "UnsignedSenderDevice" });
      expectReadable(after, "the same message after");
    }),
);

check(
  "MSC4153.bridge-mismatch",
  "the client shows a message in the name of another user than the session's with a warning, or not at all",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const readers = [await cast.user("alice"), await cast.user("charlie", { policy: LAX })];
      const bob = await cast.user("bob");
      const sessions = readers.map(({ session }) => session);
      const roomId = await encryptedRoom(bob.session, ...sessions);
      for (const reader of readers) await reader.client.syncOnce();
      const { eventId } = await bob.client.send(roomId, TEXT);
      for (const reader of readers) await untilMail(reader);

      const [strict, lax] = readers;
      if (strict === undefined || lax === undefined) return;
      for (const { client, session } of readers) {
        const event = await session.event(roomId, eventId);
        const sender = strict.session.userId;
        const own = await client.readEvent(roomId, event);
        const forged = await client.readEvent(roomId, { ...event, sender });

        expectReadable(own, "the message as it was sent");
        const isWarned = !forged.isReadable || ["red"].includes(forged.shield?.color ?? "none");
        expectThat(isWarned, "a warning, or nothing shown", told(forged));
      }
    }),
);

/** Bob sends a message and logs out before Alice, who is invited, has heard of his devices. */
async function sentAndGone(cast: Cast, isKnown: boolean) {
  const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
  const shared = isKnown ? await encryptedRoom(bob.session, alice.session) : undefined;
  const roomId = shared ?? (await encryptedRoom(bob.session));
  if (isKnown) await alice.client.syncOnce();
  else await bob.session.invite(roomId, alice.session);

  const { eventId } = await bob.client.send(roomId, TEXT);
  expectStatus(await bob.session.post("/_matrix/client/v3/logout"), 200);
  return { alice, bob, roomId, eventId };
}

check(
  "MSC4147.deleted-device",
  "the client shows a message of a signed device that was deleted before its key came",
  { mutant: [LOSES_KEYS, HIDES_IDENTITIES] },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await sentAndGone(cast, true);
      await untilMail(alice);

      const { devices } = await alice.client.identityOf(bob.session.userId);
      const read = await alice.client.read(roomId, eventId);

      expectEqual(devices, [], "devices of the sender that are left");
      expectReadable(read, "the message");
    }),
);

check(
  "MSC4147.deleted-device",
  "the client shows such a message when it comes to know the sender's identity after the key has come",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await sentAndGone(cast, false);
      await untilMail(alice);
      await alice.session.join(roomId);
      await alice.client.syncOnce();

      const { masterKey } = await alice.client.identityOf(bob.session.userId);
      const read = await alice.client.read(roomId, eventId);

      expectThat(masterKey !== undefined, "the sender's identity to be known", masterKey);
      expectReadable(read, "the message");
    }),
);

check(
  "MSC4147.stale-embed",
  "the client's first message after it made an identity can be read by who hears of it later",
  { mutant: [LOSES_KEYS, HIDES_IDENTITIES] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await cast.device(await world.user("bob"), { isSigned: false });
      const roomId = await encryptedRoom(bob.session);
      await bob.session.invite(roomId, alice.session);

      await bob.client.bootstrapIdentity();
      const { eventId } = await bob.client.send(roomId, TEXT);
      await untilMail(alice);
      await alice.session.join(roomId);
      await alice.client.syncOnce();

      expectReadable(await alice.client.read(roomId, eventId), "the message");
    }),
);

check(
  "E2EE.dehydrated.client-unsigned",
  "the client gives no key to a dehydrated device that is not signed",
  {
    mutant: altersAnswer(
      "gives it a key",
      { path: EVENTS },
      { set: { "/events/-": { type: OLM, sender: "@alice:hs1", content: {} } } },
    ),
  },
  (world) =>
    judged(world, async (cast) => {
      for (const share of ["identity", "trusted", "all"] as const) {
        const alice = await cast.user("alice", { policy: { share, read: "cross-signed" } });
        const bob = await cast.user("bob");
        const device = makeDehydrated(bob.session);
        ok(await dehydrate(bob.session, device));
        const roomId = await encryptedRoom(alice.session, bob.session);

        await alice.client.send(roomId, TEXT);
        const response = await eventsOf(bob.session, device.deviceId);
        await untilMail(bob);

        const keys = eventsAt(ok(response), "events").filter(({ type }) => type === OLM);
        expectEqual(keys.length, 0, `keys for the dehydrated device (sharing: ${share})`);
      }
    }),
);
