import { expect, test } from "vitest";
import { isCut } from "#chaos/generate/kinds";
import { RuleBook } from "#harness/gateway/rules";
import { FAULT_KINDS, type FaultKind, type FaultStep } from "#scenarios/plan";
import { rulesOf } from "./fault-rules.ts";

const RULES = FAULT_KINDS.filter((kind) => kind !== "disconnect");

function fault(kind: FaultKind, more: Partial<FaultStep> = {}): FaultStep {
  return { fault: kind, id: "ill", links: ["hs1>hs2", "hs3>hs2"], ...more };
}

test.each(RULES)("%s is a rule that the gateway takes, for each of its links", (kind) => {
  const rules = rulesOf(fault(kind)) ?? [];

  const book = new RuleBook();
  for (const rule of rules) book.add(rule);

  expect(rules.map(({ match }) => match)).toEqual([
    { from: "hs1", to: "hs2" },
    { from: "hs3", to: "hs2" },
  ]);
});

test("what is done below HTTP is no rule", () => {
  expect(rulesOf(fault("disconnect"))).toBeUndefined();
});

test("only a fault of all requests, for good, cuts its links", () => {
  const cuts = [fault("refuse"), fault("refuse", { times: 1 }), fault("delay")];

  expect(cuts.map(isCut)).toEqual([true, false, false]);
});
