/** Megolm sessions in a client library: when it begins a new one, and what it takes for a message of one. */
import type { CryptoPolicy } from "#harness/clients/crypto/crypto-client";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectEqual, expectStatus, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  type Actor,
  type Cast,
  expectReadable,
  expectUnreadable,
  HIDES_CHANGES,
  judged,
  LOSES_KEYS,
  ONE_SESSION,
  sent,
  sessionOf,
  TEXT,
  told,
  untilChanged,
  untilMail,
} from "./clients.ts";
import { handMadeSession } from "./hand-made-megolm.ts";
import { names, publishKeys } from "./keys.ts";
import { sendTo } from "./mail.ts";

const STRICT = { share: "identity", read: "cross-signed" } as const;
const LAX = { share: "all", read: "untrusted" } as const;
const ALL = { share: "all", read: "cross-signed" } as const;
const HIDES_LEAVING = altersAnswer(
  "takes all for members still",
  { path: "/_matrix/client/v3/rooms/*/members" },
  { set: { "/chunk/*/content/membership": "join" } },
);

/** Sends, and tells the session of what was sent as others see it. */
async function session(alice: Actor, roomId: string): Promise<unknown> {
  return sessionOf(alice, roomId, (await alice.client.send(roomId, TEXT)).eventId);
}

function expectRotated(before: unknown, after: unknown): void {
  expectThat(after !== before, `another session than ${String(before)}`, "the same session");
}

check(
  "E2EE.megolm.rotate-on-leave",
  "the client begins a new session when a member has left",
  { mutant: [ONE_SESSION, HIDES_LEAVING] },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const roomId = await encryptedRoom(alice.session, bob.session);
      const before = await session(alice, roomId);
      const same = await session(alice, roomId);

      await bob.session.leave(roomId);
      await alice.client.syncOnce();
      const after = await session(alice, roomId);

      expectEqual(same, before, "the session while nothing changes");
      expectRotated(before, after);
    }),
);

check(
  "E2EE.megolm.rotate-on-leave",
  "the client begins a new session when a device that had the key is gone",
  { mutant: [ONE_SESSION, HIDES_CHANGES] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice", { policy: ALL });
      const bob = await world.user("bob");
      const second = await world.login(bob);
      for (const device of [bob, second]) await publishKeys(device, names("K", 3));
      const roomId = await encryptedRoom(alice.session, bob);
      const before = await session(alice, roomId);

      expectStatus(await second.post("/_matrix/client/v3/logout"), 200);
      await untilChanged(alice, bob);
      const after = await session(alice, roomId);

      expectRotated(before, after);
    }),
);

check(
  "E2EE.megolm.rotate-invitee-left",
  "the client begins a new session when somebody who was invited does not come",
  { mutant: [ONE_SESSION, HIDES_LEAVING] },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const roomId = await encryptedRoom(alice.session);
      await alice.session.invite(roomId, bob.session);
      const before = await session(alice, roomId);

      await bob.session.leave(roomId);
      await alice.client.syncOnce();
      const after = await session(alice, roomId);

      expectRotated(before, after);
    }),
);

check(
  "E2EE.megolm.rotate-limits",
  "the client begins a new session after as many messages as the room says",
  { mutant: ONE_SESSION },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const encryption = {
        type: "m.room.encryption",
        state_key: "",
        content: { algorithm: "m.megolm.v1.aes-sha2", rotation_period_msgs: 5 },
      };
      const roomId = await alice.session.createRoom({ initial_state: [encryption] });

      const sessions: unknown[] = [];
      for (let count = 0; count < 6; count++) sessions.push(await session(alice, roomId));

      const [first, last] = [sessions[0], sessions.at(-1)];
      expectEqual(sessions.slice(0, 5), Array(5).fill(first), "the sessions of five messages");
      expectRotated(first, last);
    }),
);

