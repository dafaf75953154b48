import { meet } from "#harness/peer/meeting";
import { check } from "#harness/world/check";
import { expectEqual, expectStatus } from "#harness/world/expect";
import { SHOWS_TWO, toDevice, toDeviceUntil } from "./to-device.ts";

check(
  "FED.txn.to-device-once",
  "the server delivers a to-device message once for each message id and device",
  { mutant: SHOWS_TWO },
  async (world) => {
    const { alice, peer, mallory } = await meet(world);
    const second = await world.login(alice);
    const client = peer.client(alice.server.serverName);
    const once = toDevice(mallory, alice.userId, "*", "once");

    await client.send([], [once, once]);
    await client.send([], [once]);
    await client.send([], [toDevice(mallory, alice.userId, "*", "last")]);

    for (const device of [alice, second]) {
      const texts = await toDeviceUntil(device, "last");
      expectEqual(texts, ["once", "last"], `the messages to ${device.deviceId}`);
    }
  },
);

check(
  "FED.txn.to-device-origin",
  "the server drops to-device messages of users of other servers",
  { mutant: SHOWS_TWO },
  async (world) => {
    const { alice, peer, mallory } = await meet(world);
    const client = peer.client(alice.server.serverName);
    const forged = [alice.userId, "@charlie:other.example"].map((sender, index) =>
      toDevice(sender, alice.userId, alice.deviceId, `forged ${index}`),
    );

    const response = await client.send([], forged);
    await client.send([], [toDevice(mallory, alice.userId, alice.deviceId, "last")]);

    expectStatus(response, 200);
    expectEqual(await toDeviceUntil(alice, "last"), ["last"], "the to-device messages");
  },
);
