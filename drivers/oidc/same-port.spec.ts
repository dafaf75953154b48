import { expect, test, vi } from "vitest";
import { startForSpecs } from "./service-for-specs.ts";

const { hosts } = vi.hoisted(() => ({ hosts: ["127.201.7.1", "127.201.7.2"] }));

/** What chance gives once in ten thousand starts: the same port is free on both hosts. */
vi.mock("#drivers/substrates/process/address", () => ({
  freeAddress: async () => ({ host: hosts.shift(), port: 45_873 }),
}));

test("starts when its two listeners are given the same port, each on a host of its own", async () => {
  await using service = await startForSpecs();
  expect(await service.newUser()).toBe("user1");
});
