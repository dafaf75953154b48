/** MSC4153: what a client library reports, refuses and allows when the identity of a user changes. */
import { makeDevice, publishDevice } from "#harness/clients/identities";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectEqual, expectThat } from "#harness/world/expect";
import {
  type Actor,
  type Cast,
  expectReadable,
  expectUnreadable,
  HIDES_CHANGES,
  judged,
  LOSES_KEYS,
  TEXT,
  untilChanged,
  untilMail,
} from "./clients.ts";
import { KEYS_QUERY } from "./cross-signing.ts";

interface Pair {
  readonly alice: Actor;
  readonly bob: Actor;
  readonly roomId: string;
}

/** Two users who have each other's identities, and a message of the second that the first can read. */
async function acquainted(cast: Cast): Promise<Pair & { readonly eventId: string }> {
  const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
  const roomId = await encryptedRoom(bob.session, alice.session);
  await alice.client.syncOnce();
  const { eventId } = await bob.client.send(roomId, TEXT);
  await untilMail(alice);
  expectReadable(await alice.client.read(roomId, eventId), "the first message");
  return { alice, bob, roomId, eventId };
}

async function verify({ alice, bob }: Omit<Pair, "roomId">): Promise<void> {
  await alice.client.verify(bob.client, "local-sign");
  await untilChanged(alice, bob.session);
}

async function reset({ alice, bob }: Pair): Promise<void> {
  await bob.client.bootstrapIdentity({ reset: true });
  await untilChanged(alice, bob.session);
}

/** The reason why nothing was sent; undefined: it was sent. */
function refusalOf({ alice, roomId }: Pair): Promise<string | undefined> {
  return alice.client.send(roomId, TEXT).then(
    () => undefined,
    (error: unknown) => String(error),
  );
}

check(
  "MSC4153.identity-change.tofu",
  "the client reports that a contact's identity has changed until the user takes it",
  { mutant: HIDES_CHANGES },
  (world) =>
    judged(world, async (cast) => {
      const pair = await acquainted(cast);
      const { alice, bob } = pair;
      const { userId } = bob.session;
      const before = await alice.client.identityOf(userId);

      await reset(pair);
      const changed = await alice.client.identityOf(userId);
      await alice.client.accept(userId, "pin");
      const taken = await alice.client.identityOf(userId);

      expectThat(changed.masterKey !== before.masterKey, "another master key", "the same one");
      const asked = [before, changed, taken].map(({ needsApproval }) => needsApproval);
      expectEqual(asked, [false, true, false], "whether approval is asked for at each time");
    }),
);

check(
  "MSC4153.identity-change.verified",
  "the client sends nothing after a verified contact's identity has changed, until the user agrees",
  { mutant: [HIDES_CHANGES, LOSES_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const pair = await acquainted(cast);
      const { alice, bob, roomId } = pair;
      const { userId } = bob.session;
      await verify(pair);
      const before = await alice.client.identityOf(userId);

      await reset(pair);
      const changed = await alice.client.identityOf(userId);
      const refusal = await refusalOf(pair);
      await alice.client.accept(userId, "withdraw");
      const { eventId } = await alice.client.send(roomId, TEXT);
      await untilMail(bob);

      expectContains(before, { isVerified: true, isInViolation: false }, "the identity before");
      expectContains(changed, { isVerified: false, isInViolation: true }, "the identity after");
      expectThat(refusal !== undefined, "a refusal to send", "a message that was sent");
      expectReadable(await bob.client.read(roomId, eventId), "the message after the user agreed");
    }),
);

check(
  "MSC4153.identity-change.receive",
  "the client shows no new session of a verified contact whose identity has changed, until the user agrees",
  { mutant: [HIDES_CHANGES, LOSES_KEYS] },
  (world) =>
    judged(world, async (cast) => {
      const pair = await acquainted(cast);
      const { alice, bob, roomId, eventId: old } = pair;
      const { userId } = bob.session;
      await verify(pair);
      await reset(pair);

      await bob.client.rotate(roomId);
      const { eventId } = await bob.client.send(roomId, TEXT);
      await untilMail(alice);
      const [earlier, blocked] = [
        await alice.client.read(roomId, old),
        await alice.client.read(roomId, eventId),
      ];
      await alice.client.accept(userId, "withdraw");
      const after = await alice.client.read(roomId, eventId);

      const why = "SenderIdentityVerificationViolation";
      expectReadable(earlier, "the message from before");
      expectUnreadable(blocked, "the message after the change", { why });
      expectReadable(after, "the message after the user agreed");
    }),
);

check(
  "MSC4153.identity-change.own",
  "the client reports that the own identity was replaced from another device",
  { mutant: HIDES_CHANGES },
  (world) =>
    judged(world, async (cast) => {
      const first = await cast.user("alice");
      const second = await cast.device(await world.login(first.session), { isSigned: false });
      const { userId, deviceId } = first.session;
      await first.client.syncOnce();
      const before = await first.client.identityOf(userId);

      await second.client.bootstrapIdentity({ reset: true });
      await untilChanged(first, first.session);
      const after = await first.client.identityOf(userId);

      const own = ({ devices }: typeof after) => devices.find((one) => one.deviceId === deviceId);
      expectEqual([before.isVerified, own(before)?.isSigned], [true, true], "identity and device");
      expectThat(after.masterKey !== before.masterKey, "another master key", "the same one");
      const lost = [after.isVerified, own(after)?.isSigned];
      expectEqual(lost, [false, false], "whether identity is verified and device is signed");
    }),
);

check(
  "E2EE.verify.key-id-collision",
  "the client verifies no user who has a device with the id of a cross-signing key",
  { mutant: HIDES_CHANGES },
  (world) =>
    judged(world, async (cast) => {
      const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
      const charlie = await cast.user("charlie");
      await encryptedRoom(alice.session, bob.session, charlie.session);
      await alice.client.syncOnce();
      const { userId, context } = bob.session;
      const { masterKey: deviceId = "" } = await alice.client.identityOf(userId);
      const { keys } = makeDevice({ userId, deviceId, context });
      const pointer = `/device_keys/${userId}/${deviceId.replaceAll("/", "~1")}`;
      const attack = await world.rule({
        name: "adds a device with the id of a key",
        match: { method: "POST", path: KEYS_QUERY, contains: userId },
        phase: "processed",
        action: { kind: "rewrite", set: { [pointer]: JSON.parse(JSON.stringify(keys)) } },
      });
      await publishDevice(await world.login(bob.session));
      await untilChanged(alice, bob.session);

      await verify({ alice, bob: charlie });
      await verify({ alice, bob }).catch((error: unknown) => world.note(String(error)));
      await attack.end();

      const { devices } = await alice.client.identityOf(userId);
      const isKnown = devices.some((one) => one.deviceId === deviceId);
      expectEqual(isKnown, true, "whether the client has the device");
      const { isVerified: isControl } = await alice.client.identityOf(charlie.session.userId);
      const { isVerified } = await alice.client.identityOf(userId);
      const verified = [isControl, isVerified];
      expectEqual(verified, [true, false], "whether each of an honest and such a user is verified");
    }),
);
