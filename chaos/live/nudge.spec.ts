import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import type { Cast } from "./cast.ts";
import type { Sampled } from "./eyes.ts";
import { Nudger, type NudgerOptions } from "./nudge.ts";

const ROLES = ["hs1", "hs2"];

/** What hs1 says, when its answers are these. */
async function nudgeBy(answers: (() => object)[]) {
  const asked: string[] = [];
  const session = {
    request: async (_: string, target: string) => {
      asked.push(target);
      return answers.shift()?.();
    },
  };
  const cast = {
    suffix: "s",
    rooms: new Map([["main", { id: "!main:hs1" }]]),
    serverName: (role: string) => `${role}.test`,
    actor: () => ({ userId: "@user:hs1.test", role: "hs1", session }),
  };
  const samples = ROLES.map((role) => ({
    role,
    user: { name: `user of ${role}` },
    participants: new Set(ROLES.map((each) => `${each}.test`)),
  }));
  const nudger = new Nudger({
    cast: cast as unknown as Cast,
    journal: { write: () => undefined } as unknown as NudgerOptions["journal"],
    nextStep: () => 1,
  });
  const wanted = await nudger.nudge(1, "main", samples as unknown as readonly Sampled[], ["hs1"]);
  return { wanted, asked };
}

const said = () => ({ status: 200, json: { event_id: "$nudge" } });
const silent = () => {
  throw new HarnessError("HS_NO_ANSWER", { what: "other side closed" });
};

test("what one server says again is wanted on the others, which say nothing", async () => {
  const { wanted, asked } = await nudgeBy([said]);

  expect(wanted).toEqual([{ room: "main", event: "$nudge", from: "hs1", receivers: ["hs2"] }]);
  expect(asked).toHaveLength(1);
});

test("what is not answered is sent again with the same transaction id, and not for ever", async () => {
  const answered = await nudgeBy([silent, said]);
  const never = await nudgeBy([silent, silent, silent, said]);

  expect(answered.wanted).toHaveLength(1);
  expect(new Set(answered.asked).size).toBe(1);
  expect(never.wanted).toEqual([]);
});
