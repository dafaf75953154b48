import { describe, expect, it } from "vitest";
import { words } from "#chaos/live/words";
import { DEVICE_OPERATIONS, isOfAuth, operationsOf, type Plan, parsePlan } from "#scenarios/plan";
import { type GenerateOptions, generatePlan, PROMISED_EPOCHS } from "./generate.ts";
import { kindsIn } from "./kinds.ts";
import {
  chooseFaults,
  chooseOperations,
  choosePartitions,
  DEFAULT_FAULTS,
  OPERATION_WEIGHTS,
  PARTITIONS,
} from "./vocabulary.ts";

const options = (more: Partial<GenerateOptions> = {}): GenerateOptions => ({
  seed: 1,
  servers: 3,
  rooms: 3,
  versions: ["12", "11"],
  operations: chooseOperations(undefined),
  faults: chooseFaults(undefined),
  partitions: choosePartitions(undefined),
  epochs: 10,
  operationsPerEpoch: 12,
  ...more,
});

describe("a generated plan", () => {
  it("is decided by seed and options", () => {
    const once = JSON.stringify(generatePlan(options()));

    expect(JSON.stringify(generatePlan(options()))).toBe(once);
    expect(JSON.stringify(generatePlan(options({ seed: 2 })))).not.toBe(once);
  });

  it("is continued by more epochs", () => {
    const short = generatePlan(options({ epochs: 4 }));
    const long = generatePlan(options({ epochs: 8 }));

    expect(long.steps.slice(0, short.steps.length)).toEqual(short.steps);
  });

  it("is a plan, whatever it is made of", () => {
    for (let seed = 0; seed < 200; seed++) {
      const plan = generatePlan(
        options({
          seed,
          servers: 2 + (seed % 4),
          rooms: 1 + (seed % 4),
          versions: [`${2 + (seed % 11)}`],
        }),
      );
      expect(parsePlan(JSON.parse(JSON.stringify(plan)), "plan")).toEqual(plan);
    }
  });

  it.each([2, 3, 4, 5])("has every fault of the default mix, on %i servers", (servers) => {
    for (let seed = 0; seed < 50; seed++) {
      const kinds = kindsIn(generatePlan(options({ seed, servers, epochs: PROMISED_EPOCHS })));

      expect(DEFAULT_FAULTS.filter((name) => !kinds.has(name))).toEqual([]);
    }
  });

  it("has operations under every fault of a link", () => {
    for (let seed = 0; seed < 50; seed++) {
      let idle: string[] = [];
      for (const step of generatePlan(options({ seed })).steps) {
        if ("fault" in step) idle.push(step.id);
        else if ("op" in step || "together" in step) idle = [];
        else if ("heal" in step) expect(idle).toEqual([]);
      }
    }
  });

  it("has two faults on one link only where both come to act", () => {
    for (let seed = 0; seed < 50; seed++) {
      const onLinks = new Map<string, string[]>();
      for (const step of generatePlan(options({ seed, servers: 2 })).steps) {
        if ("converge" in step) onLinks.clear();
        if (!("fault" in step) || step.title !== step.fault) continue;
        for (const link of step.links)
          onLinks.set(link, [...(onLinks.get(link) ?? []), step.fault]);
        for (const [first, ...others] of onLinks.values()) {
          expect(others.length).toBeLessThan(2);
          if (others.length > 0)
            expect(["delay", "slow-body", "duplicate", "reorder"]).toContain(first);
        }
      }
    }
  });

  it("has every operation within forty epochs of some seeds", () => {
    const operations = new Set(
      [1, 2, 3, 4, 5]
        .flatMap((seed) =>
          operationsOf(generatePlan(options({ seed, epochs: 40, devices: 2, auth: true }))),
        )
        .map(({ op }) => op),
    );

    expect([...operations].sort()).toEqual(Object.keys(OPERATION_WEIGHTS).sort());
  });

  it("has, of devices that encrypt, all that can cost a key, within ten seeds each", () => {
    const encrypted = { servers: 2, rooms: 2, devices: 2, epochs: 14, operationsPerEpoch: 10 };
    for (let first = 0; first < 50; first += 10) {
      const plans = Array.from({ length: 10 }, (_, more) =>
        generatePlan(options({ ...encrypted, seed: first + more })),
      );
      const all = plans.flatMap(operationsOf);
      const speakers = plans.map(
        (plan) =>
          new Set(
            operationsOf(plan).flatMap((one) =>
              one.op === "message" ? [`${one.by} ${one.device}`] : [],
            ),
          ).size,
      );
      const acts = plans.flatMap(({ steps }) =>
        steps.flatMap((step) => ("server" in step ? [step.action] : [])),
      );

      expect(Math.min(...speakers)).toBeGreaterThanOrEqual(6);
      expect(all.map(({ op }) => op)).toEqual(
        expect.arrayContaining(["join", "leave", "kick", "ban", "invite", "reset-identity"]),
      );
      expect(all.map(({ op }) => op)).toEqual(expect.arrayContaining(["kill-device"]));
      expect(acts).toContain("kill");
      expect(plans.some(hasSecondBackup)).toBe(true);
      expect(plans.some(restoresOnAnotherDevice)).toBe(true);
    }
  });

  it("has nothing of devices where nothing is encrypted", () => {
    const kinds = new Set(
      [1, 2, 3]
        .flatMap((seed) => operationsOf(generatePlan(options({ seed }))))
        .map(({ op }) => op),
    );

    expect(DEVICE_OPERATIONS.filter((op) => kinds.has(op))).toEqual([]);
  });

  it("has every fault of auth services, and people who sign in and out meanwhile", () => {
    const faults = chooseFaults(undefined, true);
    for (let seed = 0; seed < 20; seed++) {
      const plan = generatePlan(
        options({ seed, servers: 2, faults, auth: true, epochs: PROMISED_EPOCHS }),
      );
      const kinds = kindsIn(plan);

      expect(faults.filter((name) => !kinds.has(name))).toEqual([]);
      expect(parsePlan(JSON.parse(JSON.stringify(plan)), "plan")).toEqual(plan);
      for (const [at, step] of plan.steps.entries()) {
        if (!("server" in step) || step.server !== "as1" || step.action !== "kill") continue;
        const meanwhile = plan.steps.slice(at + 1, at + 5);
        expect(meanwhile.map((one) => ("op" in one ? one.op : words(one)))).toEqual([
          "refresh",
          "sign-in",
          "sign-out",
          "start as1",
        ]);
      }
    }
  });

  it("has nothing of auth services where there are none", () => {
    const plan = generatePlan(options({ seed: 1, epochs: 40 }));

    expect(operationsOf(plan).filter(isOfAuth)).toEqual([]);
    expect([...kindsIn(plan)].filter((kind) => kind.endsWith("-auth"))).toEqual([]);
  });

  it("has every partition, races and servers that harm comes to while they are cut off", () => {
    const { steps } = generatePlan(options({ epochs: 24 }));
    const titles = steps.flatMap((step) => ("fault" in step ? [step.title ?? ""] : []));

    for (const name of PARTITIONS) {
      expect(titles.some((title) => title.startsWith(name.replace("-", " ")))).toBe(true);
    }
    expect(steps.some((step) => "together" in step)).toBe(true);
    expect(steps.some((step) => "server" in step && step.action === "restart")).toBe(true);
  });

  it("holds nothing that was not chosen", () => {
    const plan = generatePlan(
      options({
        operations: chooseOperations(["message", "leave"]),
        faults: chooseFaults(["reset"]),
        partitions: choosePartitions(["one-way"]),
      }),
    );
    const kinds = plan.steps.flatMap((step) => ("fault" in step ? [step.fault] : []));

    expect(new Set(operationsOf(plan).map(({ op }) => op))).toEqual(new Set(["message", "leave"]));
    expect(new Set(kinds)).toEqual(new Set(["reset"]));
    expect(plan.steps.some((step) => "server" in step)).toBe(false);
  });
});

