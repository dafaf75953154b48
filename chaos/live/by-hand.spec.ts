import { expect, test } from "vitest";
import type { JournalRecord } from "#chaos/journal/record";
import { type FaultStep, PLAN_FORMAT, type Plan, parsePlan, type Step } from "#scenarios/plan";
import { asTold, namesFor, stepsOf } from "./by-hand.ts";
import { type Command, Hands } from "./hands.ts";
import type { Trouble } from "./trouble.ts";

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

test("what is cut is not cut again, and what is whole is not healed", async () => {
  const links = ["hs1>hs2"];
  const asked = async (command: Command, ...faultsInForce: readonly FaultStep[]) => {
    const trouble = { faultsInForce } as unknown as Trouble;
    const nextName = namesFor(PLAN);
    return await stepsOf(command, { plan: PLAN, trouble, sample: async () => new Map(), nextName });
  };
  const cut = { do: "cut", link: "hs1>hs2", how: "refuse" } as const;
  const heal = { do: "heal", link: "hs1>hs2" } as const;
  const refuse: FaultStep = { fault: "refuse", id: "of-the-plan", links };
  const delay: FaultStep = { fault: "delay", id: "slow", links, ms: 500 };
  const byHand: FaultStep = { fault: "reset", id: "by-hand-1", links, title: "reset by hand" };

  expect(await asked(cut, delay)).toMatchObject([{ fault: "refuse", links }]);
  await expect(asked(cut, refuse)).rejects.toThrow("cut already: refuse on hs1>hs2");
  await expect(asked(cut, byHand)).rejects.toThrow("cut already: reset by hand");
  expect(await asked(heal, refuse, byHand)).toEqual([{ heal: ["of-the-plan", "by-hand-1"] }]);
  await expect(asked(heal)).rejects.toThrow("hs1>hs2 is whole already");
  await expect(asked({ do: "heal" })).rejects.toThrow("every link is whole already");
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
