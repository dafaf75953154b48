import { expect, test } from "vitest";
import type { CryptoClient } from "#harness/clients/crypto/crypto-client";
import { CheckFailure, HarnessError } from "#harness/errors";
import type { Actor } from "./cast.ts";
import { CryptoDevice } from "./crypto-device.ts";

const ROOM = { id: "!room:hs1.test", version: "11" };

/** A device whose client tells what it was asked, and fails to settle with this error. */
function deviceWith(error?: unknown) {
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

test("it begins a new session with every third thing that it says", async () => {
  const { device, asked } = deviceWith();
  for (let n = 0; n < 4; n++) await say(device);

  expect(asked).toEqual(["send", "send", "rotate", "send", "send"]);
});

test("who was killed comes back for the next thing that it is to do", async () => {
  const { device, asked } = deviceWith();
  const killed = device.kill();
  await say(device);
  await killed;
  await say(device);

  expect(asked).toEqual(["sigkill", "start", "send", "send"]);
});
