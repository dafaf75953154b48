import { expect, test } from "vitest";
import type { CryptoClient, Secret } from "#harness/clients/crypto/crypto-client";
import { secret } from "#harness/clients/crypto/secret";
import { CheckFailure, HarnessError } from "#harness/errors";
import type { Actor } from "./cast.ts";
import { CryptoDevice } from "./crypto-device.ts";

const ROOM = { id: "!room:hs1.test", version: "11" };

/** A device whose client tells what it was asked, and fails to settle with this error. */
function deviceWith(error?: unknown, version?: string) {
  const asked: string[] = [];
  const client = {
    deviceId: "PHONE",
    settle: async () => {
      asked.push("settle");
      if (error !== undefined) throw error;
    },
    send: async () => {
      asked.push("send");
      return { eventId: "$event" };
    },
    rotate: async () => asked.push("rotate"),
    syncOnce: async () => asked.push("sync"),
    bootstrapIdentity: async ({ reset }: { reset: boolean }) => asked.push(`identity ${reset}`),
    backup: {
      create: async () => asked.push("create"),
      upload: async () => asked.push("upload"),
      restore: async () => asked.push("restore"),
      version: async () => version,
    },
    recovery: {
      create: async () => secret("key"),
      use: async (key: Secret) => asked.push(`use ${key.reveal()}`),
    },
    stop: async (mode: string) => asked.push(mode),
    start: async () => asked.push("start"),
  };
  const actor = { name: "alice" } as Actor;
  return { device: new CryptoDevice(actor, 1, client as unknown as CryptoClient), asked };
}

const say = (device: CryptoDevice) =>
  device.say(ROOM, { op: "message", id: "op-1", by: "alice", room: "main" });

test.each([
  ["a refusal", new CheckFailure("status 200", "502"), false],
  ["silence", new HarnessError("HS_NO_ANSWER", { what: "no answer" }), false],
  ["its own death", new HarnessError("INTERRUPTED", { what: "killed" }), false],
  ["a broken library", new Error("panicked at"), true],
  ["a fault of ours", new HarnessError("INTERNAL", { what: "lost count" }), true],
])("%s is told; it is trouble of a device's own: %s", async (_what, error, isTrouble) => {
  const { device } = deviceWith(error);

  expect(await device.settle()).toContain(error.message);
  expect(device.trouble !== undefined).toBe(isTrouble);
});

test("it begins a new session with every second thing that it says", async () => {
  const { device, asked } = deviceWith();
  for (let n = 0; n < 4; n++) await say(device);

  expect(asked).toEqual(["send", "rotate", "send", "send", "rotate", "send"]);
});

test("who was killed comes back for the next thing that it is to do", async () => {
  const { device, asked } = deviceWith();
  const killed = device.kill();
  await say(device);
  await killed;
  await say(device);

  expect(asked).toEqual(["sigkill", "start", "send", "rotate", "send"]);
});

test("a new identity replaces whatever there was", async () => {
  const { device, asked } = deviceWith();
  await device.resetIdentity();

  expect(asked).toEqual(["identity true"]);
});

test("a new backup has all keys, and its own is put into secret storage", async () => {
  const { device, asked } = deviceWith();
  const key = await device.newBackup();

  expect(key.reveal()).toBe("key");
  expect(asked).toEqual(["sync", "create", "upload"]);
});

test.each([
  ["the one that the server has", "1", ["sync", "use key", "restore"]],
  ["one that is no more", undefined, ["sync", "use key"]],
])("a backup is restored when its key is of %s", async (_what, version, expected) => {
  const { device, asked } = deviceWith(undefined, version);
  const restored = await device.restoreBackup(secret("key"));

  expect(asked).toEqual(expected);
  expect(restored === undefined).toBe(version === undefined);
});

const [READABLE, UNREADABLE] = [{ isReadable: true }, { isReadable: false }];
const [IN_TIME, PAST] = [Number.POSITIVE_INFINITY, 0];

test.each([
  ["there and readable", [READABLE], IN_TIME, READABLE, ["read"]],
  [
    "whose key comes late",
    [UNREADABLE, UNREADABLE, READABLE],
    IN_TIME,
    READABLE,
    ["read", "sync", "read", "sync", "read"],
  ],
  ["that nobody waits for any more", [UNREADABLE, READABLE], PAST, UNREADABLE, ["read"]],
  ["that the server does not give", [undefined, READABLE], IN_TIME, undefined, ["read"]],
])("an event %s is read as long as it takes", async (_which, results, end, expected, calls) => {
  const asked: string[] = [];
  const left = [...results];
  const client = {
    read: async () => {
      asked.push("read");
      const result = left.shift();
      if (result === undefined) throw new CheckFailure("status 200", "404");
      return result;
    },
    syncOnce: async () => asked.push("sync"),
  };
  const device = new CryptoDevice({ name: "alice" } as Actor, 1, client as unknown as CryptoClient);

  expect(await device.read(ROOM.id, "$event", end)).toEqual(expected);
  expect(asked).toEqual(calls);
});
