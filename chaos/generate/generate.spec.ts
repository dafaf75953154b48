import { describe, expect, it } from "vitest";
import { operationsOf, parsePlan } from "#scenarios/plan";
import { type GenerateOptions, generatePlan } from "./generate.ts";
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

  it("has every fault of the default mix within ten epochs, and every operation within forty", () => {
    const { steps } = generatePlan(options());
    const faults = new Set(
      steps.flatMap((step) => {
        if ("fault" in step) return [step.fault];
        if ("server" in step) return [step.action];
        return "op" in step && step.client ? [step.client] : [];
      }),
    );
    const missing = DEFAULT_FAULTS.filter(
      (name) => name !== "restart-in-split" && ![...faults].some((one) => one === name),
    );
    const operations = new Set(
      operationsOf(generatePlan(options({ epochs: 40 }))).map(({ op }) => op),
    );

    expect(missing).toEqual([]);
    expect([...operations].sort()).toEqual(Object.keys(OPERATION_WEIGHTS).sort());
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

describe("a choice by name", () => {
  it("knows all, none and the default", () => {
    expect(chooseFaults(["all"])).toContain("fill-disk");
    expect(chooseFaults(undefined)).not.toContain("fill-disk");
    expect(choosePartitions(["none"])).toEqual([]);
  });

  it("suggests the nearest name to one that is not known", () => {
    expect(() => chooseOperations(["mesage"])).toThrow("did you mean message?");
    expect(() => chooseFaults(["kil"])).toThrow("did you mean kill?");
  });
});
