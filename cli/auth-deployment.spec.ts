/** Two real homeservers, each with an auth service of ours. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeDevice } from "#harness/clients/confirmation";
import { publishIdentity } from "#harness/clients/identities";
import { at } from "#harness/match/json";
import { expectStatus, expectThat } from "#harness/world/expect";
import { serviceOutage } from "#harness/world/service-outage";
import type { Session } from "#harness/world/session";
import { DeploymentForSpecs } from "./deployment-for-specs.ts";

const WHOAMI = "/_matrix/client/v3/account/whoami";
const API = "urn:matrix:client:api:*";
let servers: DeploymentForSpecs;

beforeAll(async () => {
  servers = await DeploymentForSpecs.start("two", "oidc");
}, 300_000);

afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

const world = () => servers.world("MSC3861.meta.discover");

async function whoami(session: Session): Promise<number> {
  return (await session.get(WHOAMI)).status;
}

test("has what an auth service brings, and not what it takes away", () => {
  const { features, name, servers: infos } = servers.deployment;
  expect(features).toEqual(
    expect.arrayContaining(["next-gen-auth", "auth:managesAccounts", "auth:wired"]),
  );
  expect(features).not.toContain("legacy-auth");
  expect(features).not.toContain("open-registration");
  expect(name).toContain("+oidc");
  expect(infos.map(({ auth }) => auth?.role)).toEqual(["as1", "as2"]);
});

test.each(["hs1", "hs2"])(
  "makes users of %s by its auth service, whose tokens it takes",
  async (role) => {
    await using here = world();
    const alice = await here.user("alice", role);

    const response = await alice.get(WHOAMI);

    expect(response.json).toMatchObject({ user_id: alice.userId, device_id: alice.deviceId });
    const sessions = await here.auth(role).accounts.sessions(alice.localpart);
    expect(sessions.map(({ deviceId }) => deviceId)).toEqual([alice.deviceId]);
  },
);

test("hands a login at the homeserver to the auth service", async () => {
  await using here = world();
  const alice = await here.user("alice");
  const fault = await here.rule({
    name: "none of it at the homeserver",
    match: { from: "client", to: "as1", path: "/_matrix/client/v3/login" },
    phase: "after",
    action: { kind: "delay", ms: 0 },
  });

  const second = await here.login(alice);

  expect(await whoami(second)).toBe(200);
  expect(await fault.end()).toBe(1);
});

test("lets an identity be replaced, and a device be removed, by the admin side", async () => {
  await using here = world();
  const alice = await here.user("alice");
  const { accessToken } = await here.auth().accounts.issueToken({
    localpart: alice.localpart,
    scope: API,
    deviceId: "SECONDDEVICE",
  });
  const second = here.session("hs1", alice, { accessToken, deviceId: "SECONDDEVICE" });
  expect(await whoami(second)).toBe(200);

  const before = await publishIdentity(alice);
  const after = await publishIdentity(alice);
  await removeDevice(alice, second.deviceId);

  expect(after.publicKeys).not.toEqual(before.publicKeys);
  expect(await whoami(second)).toBe(401);
  expect(await whoami(alice)).toBe(200);
});

test("applies rules to the hop between a homeserver and its auth service", async () => {
  await using here = world();
  const [alice, bob] = [await here.user("alice"), await here.user("bob", "hs2")];
  const fault = await here.fault({ from: "hs1", to: "as1" }, "before", {
    kind: "answer",
    status: 500,
  });

  const statuses = [await whoami(alice), await whoami(bob)];

  expect(statuses).toEqual([503, 200]);
  await fault.end();
  expect(await whoami(alice)).toBe(200);
});

test("kills and restarts an auth service, which keeps its accounts, and calls that no outage", async () => {
  await using here = world();
  const since = Date.now();
  const alice = await here.user("alice");

  await here.actOnServer("as1", "kill");
  const dead = await whoami(alice);
  await here.actOnServer("as1", "restart");
  const alive = await whoami(alice);

  expect([dead, alive]).toEqual([503, 200]);
  expect(await serviceOutage(servers.pool.control, servers.deployment, since)).toBeUndefined();
});

test("tells that an auth service ended by itself, and starts it again", async () => {
  await using here = world();
  const since = Date.now();
  const alice = await here.user("alice");

  for (const pid of servers.processesOf("main-as1")) process.kill(pid, "SIGKILL");

  const outage = (from: number) => serviceOutage(servers.pool.control, servers.deployment, from);
  await here.eventually(async () => {
    const told = (await outage(since))?.message ?? "none";
    expectThat(told.includes("as1 ended by itself: SIGKILL"), "an outage of as1", told);
  });
  // Until it is back the homeserver answers by what it was told before.
  const again = { deadlineMs: 30_000 };
  await here.eventually(async () => {
    const told = await outage(Date.now());
    expectThat(told === undefined, "an end of the outage", told?.message);
  }, again);
  await here.eventually(async () => expectStatus(await alice.get(WHOAMI), 200), again);
});

test("writes no token, password or secret into the trace", async () => {
  await using here = world();
  const alice = await here.user("alice");
  await here.login(alice);
  expect(await whoami(alice)).toBe(200);

  const trace = readFileSync(servers.traceFile, "utf8");

  expect(trace).toContain("oauth2/introspect");
  expect(trace).toContain("_synapse/mas/");
  for (const secret of [alice.accessToken, alice.password, sharedSecret()])
    expect(trace).not.toContain(secret);
});

/** What as1 and hs1 show each other. */
function sharedSecret(): string {
  const file = path.join(servers.folder, "main-as1", "settings.json");
  const secret = at(JSON.parse(readFileSync(file, "utf8")), "secret");
  if (typeof secret !== "string" || secret.length < 16) throw new Error("there is no secret");
  return secret;
}
