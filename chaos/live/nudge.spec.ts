import { expect, test } from "vitest";
import type { Cast } from "./cast.ts";
import type { Sampled } from "./eyes.ts";
import { Nudger, type NudgerOptions } from "./nudge.ts";

const ROLES = ["hs1", "hs2"];

test("what one server says again is wanted on the others, which say nothing", async () => {
  const cast = {
    suffix: "s",
    rooms: new Map([["main", { id: "!main:hs1" }]]),
    serverName: (role: string) => `${role}.test`,
    actor: () => ({ userId: "@user:hs1.test", role: "hs1" }),
  };
  const session = { put: async () => ({ status: 200, json: { event_id: "$nudge" } }) };
  const samples = ROLES.map((role) => ({
    role,
    user: { name: `user of ${role}`, role, userId: `@user:${role}.test`, session },
    participants: new Set(ROLES.map((each) => `${each}.test`)),
  }));
  const nudger = new Nudger({
    cast: cast as unknown as Cast,
    journal: { write: () => undefined } as unknown as NudgerOptions["journal"],
    signal: new AbortController().signal,
    nextStep: () => 1,
  });

  const wanted = await nudger.nudge(1, "main", samples as unknown as readonly Sampled[], ["hs1"]);

  expect(wanted).toEqual([{ room: "main", event: "$nudge", from: "hs1", receivers: ["hs2"] }]);
});
