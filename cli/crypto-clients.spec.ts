/** The clients of harness/clients/crypto against a real server. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readClientLog } from "#harness/clients/crypto/client-log";
import type { ClientOptions } from "#harness/clients/crypto/crypto-client";
import { startClient } from "#harness/clients/crypto/start-client";
import { ClientStore } from "#harness/clients/crypto/store/client-store";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
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

test("a client that is killed reads on with the store that it has left", async () => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(here, { store: "durable" });
  const { alice, bob, roomId } = pair;

  const before = await alice.send(roomId, { msgtype: "m.text", body: "before" });
  await bob.syncOnce();
  await bob.stop("sigkill");
  const during = await alice.send(roomId, { msgtype: "m.text", body: "during" });
  await alice.rotate(roomId);
  const after = await alice.send(roomId, { msgtype: "m.text", body: "after" });
  await bob.start();
  await bob.settle({ deadline: 10_000 });

  for (const [event, body] of [
    [before, "before"],
    [during, "during"],
    [after, "after"],
  ] as const) {
    expect(await bob.read(roomId, event.eventId)).toMatchObject({ content: { body } });
  }
});

test.each([
  ["got", 1],
  ["took", 1],
  ["persisted", 1],
] as const)("what came before a death at %s comes again, and is read", async (diesAt, times) => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(here, { store: "durable" });
  const { alice, bob, roomId } = pair;

  const sent = await alice.send(roomId, { msgtype: "m.text", body: "one" });
  const dying = bob.syncOnce(0, { diesAt });
  await expect(dying).rejects.toMatchObject({ code: "INTERRUPTED" });
  await bob.start();
  expect(await bob.syncOnce()).toMatchObject({ toDevice: times });

  expect(await bob.read(roomId, sent.eventId)).toMatchObject({ content: { body: "one" } });
});

test("a key that is acknowledged before it is taken in is lost with the process", async () => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(here, { store: "durable" });
  const { alice, bob, roomId } = pair;

  const sent = await alice.send(roomId, { msgtype: "m.text", body: "one" });
  const dying = bob.syncOnce(0, { acknowledgesEarly: true, diesAt: "got" });
  await expect(dying).rejects.toMatchObject({ code: "INTERRUPTED" });
  await bob.start();
  await bob.settle({ deadline: 10_000 });

  expect(await bob.read(roomId, sent.eventId)).toMatchObject({ code: "MissingRoomKey" });
});

test("a store that is put back has forgotten what came since, and no second machine runs on it", async () => {
  await using here = server.world("CS.keys.claim");
  using store = ClientStore.create();
  await using pair = await signedPair(here, { store });
  const { alice, bob, asBob, roomId } = pair;
  await expect(startClient("wasm", asBob, { store })).rejects.toMatchObject({ code: "BAD_USAGE" });

  const snapshot = await bob.snapshot();
  const sent = await alice.send(roomId, { msgtype: "m.text", body: "one" });
  // Twice: the second acknowledges what the first has brought.
  await bob.syncOnce();
  await bob.syncOnce();
  expect(await bob.read(roomId, sent.eventId)).toMatchObject({ isReadable: true });
  await bob.restore(snapshot);
  await bob.settle({ deadline: 10_000 });

  expect(await bob.read(roomId, sent.eventId)).toMatchObject({ code: "MissingRoomKey" });
});

test("over sliding sync keys come as over /sync", async () => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(
    here,
    { sync: "sliding", store: "durable" },
    { sync: "sliding" },
  );
  const { alice, bob, roomId } = pair;

  for (const [from, to, body] of [
    [alice, bob, "one"],
    [bob, alice, "two"],
  ] as const) {
    const sent = await from.send(roomId, { msgtype: "m.text", body });
    await to.settle({ deadline: 10_000 });
    expect(await to.read(roomId, sent.eventId)).toMatchObject({ content: { body } });
  }
  await bob.stop("sigkill");
  const later = await alice.send(roomId, { msgtype: "m.text", body: "three" });
  await bob.start();
  await bob.settle({ deadline: 10_000 });
  expect(await bob.read(roomId, later.eventId)).toMatchObject({ content: { body: "three" } });
});

test.each(["sas-to-device", "sas-room", "qr"] as const)(
  "two users verify each other by %s",
  async (via) => {
    await using here = server.world("CS.keys.claim");
    await using pair = await signedPair(here);
    const { alice, bob, roomId } = pair;
    for (const client of [alice, bob]) await client.settle({ deadline: 10_000 });

    await alice.verify(bob, via, roomId);
    for (const client of [alice, bob]) await client.settle({ deadline: 10_000 });

    expect(await alice.identityOf(bob.userId)).toMatchObject({ isVerified: true });
    expect(await bob.identityOf(alice.userId)).toMatchObject({ isVerified: true });
  },
);

test("a new device takes up the identity and the backup by the recovery key", async () => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(here);
  const { alice, bob, asAlice, roomId } = pair;
  const sent = await bob.send(roomId, { msgtype: "m.text", body: "old" });
  await alice.syncOnce();
  const version = await alice.backup.create();
  expect(await alice.backup.upload()).toBe(1);
  const key = await alice.recovery.create();

  const asNew = await here.login(asAlice);
  // Keys of a backup are nobody's word for who has made them.
  const policy = { share: "identity", read: "legacy" } as const;
  await using fresh = await startClient("wasm", asNew, { store: "durable", policy });
  expect(await fresh.read(roomId, sent.eventId)).toMatchObject({ code: "MissingRoomKey" });
  await fresh.recovery.use(key);
  expect(await fresh.backup.version()).toBe(version);
  expect(await fresh.backup.restore()).toBe(1);

  expect(await fresh.read(roomId, sent.eventId)).toMatchObject({
    content: { body: "old" },
    shield: { code: "AuthenticityNotGuaranteed" },
  });
  expect((await fresh.identityOf(asAlice.userId)).devices).toContainEqual(
    expect.objectContaining({ deviceId: asNew.deviceId, isSigned: true }),
  );
  expect(String(key)).toBe("<secret>");
});

test("own devices give each other secrets once they have verified each other", async () => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(here);
  const { alice, bob, asAlice, roomId } = pair;
  await alice.backup.create();
  const sent = await bob.send(roomId, { msgtype: "m.text", body: "old" });
  await alice.syncOnce();
  await alice.backup.upload();

  const policy = { share: "identity", read: "legacy" } as const;
  await using fresh = await startClient("wasm", await here.login(asAlice), { policy });
  for (const client of [fresh, alice]) await client.settle({ deadline: 10_000 });
  await fresh.verify(alice, "sas-to-device");
  await fresh.requestSecrets();
  for (const client of [alice, fresh, alice, fresh]) await client.settle({ deadline: 10_000 });

  expect(await fresh.backup.version()).toBeDefined();
  // The key itself, too: it is asked for when an event can not be read, and an own device that is verified gives it.
  await fresh.read(roomId, sent.eventId);
  for (const client of [fresh, alice, fresh]) await client.settle({ deadline: 10_000 });
  expect(await fresh.read(roomId, sent.eventId)).toMatchObject({ content: { body: "old" } });
});

test("who is invited reads what was said before, by a bundle of keys", async () => {
  await using here = server.world("CS.keys.claim");
  const [asAlice, asBob] = await here.users("alice", "bob");
  await using alice = await startClient("wasm", asAlice);
  const policy = { share: "identity", read: "legacy" } as const;
  await using bob = await startClient("wasm", asBob, { policy });
  await Promise.all([alice.bootstrapIdentity(), bob.bootstrapIdentity()]);
  const roomId = await roomOf(asAlice);
  const sent = await alice.send(roomId, { msgtype: "m.text", body: "old" });
  // A bundle of somebody whose identity is not known when it comes is thrown away, and comes no second time.
  await roomOf(asAlice, asBob);
  await bob.syncOnce();

  await asAlice.invite(roomId, asBob);
  expect(await alice.history.share(roomId, asBob.userId)).toBe(true);
  await asBob.join(roomId);
  await bob.settle({ deadline: 10_000 });
  expect(await bob.history.accept(roomId, asAlice.userId)).toBe(true);

  expect(await bob.read(roomId, sent.eventId)).toMatchObject({
    content: { body: "old" },
    forwarder: asAlice.userId,
  });
});

test("a dehydrated device receives keys while nobody is there", async () => {
  await using here = server.world("CS.keys.claim");
  await using pair = await signedPair(here);
  const { alice, bob, asBob, roomId } = pair;
  const recovery = await bob.recovery.create();
  const { key } = await bob.dehydration.create();
  await asBob.post("/_matrix/client/v3/logout");

  const sent = await alice.send(roomId, { msgtype: "m.text", body: "asleep" });
  const asNew = await here.login(asBob);
  await using fresh = await startClient("wasm", asNew);
  await fresh.recovery.use(recovery);
  // A key whose sender is not tracked when it comes stays one of an unsigned device.
  await fresh.syncOnce();
  expect(await fresh.dehydration.rehydrate(key)).toBe(1);

  expect(await fresh.read(roomId, sent.eventId)).toMatchObject({ content: { body: "asleep" } });
});

test("a client that never cross-signs reads and is read where the policy lets it, and is kept out where not", async () => {
  await using here = server.world("CS.keys.claim");
  const [asAlice, asBob] = await here.users("alice", "bob");
  const policy = { share: "all", read: "untrusted" } as const;
  await using alice = await startClient("wasm", asAlice, { policy });
  await using strict = await startClient("wasm", await here.login(asAlice));
  await using bob = await startClient("nio", asBob, { store: "durable" });
  await alice.bootstrapIdentity();
  const roomId = await roomOf(asAlice, asBob);
  for (const client of [alice, bob, strict]) await client.settle({ deadline: 20_000 });

  const question = await alice.send(roomId, { msgtype: "m.text", body: "one" });
  await bob.settle({ deadline: 20_000 });
  expect(await bob.read(roomId, question.eventId)).toMatchObject({ content: { body: "one" } });
  const answer = await bob.send(roomId, { msgtype: "m.text", body: "two" });
  expect(answer).toMatchObject({ index: 0 });
  for (const client of [alice, strict]) await client.settle({ deadline: 20_000 });
  expect(await alice.read(roomId, answer.eventId)).toMatchObject({ content: { body: "two" } });
  expect(await strict.read(roomId, answer.eventId)).toMatchObject({
    code: "UnsignedSenderDevice",
  });

  await bob.stop("sigkill");
  const later = await alice.send(roomId, { msgtype: "m.text", body: "three" });
  await bob.start();
  await bob.settle({ deadline: 20_000 });
  expect(await bob.read(roomId, later.eventId)).toMatchObject({ content: { body: "three" } });
  expect(bob.lacks("backup")).toBe("matrix-nio 0.26 has no server-side backup");
  await expect(bob.backup.create()).rejects.toMatchObject({ name: "Unsupported" });
});

test("neither the trace nor a client's log has a plaintext, a recovery key, a password or a token", async () => {
  await using here = server.world("CS.keys.claim");
  const [asAlice, asBob] = await here.users("alice", "bob");
  const log = path.join(server.folder, `${here.name("client")}.ndjson`);
  await using alice = await startClient("wasm", asAlice, { store: "durable", log });
  await using bob = await startClient("nio", asBob, { store: "durable", log: `${log}.nio` });
  await alice.bootstrapIdentity();
  await alice.backup.create();
  const recovery = await alice.recovery.create();
  const { key } = await alice.dehydration.create();
  const roomId = await roomOf(asAlice, asBob);
  for (const client of [alice, bob]) await client.settle({ deadline: 20_000 });
  const said = "what only the two of them may know";
  await expect(alice.send(roomId, { msgtype: "m.text", body: said })).resolves.toBeDefined();
  const sent = await bob.send(roomId, { msgtype: "m.text", body: said });
  await alice.settle({ deadline: 20_000 });
  await alice.backup.upload();
  await alice.read(roomId, sent.eventId);

  const deeds = [log, `${log}.nio`].map((file) => readClientLog(file).map(({ t }) => t));
  for (const told of deeds) expect(told).toEqual(expect.arrayContaining(["start", "got", "sent"]));
  const files = readdirSync(server.folder).filter((name) => name.includes(".ndjson"));
  expect(files.length).toBeGreaterThan(2);
  const secrets = [recovery.reveal(), key.reveal(), asAlice.password, asAlice.accessToken, said];
  for (const name of files) {
    const text = readFileSync(path.join(server.folder, name), "utf8");
    for (const [index, secret] of secrets.entries()) {
      expect(text.includes(secret), `secret ${index} in ${name}`).toBe(false);
    }
  }
});

test("matrix-js-sdk reads and is read, is killed, and comes back", async () => {
  await using here = server.world("CS.keys.claim");
  const [asAlice, asBob] = await here.users("alice", "bob");
  await using alice = await startClient("wasm", asAlice);
  await using bob = await startClient("js-sdk", asBob, { store: "durable" });
  await alice.bootstrapIdentity();
  await bob.bootstrapIdentity();
  const roomId = await roomOf(asAlice, asBob);
  for (const client of [alice, bob]) await client.settle({ deadline: 20_000 });

  const question = await alice.send(roomId, { msgtype: "m.text", body: "one" });
  await bob.settle({ deadline: 20_000 });
  expect(await bob.read(roomId, question.eventId)).toMatchObject({ content: { body: "one" } });
  const answer = await bob.send(roomId, { msgtype: "m.text", body: "two" });
  await alice.settle({ deadline: 20_000 });
  expect(await alice.read(roomId, answer.eventId)).toMatchObject({ content: { body: "two" } });

  await bob.stop("sigkill");
  await alice.rotate(roomId);
  const later = await alice.send(roomId, { msgtype: "m.text", body: "three" });
  await bob.start();
  await bob.settle({ deadline: 20_000 });
  for (const [event, body] of [
    [question, "one"],
    [later, "three"],
  ] as const) {
    expect(await bob.read(roomId, event.eventId)).toMatchObject({ content: { body } });
  }
});

/** Alice and Bob with signed devices, in an encrypted room. */
async function signedPair(here: World, ofBob: ClientOptions = {}, ofAlice: ClientOptions = {}) {
  const [asAlice, asBob] = await here.users("alice", "bob");
  await using clients = new AsyncDisposableStack();
  const alice = clients.use(await startClient("wasm", asAlice, ofAlice));
  const bob = clients.use(await startClient("wasm", asBob, ofBob));
  await Promise.all([alice.bootstrapIdentity(), bob.bootstrapIdentity()]);
  const roomId = await roomOf(asAlice, asBob);
  const kept = clients.move();
  const dispose = () => kept.disposeAsync();
  return { asAlice, asBob, alice, bob, roomId, [Symbol.asyncDispose]: dispose };
}

async function roomOf(owner: Session, ...guests: readonly Session[]): Promise<string> {
  const roomId = await owner.createRoom(ENCRYPTED);
  for (const guest of guests) {
    await owner.invite(roomId, guest);
    await guest.join(roomId);
  }
  return roomId;
}
