/** MSC4153, sending: which devices a client library gives room keys to, and what it says to the others. */
import { makeDevice, publishIdentity } from "#harness/clients/identities";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersRequest, claims } from "#harness/world/mutants";
import {
  expectMail,
  expectReadable,
  expectUnreadable,
  HIDES_IDENTITIES,
  judged,
  kindsOf,
  LOSES_KEYS,
  mailOf,
  SENDS_KEYS,
  TEXT,
  untilChanged,
  untilMail,
} from "./clients.ts";
import { KEYS_QUERY, query, SIGNATURES_UPLOAD, signersOf } from "./cross-signing.ts";
import { addKeys, names, publishKeys } from "./keys.ts";

const WITHHELD_PUT = {
  method: "PUT",
  path: "/_matrix/client/v3/sendToDevice/m.room_key.withheld/*",
};
const CODES = ["m.blacklisted", "m.unverified", "m.unauthorised", "m.unavailable", "m.no_olm"];
const UNVERIFIED = ["withheld m.unverified"];

check(
  "MSC4153.create-identity",
  "the client publishes an identity for a user who has none, and signs its device",
  { mutant: claims("signs nothing", { path: SIGNATURES_UPLOAD }, { failures: {} }) },
  (world) =>
    judged(world, async (cast) => {
      const { session } = await cast.user("alice");

      const shown = await query(session, session);

      for (const section of ["master_keys", "self_signing_keys"]) {
        const key = at(shown.json, section, session.userId);
        expectThat(isObject(key), `${section} of the user`, key, shown);
      }
      const signers = signersOf(shown, session.userId, session.deviceId);
      expectEqual(signers.length, 2, "the number of keys that have signed the device", shown);
    }),
);

check(
  "MSC4153.no-key-to-unsigned",
  "the client gives no key to a device that its user has not signed",
  { mutant: [SENDS_KEYS, LOSES_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const forgotten = await world.login(bob.session);
      await publishKeys(forgotten, names("K", 3));
      const roomId = await encryptedRoom(alice.session, bob.session);

      const { eventId } = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      expectReadable(await bob.client.read(roomId, eventId), "the message on the signed device");
      await expectMail(forgotten, UNVERIFIED, "what the unsigned device gets");
    }),
);

check(
  "MSC4153.no-key-to-unsigned",
  "the client gives no key to a device that the server has made up",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const roomId = await encryptedRoom(alice.session, bob.session);
      const { userId } = bob.session;
      const deviceId = "INJECTED";
      const device = makeDevice({ userId, deviceId, context: bob.session.context });
      const injected = await world.rule({
        name: "makes a device up",
        match: { method: "POST", path: KEYS_QUERY, contains: userId },
        phase: "processed",
        action: {
          kind: "rewrite",
          set: { [`/device_keys/${userId}/${deviceId}`]: JSON.parse(JSON.stringify(device.keys)) },
        },
      });
      // Does nothing but count: the keys that are sent to it.
      const sent = await world.fault(
        {
          method: "PUT",
          path: "/_matrix/client/v3/sendToDevice/m.room.encrypted/*",
          contains: deviceId,
        },
        "after",
        { kind: "delay", ms: 0 },
      );

      const { eventId } = await alice.client.send(roomId, TEXT);
      const { devices } = await alice.client.identityOf(userId);
      await untilMail(bob);

      expectReadable(await bob.client.read(roomId, eventId), "the message on the signed device");
      await injected.end();
      const known = devices.find((one) => one.deviceId === deviceId);
      expectContains(known, { isSigned: false }, "the device as the sender knows it");
      expectEqual(await sent.fired(), 0, "keys sent to the device");
    }),
);

check(
  "MSC4153.withheld-code",
  "the client tells a device that its user has not signed, and the message says so",
  {
    mutant: altersRequest("tells another reason", WITHHELD_PUT, {
      replace: [['"m.unverified"', '"m.unavailable"']],
    }),
  },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const second = await cast.device(await world.login(bob.session), { isSigned: false });
      const roomId = await encryptedRoom(alice.session, bob.session);

      const { eventId } = await alice.client.send(roomId, TEXT);
      await untilMail(second);

      const read = await second.client.read(roomId, eventId);
      const expected = { why: "MissingRoomKey", withheld: "m.unverified" };
      expectUnreadable(read, "the message on the unsigned device", expected);
    }),
);

