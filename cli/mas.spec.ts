/**
 * The contract of a real matrix-authentication-service beside a real Synapse: the program that CRUCIBLE_MAS_BINARY names, or the
 * image that CRUCIBLE_MAS_IMAGE names.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { publishIdentity } from "#harness/clients/identities";
import { expectStatus } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { DeploymentForSpecs } from "./deployment-for-specs.ts";

const WHOAMI = "/_matrix/client/v3/account/whoami";
const LOGIN = "/_matrix/client/v3/login";
const API = "urn:matrix:client:api:*";
const { CRUCIBLE_MAS_BINARY: binary, CRUCIBLE_MAS_IMAGE: image } = process.env;
const given = [
  ...(binary === undefined ? [] : [`process:mas=${binary}`]),
  ...(image === undefined ? [] : [`docker:${image}`]),
];

test.skipIf(given.length > 0)("waits for a real MAS to be named", ({ skip }) => {
  skip("CRUCIBLE_MAS_BINARY names no mas-cli, CRUCIBLE_MAS_IMAGE no image of it");
});

describe.each(given)("%s", (mas) => {
  let servers: DeploymentForSpecs;

  beforeAll(async () => {
    servers = await DeploymentForSpecs.start("one", { mas });
  }, 300_000);

  afterAll(async () => {
    await servers?.[Symbol.asyncDispose]();
  });

  const world = () => servers.world("MSC3861.meta.discover");
  const whoami = async (session: Session) => (await session.get(WHOAMI)).status;

  test("brings what an auth service brings", () => {
    const { features, name } = servers.deployment;
    expect(name).toContain("+mas");
    expect(features).toEqual(
      expect.arrayContaining([
        "next-gen-auth",
        ...["managesAccounts", "wired", "killable", "pausable", "restartable", "stoppable"].map(
          (ability) => `auth:${ability}`,
        ),
      ]),
    );
    expect(features).not.toContain("legacy-auth");
  });

  test("makes users whose tokens the homeserver takes, and logs passwords in", async () => {
    await using here = world();
    const alice = await here.user("alice");
    const response = await alice.get(WHOAMI);
    expect(response.json).toMatchObject({ user_id: alice.userId, device_id: alice.deviceId });
    const again = await here.login(alice);
    expect(await whoami(again)).toBe(200);
    const devices = (await here.auth().accounts.sessions(alice.localpart)).map(
      ({ deviceId }) => deviceId,
    );
    expect(devices.sort()).toEqual([alice.deviceId, again.deviceId].sort());
  });

  test("issues a token, and ends its session at once", async () => {
    await using here = world();
    const alice = await here.user("alice");
    const { accounts } = here.auth();
    const order = { localpart: alice.localpart, scope: API, deviceId: "SECONDDEVICE" };
    const { accessToken } = await accounts.issueToken(order);
    const second = here.session("hs1", alice, { accessToken, deviceId: "SECONDDEVICE" });
    expect((await second.get(WHOAMI)).json).toMatchObject({ device_id: "SECONDDEVICE" });
    const sessions = await accounts.sessions(alice.localpart);
    await accounts.endSession(
      sessions.find(({ deviceId }) => deviceId === "SECONDDEVICE")?.id ?? "",
    );
    await expect.poll(() => whoami(second)).toBe(401);
    expect(await whoami(alice)).toBe(200);
  });

  test("locks, unlocks, deactivates and reactivates an account", async () => {
    await using here = world();
    const alice = await here.user("alice");
    const { accounts } = here.auth();
    await accounts.lock(alice.localpart);
    await expect.poll(() => whoami(alice)).toBe(401);
    await accounts.unlock(alice.localpart);
    // The homeserver remembers for a while what it was told of the first one's token.
    const second = await here.login(alice);
    expect(await whoami(second)).toBe(200);
    await accounts.deactivate(alice.localpart);
    await expect.poll(() => whoami(second)).toBe(401);
    await accounts.reactivate(alice.localpart);
    expect(await whoami(await here.login(alice))).toBe(200);
  });

  test("lets an identity be replaced", async () => {
    await using here = world();
    const alice = await here.user("alice");
    const before = await publishIdentity(alice);
    const after = await publishIdentity(alice);
    expect(after.publicKeys).not.toEqual(before.publicKeys);
  });

  test("keeps accounts and sessions through SIGKILL, a stop, and a restart of its database", async () => {
    await using here = world();
    const alice = await here.user("alice");
    for (const [first, then] of [
      ["kill", "restart"],
      ["stop", "start"],
    ] as const) {
      await here.actOnServer("as1", first);
      await expect(here.anonymous().get(LOGIN)).rejects.toMatchObject({ code: "HS_NO_ANSWER" });
      await here.actOnServer("as1", then);
      expectStatus(await alice.get(WHOAMI), 200);
      expect(await whoami(await here.login(alice))).toBe(200);
    }
    await here.actOnServer("as1", "restart-database");
    await expect.poll(async () => (await here.anonymous().get(LOGIN)).status).toBe(200);
    expect(await whoami(await here.login(alice))).toBe(200);
  });

  test("answers nothing while it is paused", async () => {
    await using here = world();
    await here.actOnServer("as1", "pause");
    const onEnd = vi.fn();
    const asked = here.anonymous().get(LOGIN).finally(onEnd);
    await here.quietPeriod(500);
    expect(onEnd).not.toHaveBeenCalled();
    await here.actOnServer("as1", "resume");
    expect((await asked).status).toBe(200);
  });

  test("leaves no process, database or folder, and wrote a log without secrets", async () => {
    const folder = path.join(servers.folder, "main-as1");
    expect(servers.processesOf("main-as1")).not.toEqual([]);
    const configuration = readFileSync(path.join(folder, "mas.yaml"), "utf8");
    const { matrix } = JSON.parse(configuration);
    const log = readFileSync(path.join(servers.folder, "spec", "main-as1.log"), "utf8");
    expect(log.length).toBeGreaterThan(0);
    expect(log).not.toContain(matrix.secret);
    await servers[Symbol.asyncDispose]();
    expect(existsSync(folder)).toBe(false);
    expect(servers.processesOf("main-as1")).toEqual([]);
  });
});