/** A user begins a backup, and later another version of it. */
function hasSecondBackup(plan: Plan): boolean {
  const begun = operationsOf(plan).flatMap(({ op, by }) => (op === "new-backup" ? [by] : []));
  return new Set(begun).size < begun.length;
}

function restoresOnAnotherDevice(plan: Plan): boolean {
  const begunBy = new Map<string, number | undefined>();
  return operationsOf(plan).some((one) => {
    if (one.op === "new-backup") begunBy.set(one.by, one.device);
    if (one.op !== "restore-backup" || !begunBy.has(one.by)) return false;
    return begunBy.get(one.by) !== one.device;
  });
}

describe("a choice by name", () => {
  it("knows all, none and the default", () => {
    expect(chooseFaults(["all"])).toContain("fill-disk");
    expect(chooseFaults(undefined)).not.toContain("fill-disk");
    expect(choosePartitions(["none"])).toEqual([]);
  });

  it("suggests the nearest name to one that is not known", () => {
    expect(() => chooseOperations(["mesage"])).toThrow("did you mean message?");
    expect(() => chooseFaults(["kil"])).toThrow("did you mean kill?");
    expect(() => chooseFaults(["kill-auth"])).toThrow("no server has an auth service");
    expect(() => chooseFaults(["clock-ahead"], true)).toThrow("leave out --auth");
    expect(chooseFaults(["all"], true)).not.toContain("clock-ahead");
  });
});