check(
  "E2EE.withheld.codes",
  "the client withholds keys by a code that is defined, with all that belongs to it",
  {
    mutant: [
      altersRequest("makes a code up", WITHHELD_PUT, {
        replace: [['"m.unverified"', '"unverified"']],
      }),
      altersRequest("does not say which session", WITHHELD_PUT, {
        remove: ["/messages/*/*/session_id"],
      }),
    ],
  },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await world.user("bob")];
      await publishKeys(bob, names("K", 3));
      const roomId = await encryptedRoom(alice.session, bob);

      const { sessionId } = await alice.client.send(roomId, TEXT);

      const mail = await mailOf(bob);
      expectThat(mail.length > 0, "a notice", mail.length);
      for (const { type, content } of mail) {
        expectEqual(type, "m.room_key.withheld", "the type of the message");
        const { code, algorithm, sender_key } = content;
        const isDefined = CODES.includes(String(code)) || /^[a-z]+(\.[\w-]+)+$/.test(String(code));
        expectThat(isDefined, "a code that is defined or has a name space", code);
        expectEqual(algorithm, "m.megolm.v1.aes-sha2", "the algorithm");
        expectThat(typeof sender_key === "string", "a sender_key", sender_key);
        if (code === "m.no_olm") continue;
        const expected = { room_id: roomId, session_id: sessionId };
        expectContains(content, expected, "the notice");
      }
    }),
);

check(
  "MSC4153.no-identity",
  "the client gives no key to a user without an identity",
  { mutant: SENDS_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await world.user("bob")];
      const devices = [bob, await world.login(bob)];
      for (const device of devices) await publishKeys(device, names("K", 3));
      const roomId = await encryptedRoom(alice.session, bob);

      await alice.client.send(roomId, TEXT);

      for (const device of devices) {
        await expectMail(device, UNVERIFIED, `what device ${device.deviceId} gets`);
      }
    }),
);

check(
  "MSC4153.no-secrets-to-unsigned",
  "the client encrypts nothing else for a device that its user has not signed",
  { mutant: [HIDES_IDENTITIES, SENDS_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const forgotten = await world.login(bob.session);
      await publishKeys(forgotten, names("K", 3));
      const { userId } = bob.session;
      const send = (deviceId: string) =>
        alice.client.sendToDevice(userId, deviceId, "org.matrix-crucible.note", { text: "1" });

      const toSigned = await send(bob.session.deviceId);
      const toUnsigned = await send(forgotten.deviceId);

      expectEqual([toSigned, toUnsigned], [true, false], "whether it was sent to each device");
      await expectMail(forgotten, [], "what the unsigned device gets");
    }),
);

check(
  "MSC4153.non-crypto-device",
  "the client minds no device that can not encrypt",
  { mutant: [SENDS_KEYS, LOSES_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const keyless = await world.login(bob.session);
      const roomId = await encryptedRoom(alice.session, bob.session);

      const { eventId } = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      expectReadable(await bob.client.read(roomId, eventId), "the message on the signed device");
      await expectMail(keyless, [], "what the device without keys gets");
    }),
);

check(
  "MSC4153.unsigned-sender-blocked",
  "the client says why it does not send from an own device that is not signed",
  { mutant: HIDES_IDENTITIES },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const second = await cast.device(await world.login(alice.session), { isSigned: false });
      const roomId = await encryptedRoom(alice.session, bob.session);

      const { isSigned } = (await second.client.identityOf(alice.session.userId)).devices.find(
        ({ deviceId }) => deviceId === second.session.deviceId,
      ) ?? { isSigned: undefined };
      const identity = await second.client.identityOf(alice.session.userId);
      const refusal = await second.client.send(roomId, TEXT).then(
        () => undefined,
        (error: unknown) => String(error),
      );

      expectThat(identity.masterKey !== undefined, "the own identity to be known", identity);
      expectEqual(isSigned, false, "whether the own device is signed");
      if (refusal === undefined) world.note("the client sends from an unsigned device");
      else expectThat(/verif|sign/i.test(refusal), "a reason that the user can act on", refusal);
    }),
);

