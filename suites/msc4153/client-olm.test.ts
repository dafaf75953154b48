/** What a client library does with Olm messages that it can not trust, with requests for keys, and with news that come while it asks. */
import { keyPair, publishDevice } from "#harness/clients/identities";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { RuleHandle, World } from "#harness/world/world";
import {
  type Actor,
  expectReadable,
  expectUnreadable,
  judged,
  kindsOf,
  LOSES_KEYS,
  mailOf,
  sent,
  sessionOf,
  TEXT,
  untilMail,
} from "./clients.ts";
import { KEYS_QUERY } from "./cross-signing.ts";
import { handMadeSession } from "./hand-made-megolm.ts";
import { SYNC } from "./keys.ts";
import { sendTo } from "./mail.ts";

const LATER = "LATER";
/** The transaction of a message that comes a second time, by which a mutant knows it. */
const AGAIN = "again";
const LONG_POLL_MS = 2_000;
const LAX = { share: "all", read: "untrusted" } as const;

/** The ciphertext of the only Olm message for a device. */
function bodyOf(content: unknown): string {
  const ciphertext = at(content, "ciphertext");
  const [part] = Object.values(isObject(ciphertext) ? ciphertext : {});
  return String(at(part, "body"));
}

check(
  "E2EE.olm.bad-prekey-keeps-otk",
  "the client reads a first Olm message after a broken copy of it",
  {
    mutant: altersRequest(
      "breaks the right message too",
      { method: "PUT", path: `/_matrix/client/v3/sendToDevice/m.room.encrypted/${AGAIN}` },
      { set: { "/messages/*/*/ciphertext/*/body": "AAAA" } },
    ),
  },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await sent(cast);
      const { userId, deviceId } = bob.session;
      const [event] = (await mailOf(bob.session)).filter(({ type }) => type === "m.room.encrypted");
      const body = bodyOf(event?.content);
      // Within the authentication code, at its end.
      const broken = `${body.slice(0, -6)}${body.at(-6) === "A" ? "B" : "A"}${body.slice(-5)}`;

      const breaks = await world.fault({ ...SYNC, check: bob.session.context.check }, "processed", {
        kind: "rewrite",
        replace: [[body, broken]],
      });
      const reports = await untilMail(bob);
      await breaks.end();
      const before = await bob.client.read(roomId, eventId);
      const again = { [userId]: { [deviceId]: event?.content ?? {} } };
      ok(await sendTo(alice.session, again, { type: "m.room.encrypted", transaction: AGAIN }));
      await untilMail(bob);

      const failed = reports.flatMap(({ events }) => events.map(({ outcome }) => outcome));
      expectThat(failed.includes("undecryptable"), "the broken message not to be read", failed);
      expectUnreadable(before, "the message whose key was in the broken one");
      expectReadable(await bob.client.read(roomId, eventId), "it after the right one has come");
    }),
);

check(
  "E2EE.query.race-invalidate",
  "the client asks again for devices that have changed while it asked",
  {
    mutant: altersAnswer(
      "shows the devices of before",
      { method: "POST", path: KEYS_QUERY },
      { remove: [`/device_keys/*/${LATER}`] },
    ),
  },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const roomId = await encryptedRoom(alice.session, bob.session);
      await alice.client.send(roomId, TEXT);
      const addDevice = async (deviceId: string) =>
        publishDevice(await world.login(bob.session, { device_id: deviceId }));
      const { userId } = bob.session;
      const { check: ours } = alice.session.context;
      const asks = { method: "POST", path: KEYS_QUERY, contains: userId, check: ours };
      const held = await world.fault(asks, "processed", { kind: "gate" });
      const hears = { ...SYNC, check: ours };
      const syncs: Promise<unknown>[] = [];

      try {
        await addDevice("FIRST");
        syncs.push(alice.client.syncOnce(LONG_POLL_MS));
        await untilFired(world, held, "a query for the first device");
        await addDevice(LATER);
        const heard = await world.fault(hears, "processed", { kind: "delay", ms: 0 });
        syncs.push(alice.client.syncOnce(LONG_POLL_MS));
        await untilFired(world, heard, "news of the second device");
      } finally {
        await held.end();
        await Promise.allSettled(syncs);
      }
      await alice.client.syncOnce();

      const { devices } = await alice.client.identityOf(userId);
      const ids = devices.map(({ deviceId }) => deviceId);
      expectThat(ids.includes(LATER), `device ${LATER} among those that are known`, ids);
    }),
);

