/** Verification of users and devices by a client library: by short strings, to devices and in rooms, and by QR codes. */
import type { VerificationView } from "#harness/clients/crypto/crypto-client";
import { CheckFailure } from "#harness/errors";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import { type Actor, type Cast, judged, LOSES_KEYS, untilChanged } from "./clients.ts";

const STEPS_AT_MOST = 16;
const OTHER = "A".repeat(43);
const step = (name: string) => ({
  method: "PUT",
  path: `/_matrix/client/v3/sendToDevice/m.key.verification.${name}/*`,
});
const SPOILS_KEYS = altersRequest("changes the keys of both sides", step("key"), {
  set: { "/messages/*/*/key": OTHER },
});
const SPOILS_MACS = altersRequest("changes what both sides prove", step("mac"), {
  set: { "/messages/*/*/keys": OTHER },
});

/** Two users in a room whose clients know each other's devices. */
async function acquainted(cast: Cast) {
  const [alice, bob] = [await cast.user("alice"), await cast.user("bob")];
  const roomId = await encryptedRoom(alice.session, bob.session);
  for (const actor of [alice, bob]) await actor.client.syncOnce();
  return { alice, bob, roomId };
}

async function isVerifiedFor({ client }: Actor, { session }: Actor): Promise<boolean> {
  return (await client.identityOf(session.userId)).isVerified;
}

check(
  "E2EE.verify.todevice-sas",
  "the client verifies another own device by short strings, and signs it",
  { mutant: [SPOILS_KEYS, SPOILS_MACS] },
  (world) =>
    judged(world, async (cast) => {
      const first = await cast.user("alice");
      const second = await cast.device(await world.login(first.session), { isSigned: false });
      const { deviceId } = second.session;
      await untilChanged(first, first.session);

      await first.client.verify(second.client, "sas-to-device");

      await world.eventually(async () => {
        await second.client.syncOnce();
        const { devices } = await second.client.identityOf(first.session.userId);
        const own = devices.find((device) => device.deviceId === deviceId);
        expectEqual(own?.isSigned, true, "whether the other device is signed");
      });
    }),
);

check(
  "E2EE.verify.room-sas",
  "the client verifies another user in a room",
  { mutant: LOSES_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob, roomId } = await acquainted(cast);

      await alice.client.verify(bob.client, "sas-room", roomId);
      await untilChanged(alice, bob.session);

      expectEqual(await isVerifiedFor(alice, bob), true, "whether the identity is verified");
    }),
);

check(
  "E2EE.verify.qr",
  "the client verifies another user by a QR code",
  {
    mutant: altersRequest("changes what the code proves", step("start"), {
      set: { "/messages/*/*/secret": OTHER },
    }),
  },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob } = await acquainted(cast);

      await alice.client.verify(bob.client, "qr");
      await untilChanged(alice, bob.session);

      expectEqual(await isVerifiedFor(alice, bob), true, "whether the identity is verified");
    }),
);

check(
  "E2EE.verify.mitm",
  "the client verifies nobody when a key was changed on the way",
  { mutant: SPOILS_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const honest = await acquainted(cast);
      await honest.alice.client.verify(honest.bob.client, "sas-to-device");
      for (const [name, field] of [
        ["key", "key"],
        ["mac", "keys"],
      ] as const) {
        const { alice, bob } = await acquainted(cast);
        const attack = await world.rule({
          name: `changes each ${name}`,
          match: { ...step(name), check: alice.session.context.check },
          phase: "before",
          action: { kind: "rewrite", set: { [`/messages/*/*/${field}`]: OTHER } },
        });

        const end = await alice.client.verify(bob.client, "sas-to-device").then(
          () => "done",
          (error: unknown) => {
            if (!(error instanceof CheckFailure)) throw error;
            return error.actual;
          },
        );
        await attack.end();

        expectThat(end.includes("cancelled"), `a cancellation after a changed ${name}`, end);
        expectEqual(await isVerifiedFor(alice, bob), false, "whether the identity is verified");
      }
    }),
);

check(
  "MSC4153.verify-master",
  "the client proves the master key when users verify each other",
  {
    mutant: altersRequest("proves nothing", step("mac"), { set: { "/messages/*/*/mac": {} } }),
  },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob } = await acquainted(cast);
      const keys = await Promise.all(
        [alice, bob].map(async ({ client, session }) => {
          const { masterKey } = await client.identityOf(session.userId);
          return world.fault({ ...step("mac"), contains: `"ed25519:${masterKey}"` }, "after", {
            kind: "delay",
            ms: 0,
          });
        }),
      );

      await alice.client.verify(bob.client, "sas-to-device");

      const fired = await Promise.all(keys.map((key) => key.fired()));
      expectEqual(fired, [1, 1], "messages that prove the master key of each");
    }),
);

check(
  "E2EE.verify.double-start",
  "the client goes on with one of two starts that cross each other",
  { mutant: SPOILS_KEYS },
  (world) =>
    judged(world, async (cast) => {
      const { alice, bob } = await acquainted(cast);
      const sides = [
        [alice.client, bob.client],
        [bob.client, alice.client],
      ] as const;
      const { deviceId, userId } = bob.session;
      const flowId = await alice.client.verification.request(userId, { deviceId });
      await bob.client.syncOnce();
      await bob.client.verification.accept(alice.session.userId, flowId);
      await alice.client.syncOnce();

      for (const [client, other] of sides) {
        await client.verification.startSas(other.userId, flowId);
      }
      let views: (VerificationView | undefined)[] = [];
      for (let count = 0; count < STEPS_AT_MOST; count++) {
        for (const [client, other] of sides) {
          await client.syncOnce();
          const view = await client.verification.view(other.userId, flowId);
          if (view?.phase === "started") await client.verification.accept(other.userId, flowId);
        }
        views = await Promise.all(
          sides.map(([client, other]) => client.verification.view(other.userId, flowId)),
        );
        if (views.every((view) => view?.phase === "compare")) break;
      }

      const phases = views.map((view) => view?.phase);
      expectEqual(phases, ["compare", "compare"], "how far each side comes");
      expectEqual(views[0]?.decimals, views[1]?.decimals, "what both sides show");
    }),
);
