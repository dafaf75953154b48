/** Plans as what is applied to a cluster, and deleted again. */
import { expect, test } from "vitest";
import { parsePlan } from "#scenarios/plan";
import { meshPlan } from "./plan.ts";
import type { Place } from "./resources.ts";

const PLACE: Place = {
  namespace: "team",
  labels: { run: "r" },
  podsOf: (role) => ({ role }),
  container: "homeserver",
  dataPathOf: () => "/data",
  noteAnnotation: "note",
};

function steps(...given: readonly unknown[]) {
  const plan = parsePlan(
    {
      format: "crucible-plan/1",
      id: "p",
      title: "t",
      story: "s",
      seed: 1,
      servers: 3,
      users: { alice: "hs1" },
      rooms: { room: { version: "10", creator: "alice", rule: "public", members: [] } },
      steps: given,
      expect: [],
    },
    "plan.json",
  );
  return meshPlan(plan, PLACE);
}

test("a partition is a resource for each pair, and its heal deletes them", () => {
  const links = ["hs1>hs2", "hs2>hs1", "hs1>hs3"];

  const [cut, heal] = steps({ fault: "blackhole", id: "f1", links }, { heal: ["f1"] });

  expect(cut?.apply).toMatchObject([
    {
      kind: "NetworkChaos",
      metadata: { name: "f1-hs1-hs2", namespace: "team" },
      spec: {
        action: "partition",
        direction: "both",
        selector: { namespaces: ["team"], labelSelectors: { role: "hs1" } },
        target: { mode: "all", selector: { labelSelectors: { role: "hs2" } } },
      },
    },
    { metadata: { name: "f1-hs1-hs3" }, spec: { direction: "to" } },
  ]);
  expect(heal?.remove).toEqual(cut?.apply);
});

test("a server that was stopped is brought back by its start, and what is left ends with the convergence", () => {
  const [stop, fill, start, converge] = steps(
    { server: "hs2", action: "stop" },
    { server: "hs3", action: "fill-disk" },
    { server: "hs2", action: "start" },
    { converge: "nudged" },
  );

  expect(stop?.apply).toMatchObject([{ kind: "PodChaos", spec: { action: "pod-failure" } }]);
  expect(fill?.apply).toMatchObject([
    { kind: "IOChaos", spec: { errno: 28, volumePath: "/data" } },
  ]);
  expect(start?.remove).toEqual(stop?.apply);
  expect(converge?.remove).toEqual(fill?.apply);
});

test("what packets can not do is told, a clock is the whole server's, and what users say is left out", () => {
  const message = { op: "message", id: "m1", by: "alice", room: "room" };

  const made = steps(
    message,
    { fault: "status", id: "f1", links: ["hs1>hs2"], status: 500 },
    { fault: "delay", id: "f2", links: ["hs1>hs2"], ms: 300, times: 1 },
    { ...message, id: "m2", ahead: 60_000 },
  );

  expect(made.map(({ number, apply }) => [number, apply.length])).toEqual([
    [2, 0],
    [3, 0],
    [4, 1],
  ]);
  expect(made[0]?.notes.join()).toContain("only the gateway");
  expect(made[2]?.apply).toMatchObject([
    {
      kind: "TimeChaos",
      metadata: { annotations: { note: expect.stringContaining("whole server") } },
      spec: { timeOffset: "60000ms", containerNames: ["homeserver"] },
    },
  ]);
});
