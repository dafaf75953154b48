/** What happens to faults whose end does not go as it should. */
import { expect, test } from "vitest";
import type { MeshResource } from "#chaos/mesh/resources";
import { makeAll } from "./fault.ts";

const NAMES = ["first", "second", "third"];
const RESOURCES = NAMES.map(
  (name): MeshResource => ({
    apiVersion: "chaos-mesh.org/v1alpha1",
    kind: "NetworkChaos",
    metadata: { name, namespace: "team", labels: {} },
    spec: {},
  }),
);

test("a fault that can not be removed leaves no other in force, and is told", async () => {
  const inForce = new Set<string>();
  const cluster = {
    create: async (made: readonly { metadata: { name: string } }[]) => {
      for (const { metadata } of made) inForce.add(metadata.name);
    },
    removeOne: async ({ metadata }: { metadata: { name: string } }) => {
      if (metadata.name === "second") throw new Error("the API server is away");
      inForce.delete(metadata.name);
    },
  };
  let isReleased = false;
  const stack = new AsyncDisposableStack();
  stack.defer(() => {
    isReleased = true;
  });

  await makeAll(cluster, RESOURCES, stack);
  const made = [...inForce];

  await expect(stack.disposeAsync()).rejects.toThrow("the API server is away");
  expect(made).toEqual(NAMES);
  expect([...inForce]).toEqual(["second"]);
  expect(isReleased).toBe(true);
});