check(
  "E2EE.megolm.rotate-hv",
  "the client begins a new session when earlier messages come to be seen by others, or no longer",
  { mutant: ONE_SESSION },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const roomId = await encryptedRoom(alice.session);
      const seen: unknown[] = [await session(alice, roomId)];

      for (const visibility of ["joined", "shared"]) {
        const content = { history_visibility: visibility };
        await alice.session.setState(roomId, "m.room.history_visibility", content);
        await alice.client.syncOnce();
        seen.push(await session(alice, roomId));
      }

      expectRotated(seen[0], seen[1]);
      expectRotated(seen[1], seen[2]);
    }),
);

check(
  "E2EE.megolm.join-mid-session",
  "the client gives a new member the key from now on, not from the start",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const roomId = await encryptedRoom(alice.session);
      const before = await alice.client.send(roomId, TEXT);
      await bob.session.join(roomId);
      await bob.client.syncOnce();

      const after = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      expectReadable(await bob.client.read(roomId, after.eventId), "the message after the join");
      if (after.sessionId !== before.sessionId) world.note("a join begins a new session");
      expectUnreadable(await bob.client.read(roomId, before.eventId), "the message before");
    }),
);

check(
  "E2EE.megolm.replay",
  "the client notices that one ciphertext comes in two events",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { bob, roomId, eventId } = await said(cast);
      const event = await bob.session.event(roomId, eventId);

      const original = await bob.client.readEvent(roomId, event);
      const copy = await bob.client.readEvent(roomId, {
        ...event,
        event_id: "$copy",
        origin_server_ts: event.origin_server_ts + 1,
      });

      expectReadable(original, "the message");
      const isNoticed = !copy.isReadable || copy.shield?.color !== "none";
      expectThat(isNoticed, "the copy to be refused or flagged", told(copy));
    }),
);

check(
  "E2EE.megolm.cross-room",
  "the client takes no message of a session in another room",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await said(cast);
      const other = await encryptedRoom(alice.session, bob.session);
      const { content } = await alice.session.event(roomId, eventId);
      const copy = await alice.session.send(other, content, "m.room.encrypted");

      const own = await bob.client.read(roomId, eventId);
      const foreign = await bob.client.read(other, copy);

      expectReadable(own, "the message in its room");
      expectUnreadable(foreign, "its ciphertext in another room");
    }),
);

check(
  "E2EE.megolm.ignore-sender-key",
  "the client reads a message alike whatever its sender_key and device_id say",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { bob, roomId, eventId } = await said(cast);
      const event = await bob.session.event(roomId, eventId);
      const { sender_key: _key, device_id: _device, ...bare } = event.content;
      const contents = [
        bare,
        { ...bare, sender_key: "A".repeat(43), device_id: "OTHER" },
        { ...bare, device_id: bob.session.deviceId },
      ];

      const original = await bob.client.readEvent(roomId, event);
      const altered = [];
      for (const content of contents)
        altered.push(await bob.client.readEvent(roomId, { ...event, content }));

      expectReadable(original, "the message");
      for (const read of altered) expectContains(told(read), told(original), "it, altered");
    }),
);

check(
  "E2EE.megolm.key-via-olm-only",
  "the client takes no key that comes without encryption",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId, eventId } = await said(cast, LAX);
      const { sessionId, sharedKey, encrypt } = handMadeSession(world.name("session"));
      const content = encrypt(roomId, "m.room.message", TEXT);
      const planted = await alice.session.send(roomId, content, "m.room.encrypted");
      const { userId, deviceId } = bob.session;
      const key = {
        algorithm: "m.megolm.v1.aes-sha2",
        room_id: roomId,
        session_id: sessionId,
        session_key: sharedKey,
      };

      ok(await sendTo(alice.session, { [userId]: { [deviceId]: key } }, { type: "m.room_key" }));
      await untilMail(bob);

      expectReadable(await bob.client.read(roomId, eventId), "a message whose key was encrypted");
      const read = await bob.client.read(roomId, planted);
      expectUnreadable(read, "a message whose key was not");
    }),
);

/** A message of Alice that Bob has the key of. */
async function said(cast: Cast, policy: CryptoPolicy = STRICT) {
  const all = await sent(cast, { policy });
  await untilMail(all.bob);
  return all;
}
