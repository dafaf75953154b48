import { expect, test } from "vitest";
import type { JournalRecord } from "#chaos/journal/record";
import { PLAN_FORMAT, type Plan, parsePlan, type Step } from "#scenarios/plan";
import { asTold, namesFor } from "./by-hand.ts";
import { Hands } from "./hands.ts";

const PLAN: Plan = {
  format: PLAN_FORMAT,
  id: "two",
  title: "two messages",
  servers: 2,
  users: { alice: "hs1", bob: "hs2" },
  rooms: { main: { creator: "alice", members: ["bob"] } },
  steps: [{ op: "message", id: "one", by: "alice", room: "main" }, { converge: "nudged" }],
};

function byHand(before: number, ...steps: readonly Step[]): JournalRecord {
  return { seq: before + 1, at: 0, t: "by-hand", before, steps };
}

test("a story is told again with what people did, where they did it", () => {
  const cut = { fault: "refuse", id: "by-hand-1", links: ["hs1>hs2"] } satisfies Step;
  const kill = { server: "hs2", action: "kill" } satisfies Step;
  const heal = { heal: ["by-hand-1"] } satisfies Step;

  const told = asTold(PLAN, [byHand(0, cut), byHand(1, kill), byHand(1, heal), byHand(2, kill)]);

  const [message, converge] = PLAN.steps;
  expect(told.steps).toEqual([cut, message, kill, heal, converge, kill]);
  expect(parsePlan(JSON.parse(JSON.stringify(told)), "told")).toEqual(told);
  const next = namesFor(told);
  expect([next(), next()]).toEqual(["by-hand-2", "by-hand-3"]);
});

test("so many commands wait, in their order, and none when it is over", async () => {
  const hands = new Hands();
  const asked = Array.from({ length: 30 }, () => hands.ask({ do: "nudge" }));
  const outcomes = Promise.allSettled(asked);

  hands.take()?.done("said");
  hands.close("the run is over");

  const told = (await outcomes).map((one) =>
    one.status === "fulfilled" ? one.value : String(one.reason.message).split("\n")[0],
  );
  expect(told[0]).toBe("said");
  expect(told[1]).toContain("the run is over");
  expect(told[20]).toContain("20 others are waiting");
  await expect(hands.ask({ do: "check" })).rejects.toThrow("the run is over");
});
