import { expect, it } from "vitest";
import { generatePlan } from "#chaos/generate/generate";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import { operationsOf, type Plan, parsePlan } from "#scenarios/plan";
import { withoutServer } from "./reduce.ts";
import { type ShrinkProgress, shrinkPlan } from "./shrink.ts";

const OPTIONS = {
  servers: 4,
  rooms: 3,
  versions: ["12"],
  operations: chooseOperations(undefined),
  faults: chooseFaults(["all"]),
  partitions: choosePartitions(undefined),
  epochs: 4,
  operationsPerEpoch: 14,
} as const;
const planOf = (seed: number): Plan => generatePlan({ ...OPTIONS, seed });

const budget = { replays: 3000, timeMs: Number.POSITIVE_INFINITY };
const isPlan = (plan: Plan) => parsePlan(JSON.parse(JSON.stringify(plan)), "plan");

it("keeps only what a failure needs: one ban and one cut", async () => {
  const plan = planOf(6);
  const needs = (one: Plan) =>
    operationsOf(one).some(({ op }) => op === "ban") &&
    one.steps.some((step) => "fault" in step) &&
    one.steps.some((step) => "converge" in step);
  expect(needs(plan)).toBe(true);

  const { plan: small, isMinimal } = await shrinkPlan(plan, {
    ...budget,
    fails: async (one) => needs(isPlan(one)),
  });

  expect(isMinimal).toBe(true);
  expect(operationsOf(small)).toHaveLength(1);
  expect(small.steps).toHaveLength(3);
  expect(Object.keys(small.users)).toHaveLength(2);
  expect(Object.keys(small.rooms)).toHaveLength(1);
});

it("drops what came before the last epoch first", async () => {
  const { plan: small } = await shrinkPlan(planOf(1), {
    replays: 1,
    timeMs: Number.POSITIVE_INFINITY,
    fails: async () => true,
  });

  const ends = (plan: Plan) => plan.steps.filter((step) => "converge" in step);
  expect(ends(small)).toHaveLength(1);
  expect(small.steps.length).toBeGreaterThan(2);
  expect(planOf(1).steps.slice(-3)).toEqual(small.steps.slice(-3));
});

it("keeps an earlier epoch that a failure needs", async () => {
  const [first] = operationsOf(planOf(1));
  const last = operationsOf(planOf(1)).at(-1);

  const { plan: small } = await shrinkPlan(planOf(1), {
    ...budget,
    fails: async (one) => {
      const ids = operationsOf(isPlan(one)).map(({ id }) => id);
      return [first?.id, last?.id].every((id) => id !== undefined && ids.includes(id));
    },
  });

  expect(operationsOf(small).length).toBeLessThanOrEqual(4);
});

it("drops what came before the first trouble next, and waits for nobody who was told nothing", async () => {
  const plan = planOf(1);
  const silent = {
    ...plan,
    steps: plan.steps.map((step) => ("converge" in step ? { converge: "silent" as const } : step)),
  };
  const asked: Plan[] = [];

  await shrinkPlan(silent, {
    replays: 2,
    timeMs: Number.POSITIVE_INFINITY,
    suspect: 3,
    fails: async (one) => {
      asked.push(one);
      return false;
    },
  });

  expect(asked.map((one) => one.steps.filter((step) => "converge" in step))).toEqual([
    [{ converge: "silent" }],
    [{ converge: "nudged" }, { converge: "silent" }],
  ]);
});

it("keeps plans valid on every way down, and pulls references along", async () => {
  for (let seed = 0; seed < 12; seed++) {
    const plan = planOf(seed);
    const wanted = operationsOf(plan).filter(({ op }) => op === "redact" || op === "levels");
    const keep = new Set(wanted.slice(0, 2).map(({ id }) => id));

    const { plan: small } = await shrinkPlan(plan, {
      ...budget,
      fails: async (one) => {
        const there = new Set(operationsOf(isPlan(one)).map(({ id }) => id));
        return [...keep].every((id) => there.has(id));
      },
    });

    const needed = operationsOf(small).filter(({ id }) => !keep.has(id));
    const targets = operationsOf(small).map((one) => ("target" in one ? one.target : ""));
    expect(needed.every(({ id }) => targets.includes(id))).toBe(true);
  }
});

it("drops rooms, servers, races and twists that a failure does not need", async () => {
  const { plan: small } = await shrinkPlan(planOf(6), {
    ...budget,
    fails: async (one) => operationsOf(one).filter(({ op }) => op === "message").length >= 2,
  });

  expect(operationsOf(small)).toHaveLength(2);
  expect(Object.keys(small.rooms)).toHaveLength(1);
  const others = small.steps.filter((step) => !("op" in step && step.client === undefined));
  expect(others).toEqual([small.steps.at(-1)]);
  expect(small.servers).toBeLessThanOrEqual(2);
});

it.each([1, 3])(
  "drops devices that a failure of device %i does not need, and numbers it anew",
  async (device) => {
    const plan = generatePlan({ ...OPTIONS, seed: 3, devices: 3 });
    const said = operationsOf(plan).filter((one) => one.op === "message" && one.device === device);
    expect(said.length).toBeGreaterThan(0);
    const ids = new Set(said.map(({ id }) => id));

    const { plan: small } = await shrinkPlan(plan, {
      ...budget,
      fails: async (one) => operationsOf(isPlan(one)).some(({ id }) => ids.has(id)),
    });

    expect(small.devices).toBe(1);
    expect(operationsOf(small)).toMatchObject([{ op: "message", device: 1 }]);
  },
);

it("ends with its budget, says so, and tells how it goes", async () => {
  const told: ShrinkProgress[] = [];

  const { replays, isMinimal } = await shrinkPlan(planOf(1), {
    replays: 20,
    timeMs: Number.POSITIVE_INFINITY,
    fails: async () => told.length % 3 === 0,
    onProgress: (progress) => told.push(progress),
  });

  expect({ replays, isMinimal }).toEqual({ replays: 20, isMinimal: false });
  expect(told.map((one) => one.replays)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
});

it("begins nothing after its time", async () => {
  let now = 0;

  const { replays } = await shrinkPlan(planOf(1), {
    replays: 100,
    timeMs: 50,
    fails: async () => {
      now += 20;
      return false;
    },
    clock: () => now,
  });

  expect(replays).toBe(3);
});

it("takes a server's auth service away with it", () => {
  const plan: Plan = {
    ...planOf(1),
    servers: 2,
    auth: true,
    users: { alice: "hs1", bob: "hs2", carol: "hs2" },
    rooms: { main: { creator: "bob" } },
    steps: [
      { fault: "delay", id: "one", links: ["hs1>as1", "as2>hs2"] },
      { server: "as1", action: "kill" },
      { server: "as2", action: "kill" },
      { op: "sign-in", id: "in", by: "carol" },
    ],
  };

  expect(withoutServer(plan, "hs1")?.steps).toEqual([
    { fault: "delay", id: "one", links: ["as1>hs1"] },
    { server: "as1", action: "kill" },
    { op: "sign-in", id: "in", by: "carol" },
  ]);
});
