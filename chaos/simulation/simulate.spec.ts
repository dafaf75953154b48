import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeAll } from "#chaos/checkers/checkers";
import { generatePlan } from "#chaos/generate/generate";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import { readJournal } from "#chaos/journal/read";
import type { JournalRecord } from "#chaos/journal/record";
import { shrinkPlan } from "#chaos/shrink/shrink";
import { holdsOrKeeps } from "#harness/counterexample";
import { operationsOf, type Plan } from "#scenarios/plan";
import { BUGS } from "./bugs.ts";
import { type SimulationOptions, simulate } from "./simulate.ts";

const planOf = (seed: number, epochs = 2): Plan =>
  generatePlan({
    seed,
    servers: 2 + (seed % 3),
    rooms: 1 + (seed % 2),
    versions: ["12", "11"],
    operations: chooseOperations(undefined),
    faults: chooseFaults(["all"]),
    partitions: choosePartitions(undefined),
    epochs,
    operationsPerEpoch: 10,
  });

/** Names of the checkers that a simulation fails. */
async function failuresOf(plan: Plan, options: SimulationOptions) {
  const { records, epochs } = await simulate(plan, options);
  return failedIn(records, epochs);
}

function failedIn(records: readonly JournalRecord[], epochs: number): readonly string[] {
  return Array.from({ length: epochs }, (_, at) => judgeAll(records, at + 1))
    .flat()
    .filter(({ outcome }) => outcome === "fail")
    .map(({ checker }) => checker);
}

/** That no checker fails, of any plan; what fails one is kept as a journal. */
async function holdsOfPlans(given: {
  readonly bugs: NonNullable<SimulationOptions["bugs"]>;
  readonly parameters: fc.Parameters<[number, fc.Scheduler]>;
  readonly folder?: string;
}): Promise<void> {
  const { bugs, parameters, folder } = given;
  let failing: readonly JournalRecord[] = [];
  const property = fc.asyncProperty(fc.nat(100_000), fc.scheduler(), async (seed, scheduler) => {
    const { records, epochs } = await simulate(planOf(seed), { seed, scheduler, bugs });
    failing = records;
    expect(failedIn(records, epochs)).toEqual([]);
  });
  await holdsOrKeeps("right servers fail no checker", property, parameters, {
    file: "simulation.replay.ndjson",
    ...(folder === undefined ? {} : { folder }),
    tell: (origin) =>
      failing
        .map((record) => (record.t === "meta" ? { ...record, ...origin } : record))
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(""),
  });
}

const outcomesOf = (records: readonly JournalRecord[]) =>
  Object.fromEntries(
    records.flatMap((record) => (record.t === "step" ? [[record.step, record.outcome]] : [])),
  );

describe("a simulation", () => {
  it("is the same byte for byte for one plan and seed, and another for another seed", async () => {
    const plan = planOf(2);
    const journal = async (seed: number) =>
      JSON.stringify((await simulate(plan, { seed })).records);

    const once = await journal(7);

    expect(await journal(7)).toBe(once);
    expect(await journal(8)).not.toBe(once);
  });

  it("does what servers do: refuses, tells others, and lets a cut off server catch up", async () => {
    const plan: Plan = {
      ...planOf(1),
      servers: 2,
      users: { alice: "hs1", bob: "hs2", carol: "hs2" },
      rooms: { main: { version: "12", creator: "alice", members: ["bob"] } },
      steps: [
        { op: "ban", id: "weak", by: "bob", room: "main", target: "alice" },
        { fault: "refuse", id: "cut", links: ["hs1>hs2", "hs2>hs1"] },
        { op: "message", id: "unheard", by: "alice", room: "main" },
        { op: "join", id: "late", by: "carol", room: "main" },
        { heal: ["cut"] },
        { converge: "silent" },
      ],
    };

    const { records } = await simulate(plan, { seed: 1 });

    expect(outcomesOf(records)).toEqual({ weak: "fail", unheard: "ok", late: "ok" });
    const states = records.filter(
      (record) => record.t === "state" && record.moment === "quiescent",
    );
    expect(
      new Set(states.map((state) => ("state" in state ? JSON.stringify(state.state) : ""))),
    ).toHaveLength(1);
    expect(records.find((record) => record.t === "recovery")).toMatchObject({ mode: "silent" });
    expect(
      records.some(
        (record) => record.t === "fault" && record.kind === "heal" && (record.fired ?? 0) > 0,
      ),
    ).toBe(true);
  });

  it("of right servers fails no checker, whatever the plan and the order of things", async () => {
    await holdsOfPlans({ bugs: [], parameters: { seed: 1, numRuns: 25 } });
  });

  it("that fails leaves its journal with the seed and the path that lead to it", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "crucible-counterexample-"));
    const [bug = expect.unreachable("no bug")] = BUGS;
    const parameters = { seed: 1, numRuns: 60, endOnFailure: true };

    await expect(holdsOfPlans({ bugs: [bug], parameters, folder })).rejects.toThrow(
      /kept: crucible tardis serve \S+simulation\.replay\.ndjson$/,
    );

    const file = path.join(folder, "simulation.replay.ndjson");
    const { records, problems } = readJournal(readFileSync(file, "utf8"));
    expect(problems).toEqual([]);
    const [meta] = records;
    expect(meta).toMatchObject({ t: "meta", seed: 1, path: expect.stringMatching(/^\d/) });
    const again = { seed: 1, path: String(Object(meta).path), endOnFailure: true };
    await expect(holdsOfPlans({ bugs: [bug], parameters: again, folder })).rejects.toThrow("kept");
    rmSync(folder, { recursive: true });
  }, 120_000);

  it.each(BUGS)(
    "of servers with the bug %s fails one, and shrinks to at most ten operations",
    async (bug) => {
      let found: { plan: Plan; seed: number } | undefined;
      for (let seed = 1; seed <= 20 && found === undefined; seed++) {
        const plan = planOf(seed);
        if ((await failuresOf(plan, { seed, bugs: [bug] })).length > 0) found = { plan, seed };
      }
      if (found === undefined) throw new RangeError(`no checker finds ${bug}`);
      const { plan, seed } = found;

      const shrunk = await shrinkPlan(plan, {
        fails: async (one) => (await failuresOf(one, { seed, bugs: [bug] })).length > 0,
        replays: 400,
        timeMs: 60_000,
      });

      expect(operationsOf(shrunk.plan).length).toBeLessThanOrEqual(10);
    },
  );
});
