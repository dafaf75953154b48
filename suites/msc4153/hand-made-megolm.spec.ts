import {
  DecryptionSettings,
  DeviceId,
  initAsync,
  OlmMachine,
  RoomId,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { expect, test } from "vitest";
import { keyPair } from "#harness/clients/identities";
import { handMadeSession } from "./hand-made-megolm.ts";

test("a client that has the key of a session made by hand reads its message", async () => {
  await initAsync();
  const machine = await OlmMachine.initialize(new UserId("@bob:hs1"), new DeviceId("DEVICE"));
  const roomId = "!room:hs1";
  const { exportedKey, sessionId, encrypt } = handMadeSession("seed");
  const content = encrypt(roomId, "m.room.message", { body: "text".repeat(50) });
  const key = {
    algorithm: "m.megolm.v1.aes-sha2",
    room_id: roomId,
    session_id: sessionId,
    session_key: exportedKey,
    sender_key: keyPair("sender").publicKey,
    sender_claimed_keys: { ed25519: keyPair("claimed").publicKey },
    forwarding_curve25519_key_chain: [],
  };

  await machine.importExportedRoomKeys(JSON.stringify([key]), () => undefined);
  const decrypted = await machine.decryptRoomEvent(
    JSON.stringify({
      type: "m.room.encrypted",
      event_id: "$event",
      sender: "@alice:hs1",
      origin_server_ts: 1,
      content,
    }),
    new RoomId(roomId),
    new DecryptionSettings(TrustRequirement.Untrusted),
  );

  expect(JSON.parse(decrypted.event)).toMatchObject({ content: { body: "text".repeat(50) } });
});
