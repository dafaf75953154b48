import { expect, test } from "vitest";
import { parseServerSpec } from "#harness/config/driver-spec";
import type { DeploymentPlan } from "#harness/deployment/plan";
import { isolatedPlan } from "./control.ts";

const ROLES = ["hs1", "hs2"];
const SPECS = new Map(ROLES.map((role) => [role, parseServerSpec("process:synapse")]));
const PLAN: DeploymentPlan = {
  id: "main",
  topology: "two",
  servers: SPECS,
  auth: SPECS,
  sfu: SPECS,
  rtcAuth: SPECS,
  features: [],
};

const [ALONE, BOTH] = [["hs1"], ROLES];

test.each([
  ["all of them for a check that says nothing", null, BOTH, "auth sfu rtcAuth"],
  ["one server", ["sticky-events", "server:killable"], ALONE, "auth"],
  ["all servers", ["federation"], BOTH, "auth"],
  ["an RTC service", ["rtc-auth:delegation"], ALONE, "auth rtcAuth"],
  ["a service of two transports", ["two-rtc-transports"], ALONE, "auth rtcAuth"],
  ["an SFU with what gives tokens for it", ["sfu", "federation"], BOTH, "auth sfu rtcAuth"],
])("plans %s", (_, needs, roles, services) => {
  const { servers, ...plan } = isolatedPlan(PLAN, needs);

  expect([...servers.keys()]).toEqual(roles);
  expect(Object.keys(plan).filter((key) => services.includes(key))).toEqual(services.split(" "));
  for (const service of ["sfu", "rtcAuth"])
    expect(service in plan, service).toBe(services.includes(service));
});