async function untilFired(world: World, rule: RuleHandle, what: string): Promise<void> {
  await world.eventually(async () => expectThat((await rule.fired()) > 0, what, "none"));
}

/** By this the answer to a request seems to come. */
const SENDS_OLM = altersAnswer("sends an Olm message to the device", SYNC, {
  set: {
    "/to_device/events/-": {
      type: "m.room.encrypted",
      sender: "@alice:hs1",
      content: { algorithm: "m.olm.v1.curve25519-aes-sha2", ciphertext: {}, sender_key: "" },
    },
  },
});

/** A request for the key of a session, as clients send it. */
async function requestKey(
  from: Session,
  to: Session,
  session: { readonly roomId: string; readonly sessionId: unknown },
): Promise<void> {
  const content = {
    action: "request",
    request_id: from.context.nextName("request"),
    requesting_device_id: from.deviceId,
    body: {
      algorithm: "m.megolm.v1.aes-sha2",
      room_id: session.roomId,
      session_id: session.sessionId,
    },
  };
  const messages = { [to.userId]: { [to.deviceId]: content } };
  ok(await sendTo(from, messages, { type: "m.room_key_request" }));
}

check(
  "E2EE.keyreq.only-own-verified",
  "the client gives no key to other users, or to a device that its user has not signed, at their request",
  { mutant: [LOSES_KEYS, SENDS_OLM] },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await sent(cast);
      await untilMail(bob);
      const unsigned = await world.login(alice.session);
      const mallory = await world.user("mallory");
      await mallory.join(roomId);
      await Promise.all([publishDevice(unsigned), publishDevice(mallory)]);
      const sessionId = await sessionOf(alice, roomId, eventId);
      const askers = [unsigned, mallory];

      for (const asker of askers) await requestKey(asker, alice.session, { roomId, sessionId });
      await untilMail(alice, askers.length);
      await alice.client.syncOnce();

      for (const asker of askers) {
        const kinds = kindsOf(await mailOf(asker));
        expectEqual(kinds.includes("m.room.encrypted"), false, "whether an Olm message comes");
      }
      expectReadable(
        await bob.client.read(roomId, eventId),
        "the message on a device with its key",
      );
    }),
);

check(
  "E2EE.keyreq.only-own-verified",
  "the client takes no forwarded key that it has not asked for",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await sent(cast, { policy: LAX });
      await untilMail(bob);
      const { sessionId, exportedKey, encrypt } = handMadeSession(world.name("session"));
      const content = encrypt(roomId, "m.room.message", TEXT);
      const planted = await alice.session.send(roomId, content, "m.room.encrypted");

      await forward(alice, bob.session, { roomId, sessionId, exportedKey });
      const reports = await untilMail(bob);

      const outcomes = reports.flatMap(({ events }) => events.map(({ outcome }) => outcome));
      expectThat(outcomes.includes("decrypted"), "the forwarded key to be decrypted", outcomes);
      expectReadable(await bob.client.read(roomId, eventId), "a message whose key was shared");
      expectUnreadable(await bob.client.read(roomId, planted), "one whose key was forwarded");
    }),
);

/** Sends a room key as if the other had asked for it. */
async function forward(
  { client }: Actor,
  { userId, deviceId }: Session,
  session: { readonly roomId: string; readonly sessionId: string; readonly exportedKey: string },
): Promise<void> {
  await client.sendToDevice(userId, deviceId, "m.forwarded_room_key", {
    algorithm: "m.megolm.v1.aes-sha2",
    room_id: session.roomId,
    session_id: session.sessionId,
    session_key: session.exportedKey,
    sender_key: keyPair("its sender").publicKey,
    sender_claimed_ed25519_key: keyPair("its device").publicKey,
    forwarding_curve25519_key_chain: [],
  });
}