check(
  "MSC4153.late-signing-share",
  "the client shares the running session with a device once it is signed",
  { mutant: [HIDES_IDENTITIES, LOSES_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await cast.device(await world.user("bob"), { isSigned: false });
      const roomId = await encryptedRoom(alice.session, bob.session);
      const before = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      await bob.client.bootstrapIdentity();
      await untilChanged(alice, bob.session);
      const after = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      expectEqual(after.sessionId, before.sessionId, "the session");
      expectReadable(await bob.client.read(roomId, after.eventId), "the later message");
      expectUnreadable(await bob.client.read(roomId, before.eventId), "the earlier message");
    }),
);

check(
  "E2EE.withheld.blacklisted",
  "the client tells a device that its user has blocked that it is blocked",
  {
    mutant: altersRequest("tells another reason", WITHHELD_PUT, {
      replace: [['"m.blacklisted"', '"m.unavailable"']],
    }),
  },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice", { policy: { share: "all", read: "cross-signed" } });
      const bob = await world.user("bob");
      await publishKeys(bob, names("K", 3));
      const roomId = await encryptedRoom(alice.session, bob);
      await alice.client.send(roomId, TEXT);

      await alice.client.trust(bob.userId, bob.deviceId, "blacklisted");
      await alice.client.rotate(roomId);
      await alice.client.send(roomId, TEXT);

      const expected = ["m.room.encrypted", "withheld m.blacklisted"];
      await expectMail(bob, expected, "what the device gets before and after");
    }),
);

check(
  "E2EE.xs.reset-drops-signatures",
  "the client gives no key to a device that an earlier identity of its user has signed",
  { mutant: SENDS_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await world.user("bob")];
      const device = await publishKeys(bob, names("K", 3));
      const old = await publishIdentity(bob);
      const signed = { [bob.deviceId]: old.sign(device.keys, "self_signing") };
      ok(await bob.post(SIGNATURES_UPLOAD, { [bob.userId]: signed }));
      const roomId = await encryptedRoom(alice.session, bob);
      await alice.client.send(roomId, TEXT);

      await publishIdentity(bob);
      await untilChanged(alice, bob);
      await alice.client.rotate(roomId);
      await alice.client.send(roomId, TEXT);

      const expected = ["m.room.encrypted", ...UNVERIFIED];
      await expectMail(bob, expected, "what the device gets before and after");
    }),
);

check(
  "E2EE.withheld.no-olm",
  "the client tells a device once that it has no way to encrypt for it, and names no room",
  {
    mutant: altersRequest("names the room", WITHHELD_PUT, {
      set: { "/messages/*/*/room_id": "!room:example.org" },
    }),
  },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice", { policy: { share: "all", read: "cross-signed" } });
      const bob = await world.user("bob");
      await publishKeys(bob);
      const roomId = await encryptedRoom(alice.session, bob);

      for (let count = 0; count < 3; count++) {
        await alice.client.send(roomId, TEXT);
        await alice.client.rotate(roomId);
      }

      const mail = await mailOf(bob);
      expectThat(mail.length <= 1, "one notice at most", mail.length);
      for (const { content } of mail) {
        const { code, room_id, session_id } = content;
        expectEqual([code, room_id, session_id], ["m.no_olm", undefined, undefined], "the notice");
      }
    }),
);

check(
  "E2EE.withheld.retry",
  "the client shares the running session once a device has keys again",
  { deadlineMs: 120_000, mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice", { policy: { share: "all", read: "cross-signed" } });
      const bob = await world.user("bob");
      const device = await publishKeys(bob);
      const roomId = await encryptedRoom(alice.session, bob);
      await alice.client.send(roomId, TEXT);

      await addKeys(device, names("K", 3));
      await world.eventually(
        async () => {
          await world.quietPeriod(1_000);
          await alice.client.share(roomId);
          const kinds = kindsOf(await mailOf(bob));
          expectThat(kinds.includes("m.room.encrypted"), "a key for the device", kinds);
        },
        { deadlineMs: 60_000 },
      );
    }),
);
