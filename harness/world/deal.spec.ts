import { expect, test } from "vitest";
import { deal, isBehindClients, placeOf } from "./deal.ts";
import type { DeploymentInfo } from "./run-info.ts";

function deployment(isUniform: boolean): DeploymentInfo {
  return {
    id: "main",
    name: "any",
    topology: "two",
    isUniform,
    features: [],
    appservice: { id: "a", asToken: "a", hsToken: "h", senderLocalpart: "s", prefix: "p" },
    servers: ["hs1", "hs2"].map((role) => ({
      role,
      place: role,
      serverName: `${role}:8448`,
      clientUrl: "",
      federationUrl: "",
      capabilities: [],
      auth: {
        role: role.replace("hs", "as"),
        place: role.replace("hs", "as"),
        kind: "any",
        issuer: `http://${role}/`,
        capabilities: [],
        faults: [],
      },
    })),
  };
}

test("equal servers play each role in some checks, and the same one in the same check", () => {
  const checks = Array.from({ length: 40 }, (_, at) => `check ${at}`);
  const places = checks.map((check) => placeOf(deal(deployment(true), check), "hs1"));
  expect(new Set(places)).toEqual(new Set(["hs1", "hs2"]));
  expect(checks.map((check) => placeOf(deal(deployment(true), check), "hs1"))).toEqual(places);
});

test("a role keeps its name, and takes all else of the server that plays it", () => {
  for (const check of ["a", "b", "c", "d"]) {
    const { servers } = deal(deployment(true), check);
    expect(servers.map(({ role }) => role)).toEqual(["hs1", "hs2"]);
    for (const { place, serverName } of servers) expect(serverName).toBe(`${place}:8448`);
    expect(new Set(servers.map(({ place }) => place)).size).toBe(2);
  }
});

test("servers that differ keep their roles: a verdict is about one of them", () => {
  for (const check of ["a", "b", "c", "d"]) {
    expect(deal(deployment(false), check)).toEqual(deployment(false));
  }
});

test("what is no role is no place either", () => {
  expect(placeOf(deployment(true), "client")).toBe("client");
});

test("an auth service goes with its homeserver", () => {
  const dealt = ["a", "b", "c", "d"].map((check) => deal(deployment(true), check));
  for (const { servers } of dealt) {
    expect(servers.map(({ auth }) => auth?.role)).toEqual(["as1", "as2"]);
    for (const { place, auth } of servers) expect(auth?.issuer).toBe(`http://${place}/`);
  }
  for (const one of dealt) {
    expect(placeOf(one, "as1")).toBe(placeOf(one, "hs1").replace("hs", "as"));
  }
  expect(new Set(dealt.map((one) => placeOf(one, "as1")))).toEqual(new Set(["as1", "as2"]));
});

test("a server and its own auth service are behind clients, both ways, and nobody else is", () => {
  const links = (from: string, to: string | undefined) =>
    isBehindClients(deployment(true), from, to);
  expect([links("hs1", "as1"), links("as2", "hs2")]).toEqual([true, true]);
  expect([links("client", "as1"), links("hs1", "hs2"), links("hs1", "as2")]).not.toContain(true);
  expect(links("hs1", undefined)).toBe(false);
});
