import { describe, expect, it } from "vitest";
import { operationsOf, PLAN_FORMAT, parsePlan } from "./plan.ts";

const plan = (steps: readonly unknown[], more: object = {}) => ({
  format: PLAN_FORMAT,
  id: "story",
  title: "a story",
  servers: 2,
  users: { alice: "hs1", bob: "hs2" },
  rooms: { main: { creator: "alice", members: ["bob"] } },
  steps,
  ...more,
});
const message = { op: "message", id: "hello", by: "alice", room: "main" };

const ALONE = { id: "alone", by: "alice", room: "main" };

describe("a plan", () => {
  it("is read with its operations in order", () => {
    const parsed = parsePlan(
      plan([
        message,
        { fault: "refuse", id: "cut", links: ["hs1>hs2"] },
        {
          together: [
            { ...message, id: "one" },
            { ...message, id: "two", by: "bob" },
          ],
        },
        { heal: ["cut"] },
        { await: "delivered", of: ["one"] },
        { converge: "nudged" },
      ]),
      "x.json",
    );
    expect(operationsOf(parsed).map(({ id }) => id)).toEqual(["hello", "one", "two"]);
  });

  it("may have auth services, each with links to its own server", () => {
    const steps = [
      { op: "sign-in", id: "in", by: "alice" },
      { fault: "delay", id: "slow", links: ["as1>hs1", "hs1>as1"] },
      { server: "as2", action: "kill" },
    ];

    expect(parsePlan(plan(steps, { auth: true }), "x.json").steps).toEqual(steps);
  });

  it.each([
    ["rooms.main", plan([], { rooms: { main: { creator: "carol" } } })],
    ["users.eve", plan([], { users: { eve: "hs3" } })],
    ["steps.0", plan([{ ...message, by: "carol" }])],
    ["steps.0", plan([{ ...message, room: "other" }])],
    ["steps.1", plan([message, message])],
    ["steps.0", plan([{ op: "kick", id: "k", by: "alice", room: "main", target: "carol" }])],
    ["steps.0", plan([{ op: "redact", id: "r", by: "alice", room: "main", target: "hello" }])],
    ["steps.0", plan([{ fault: "refuse", id: "cut", links: ["hs1>hs3"] }])],
    ["steps.0", plan([{ heal: ["cut"] }])],
    ["steps.0", plan([{ together: [message, { ...message, id: "again" }] }])],
    ["steps.0", plan([{ server: "hs4", action: "kill" }])],
    ["steps.0", plan([{ await: "delivered", servers: ["hs3"] }])],
    ["steps.0: there is no user carol", plan([{ ...ALONE, op: "levels", users: { carol: 50 } }])],
    [
      "steps.0: there is no room other",
      plan([{ ...ALONE, op: "join-rules", rule: "restricted", allow: "other" }]),
    ],
    [
      "steps.0: there is no room other",
      plan([{ ...ALONE, op: "upgrade", version: "12", into: "other" }]),
    ],
    ["steps.0: there is no server hs3", plan([{ ...ALONE, op: "acl", deny: ["hs2", "hs3"] }])],
    ["steps.0: there is no device 2", plan([{ ...message, device: 2 }])],
    ["expect.0.state", plan([], { expect: [{ room: "main", state: { "m.room.topic|": "no" } }] })],
    ["steps.0", plan([{ op: "dance", id: "d", by: "alice" }])],
    ["format", plan([], { format: "else" })],
    ["steps.0", plan([{ op: "sign-in", id: "in", by: "alice" }])],
    ["steps.0", plan([{ server: "as1", action: "kill" }])],
    ["steps.0", plan([{ fault: "delay", id: "slow", links: ["as1>hs2"] }], { auth: true })],
    ["steps.0", plan([{ server: "as3", action: "kill" }], { auth: true })],
  ])("is refused with the place of the mistake: %s", (place, value) => {
    expect(() => parsePlan(value, "x.json")).toThrow(`x.json: ${place}`);
  });
});
