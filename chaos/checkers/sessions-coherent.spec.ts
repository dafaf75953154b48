import { expect, test } from "vitest";
import type { HeldSession, JournalBody, JournalRecord } from "#chaos/journal/record";
import { judgeAll } from "./checkers.ts";

type Sessions = Omit<Extract<JournalBody, { t: "sessions" }>, "t" | "epoch" | "server" | "user">;

const HELD: HeldSession = {
  operation: "op-1",
  device: "PHONE",
  state: "in",
  refresh: 200,
  whoami: 200,
};
const FINE: Sessions = {
  devices: ["LAPTOP", "PHONE"],
  sessions: ["LAPTOP", "PHONE"],
  held: [HELD],
};

function verdictOn(changes: Partial<Sessions>) {
  const at = { epoch: 1, server: "hs1.test", user: "@alice:hs1.test" };
  const record: JournalRecord = { seq: 1, at: 1, t: "sessions", ...at, ...FINE, ...changes };
  const [verdict] = judgeAll([record], 1, ["sessions-coherent"]);
  return { outcome: verdict?.outcome, findings: verdict?.findings ?? [] };
}

test("devices that are those of the sessions, and clients that go on, are fine", () => {
  expect(verdictOn({})).toEqual({ outcome: "pass", findings: [] });
});

test("servers without auth services have nothing to look at", () => {
  expect(judgeAll([], 1, ["sessions-coherent"])[0]).toMatchObject({
    outcome: "skip",
    reason: "servers have no auth services",
  });
});

test.each([
  [
    "a device without a session",
    { devices: ["GHOST", "LAPTOP", "PHONE"] },
    "MSC3861.chaos.killed-in-exchange",
    "1 device: GHOST without a session",
  ],
  [
    "a session without a device",
    { sessions: ["LAPTOP", "NOWHERE", "PHONE"] },
    "MSC3861.chaos.killed-in-exchange",
    "has a session, and no device",
  ],
  [
    "a token without a device",
    { devices: ["LAPTOP"], sessions: ["LAPTOP"] },
    "MSC3861.chaos.killed-in-exchange",
    "a token without a device",
  ],
  [
    "a token that outlives its session",
    { held: [{ operation: "op-1", device: "PHONE", state: "out" as const, whoami: 200 }] },
    "MSC3861.revoke.immediate",
    "works after signing out",
  ],
  [
    "a session that has ended by itself",
    { held: [{ ...HELD, refresh: 400, error: "invalid_grant" }] },
    "MSC3861.chaos.refresh-through-kills",
    "the session is gone",
  ],
  [
    "a new token that nobody knows",
    { held: [{ ...HELD, whoami: 401 }] },
    "MSC3861.user.outage-no-logout",
    "is not known",
  ],
] as const)("%s is found", (_, changes, requirement, what) => {
  expect(verdictOn(changes)).toMatchObject({
    outcome: "fail",
    findings: [{ outcome: "fail", requirement, what: expect.stringContaining(what) }],
  });
});

test("signed out is signed out", () => {
  const held = [{ operation: "op-1", device: "PHONE", state: "out" as const, whoami: 401 }];

  expect(verdictOn({ held, devices: ["LAPTOP"], sessions: ["LAPTOP"] }).outcome).toBe("pass");
});

test.each([
  ["the homeserver", { devices: undefined }],
  ["the auth service", { sessions: undefined }],
  ["an endpoint for tokens", { held: [{ ...HELD, refresh: 503 }] }],
])("%s that does not answer is no pass", (_, changes) => {
  const all = Object.fromEntries(
    Object.entries({ ...FINE, ...changes }).filter(([, value]) => value !== undefined),
  ) as unknown as Sessions;
  const at = { epoch: 1, server: "hs1.test", user: "@alice:hs1.test" };
  const record: JournalRecord = { seq: 1, at: 1, t: "sessions", ...at, ...all };

  expect(judgeAll([record], 1, ["sessions-coherent"])[0]?.outcome).toBe("unknown");
});
