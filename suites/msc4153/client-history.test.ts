/** MSC4268: history that a client library shares with who is invited, and keys that it gives out on request. */
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectEqual, expectThat } from "#harness/world/expect";
import {
  type Actor,
  type Cast,
  expectReadable,
  expectUnreadable,
  judged,
  kindsOf,
  LOSES_KEYS,
  mailOf,
  type Role,
  SENDS_KEYS,
  TEXT,
  told,
  untilMail,
} from "./clients.ts";
import { names, publishKeys } from "./keys.ts";

const LEGACY = { share: "identity", read: "legacy" } as const;
const OLM = "m.room.encrypted";
const MEDIA = { method: "GET", path: "/_matrix/client/v1/media/download/**" };

interface Shared {
  readonly alice: Actor;
  readonly bob: Actor;
  readonly roomId: string;
  readonly eventId: string;
}

/** A message from before an invite, and the keys that were shared with who was invited and has joined. */
async function shared(cast: Cast, role: Role = {}): Promise<Shared> {
  const alice = await cast.user("alice");
  const bob = await cast.user("bob", { policy: LEGACY, ...role });
  const roomId = await encryptedRoom(alice.session);
  const { eventId } = await alice.client.send(roomId, TEXT);
  // A bundle of somebody whose identity is not known when it comes is thrown away.
  await encryptedRoom(alice.session, bob.session);
  await bob.client.syncOnce();
  const isShared = await alice.client.history.share(roomId, bob.session.userId);
  expectEqual(isShared, true, "whether there was a key to share");
  await alice.session.invite(roomId, bob.session);
  await bob.session.join(roomId);
  await untilMail(bob);
  return { alice, bob, roomId, eventId };
}

function accept({ alice, bob, roomId }: Shared): Promise<boolean> {
  return bob.client.history.accept(roomId, alice.session.userId);
}

check(
  "MSC4268.bundle",
  "the client gives who is invited the keys of earlier messages",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const all = await shared(cast);
      const { bob, roomId, eventId } = all;
      const before = await bob.client.read(roomId, eventId);

      const isThere = await accept(all);

      expectUnreadable(before, "the earlier message before");
      expectEqual(isThere, true, "whether a bundle has come");
      expectReadable(await bob.client.read(roomId, eventId), "the earlier message");
    }),
);

check(
  "MSC4268.signed-only",
  "the client shares no history with a device that its user has not signed",
  { mutant: [SENDS_KEYS, LOSES_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const alice = await cast.user("alice");
      const bob = await cast.user("bob", { policy: LEGACY });
      const forgotten = await world.login(bob.session);
      await publishKeys(forgotten, names("K", 3));
      const roomId = await encryptedRoom(alice.session);
      await alice.client.send(roomId, TEXT);

      await alice.client.history.share(roomId, bob.session.userId);
      await untilMail(bob);

      const kinds = kindsOf(await mailOf(forgotten));
      expectThat(!kinds.includes(OLM), "nothing for the unsigned device", kinds);
    }),
);

check(
  "MSC4268.attribution",
  "the client tells who has shared the key of a message, after a restart too",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const all = await shared(cast, { store: "durable" });
      const { alice, bob, roomId, eventId } = all;
      await accept(all);

      const before = await bob.client.read(roomId, eventId);
      await bob.client.stop("graceful");
      await bob.client.start();
      const after = await bob.client.read(roomId, eventId);

      for (const read of [before, after]) {
        expectReadable(read, "the earlier message");
        const forwarder = read.isReadable ? read.forwarder : undefined;
        expectEqual(forwarder, alice.session.userId, "who has shared its key");
      }
    }),
);

check(
  "MSC4268.resilient",
  "the client has a bundle that it was told of when it is killed before it has taken it in",
  { deadlineMs: 120_000, mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const all = await shared(cast, { store: "durable", process: "own" });
      const { bob, roomId, eventId } = all;

      await bob.client.stop("sigkill");
      await bob.client.start();
      const isThere = await accept(all);

      expectEqual(isThere, true, "whether it knows of the bundle");
      expectReadable(await bob.client.read(roomId, eventId), "the earlier message");
    }),
);

check(
  "MSC4268.media-expired",
  "the client goes on when the media of a bundle are gone",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const all = await shared(cast);
      const { alice, bob, roomId, eventId } = all;
      const gone = await world.rule({
        name: "has lost the media",
        match: { ...MEDIA, check: bob.session.context.check },
        phase: "before",
        action: { kind: "answer", status: 404, body: { errcode: "M_NOT_FOUND", error: "" } },
      });

      await accept(all).catch(() => false);
      await gone.end();
      const later = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      expectReadable(await bob.client.read(roomId, later.eventId), "a later message");
      expectUnreadable(await bob.client.read(roomId, eventId), "the earlier message");
    }),
);

check(
  "E2EE.keyreq.own-device",
  "the client gives a verified own device the key that it asks for",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const first = await cast.user("alice");
      const roomId = await encryptedRoom(first.session);
      const { eventId } = await first.client.send(roomId, TEXT);
      const session = await world.login(first.session);
      const policy = { share: "identity", read: "untrusted" } as const;
      const second = await cast.device(session, { isSigned: false, policy });
      await first.client.syncOnce();
      await first.client.verify(second.client, "sas-to-device");

      const before = await second.client.read(roomId, eventId);
      for (let count = 0; count < 3; count++) {
        await second.client.syncOnce();
        await first.client.syncOnce();
      }
      await second.client.syncOnce();
      const after = await second.client.read(roomId, eventId);

      expectUnreadable(before, "the message at first");
      expectContains(told(after), { isReadable: true }, "the message once its key has come");
    }),
);
