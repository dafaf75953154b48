/** The clients of harness/clients/crypto against a real server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startClient } from "#harness/clients/crypto/start-client";
import { DeploymentForSpecs } from "./deployment-for-specs.ts";

let server: DeploymentForSpecs;

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const ENCRYPTED = {
  preset: "private_chat",
  initial_state: [
    { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
  ],
};

test("two users who have signed their devices read each other; one who has not is kept out and told so", async () => {
  await using here = server.world("CS.keys.claim");
  const [asAlice, asBob, asMallory] = await here.users("alice", "bob", "mallory");
  await using alice = await startClient("wasm", asAlice);
  await using bob = await startClient("wasm", asBob);
  await using mallory = await startClient("wasm", asMallory);
  await Promise.all([alice.bootstrapIdentity(), bob.bootstrapIdentity()]);
  const roomId = await asAlice.createRoom(ENCRYPTED);
  for (const session of [asBob, asMallory]) {
    await asAlice.invite(roomId, session);
    await session.join(roomId);
  }

  const first = await alice.send(roomId, { msgtype: "m.text", body: "one" });
  const second = await alice.send(roomId, { msgtype: "m.text", body: "two" });
  expect(second).toMatchObject({ sessionId: first.sessionId, index: (first.index ?? 0) + 1 });
  expect(await bob.syncOnce()).toMatchObject({ toDevice: 1, undecryptable: 0 });
  expect(await bob.read(roomId, second.eventId)).toEqual({
    isReadable: true,
    type: "m.room.message",
    content: { msgtype: "m.text", body: "two" },
    shield: { color: "none" },
  });
  await mallory.syncOnce();
  expect(await mallory.read(roomId, first.eventId)).toMatchObject({
    isReadable: false,
    code: "MissingRoomKey",
    withheld: "m.unverified",
    sessionId: first.sessionId,
    index: first.index,
  });

  const answer = await bob.send(roomId, { msgtype: "m.text", body: "three" });
  await alice.syncOnce();
  expect(await alice.read(roomId, answer.eventId)).toMatchObject({
    isReadable: true,
    content: { body: "three" },
  });
});
