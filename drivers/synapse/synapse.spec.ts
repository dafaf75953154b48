import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseServerSpec } from "#harness/config/driver-spec";
import { NO_CONTAINER_SETTINGS, type RunningServer } from "#harness/deployment/contract";
import { CertificateAuthority } from "#harness/gateway/ca";
import { createClient } from "#harness/http/client";
import { synapse } from "./index.ts";
import { checkedVersion, packagesOf } from "./versions.ts";

/** Where Debian has its server programs. */
const hasPostgres = existsSync("/usr/lib/postgresql");
let folder: string;
let ca: CertificateAuthority;
let server: RunningServer;
const exits: string[] = [];
const pids: number[] = [];
const WHOAMI = "/_matrix/client/v3/account/whoami";

async function start(role: string, options = ""): Promise<RunningServer> {
  const caFile = path.join(folder, "ca.crt");
  writeFileSync(caFile, ca.certificate);
  const spec = parseServerSpec(`process:synapse${options}`);
  const signal = new AbortController().signal;
  await synapse.prepare(spec, { signal, progress: () => undefined });
  const workFolder = path.join(folder, role);
  mkdirSync(workFolder);
  return await synapse.start({
    runId: "spec",
    role,
    name: `spec-${role}`,
    spec,
    features: [],
    workFolder,
    logFile: path.join(folder, `${role}.log`),
    network: {
      ca: { certificate: ca.certificate, privateKey: ca.privateKey, file: caFile },
      proxyPort: 9,
      peers: [],
      listenOn: async () => undefined,
      appservice: {
        id: "a",
        port: 9,
        asToken: "a",
        hsToken: "h",
        senderLocalpart: "bot",
        prefix: "as_",
      },
    },
    containers: NO_CONTAINER_SETTINGS,
    startTimeoutMs: 60_000,
    signal,
    progress: () => undefined,
    registerProcess: (pid) => pids.push(pid),
    onUnexpectedExit: (how) => exits.push(how),
  });
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
  ca = await CertificateAuthority.create("spec");
  server = await start("hs1");
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  rmSync(folder, { recursive: true, force: true });
});

function client(accessToken?: string, of = server) {
  const { host, port } = of.client();
  return createClient({ baseUrl: `http://${host}:${port}`, accessToken, timeoutMs: 2_000 });
}

test("listens on a loopback address of its own", () => {
  expect(server.client().host).toMatch(/^127\./);
  expect(server.serverName).toBe("hs1:8448");
});

test("registers users, and keeps them through SIGKILL and restart", async () => {
  const user = await server.capabilities.registersUsers?.register("alice", "secret");
  expect(user?.userId).toBe("@alice:hs1:8448");
  await server.capabilities.killable?.kill();
  await expect(client().request("GET", "/_matrix/client/versions")).rejects.toThrow();
  await server.capabilities.restartable?.restart();
  const { json } = await client(user?.accessToken).request("GET", WHOAMI);
  expect(json).toMatchObject({ user_id: user?.userId, device_id: user?.deviceId });
  expect(exits).toEqual([]);
});

test("stays down after a stop, and starts on the same data", async () => {
  const { registersUsers, stoppable } = server.capabilities;
  const user = await registersUsers?.register("stopped", "secret");
  await stoppable?.stop();
  await expect(client().request("GET", "/_matrix/client/versions")).rejects.toThrow();
  await stoppable?.start();
  const running = pids.length;
  await stoppable?.start();
  expect(pids).toHaveLength(running);
  expect((await client(user?.accessToken).request("GET", WHOAMI)).status).toBe(200);
  expect(exits).toEqual([]);
});

test("stands still while paused", async () => {
  await server.capabilities.pausable?.pause();
  await expect(client().request("GET", "/_matrix/client/versions")).rejects.toThrow(
    /no answer within/,
  );
  await server.capabilities.pausable?.resume();
  expect((await client().request("GET", "/_matrix/client/versions")).status).toBe(200);
});

test("goes back to a snapshot", async () => {
  const { registersUsers, snapshotsData, killable, restartable } = server.capabilities;
  await killable?.kill();
  await snapshotsData?.snapshot("before");
  await restartable?.restart();
  const later = await registersUsers?.register("later", "secret");
  await killable?.kill();
  await snapshotsData?.restore("before");
  await restartable?.restart();
  expect((await client(later?.accessToken).request("GET", WHOAMI)).status).toBe(401);
});

test("has a log, and tells when it ends by itself", async () => {
  expect((await server.capabilities.hasLogs?.tail(5))?.join("\n")).toContain("synapse");
  process.kill(pids.at(-1) ?? 0, "SIGKILL");
  await expect.poll(() => exits).toEqual(["SIGKILL"]);
});

test.skipIf(process.getuid?.() !== 0)("writes nothing while its disk is full", async () => {
  await using small = await start("hs2", ",disk=64M");
  const { fillsDisk, registersUsers } = small.capabilities;
  const register = (name: string) => registersUsers?.register(name, "secret");
  await fillsDisk?.fill();
  await expect(register("full")).rejects.toThrow();
  await fillsDisk?.free();
  expect((await register("freed"))?.userId).toBe("@freed:hs2:8448");
  expect(readFileSync("/proc/self/mounts", "utf8")).toContain(path.join(folder, "hs2"));
  await small[Symbol.asyncDispose]();
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(path.join(folder, "hs2"));
});

test.skipIf(!hasPostgres)("goes on after its database has been restarted", async () => {
  await using stored = await start("hs3", ",database=postgres");
  const { hasDatabase, registersUsers } = stored.capabilities;
  const user = await registersUsers?.register("alice", "secret");
  const running = pids.length;
  await hasDatabase?.restartDatabase();
  expect(pids).toHaveLength(running + 1);
  // The first use of a connection that is gone may fail.
  await expect
    .poll(() =>
      client(user?.accessToken, stored)
        .request("GET", WHOAMI)
        .then(({ status }) => status),
    )
    .toBe(200);
  expect((await registersUsers?.register("bob", "secret"))?.userId).toBe("@bob:hs3:8448");
});

test("a size that is none is refused before anything starts", () => {
  expect(() => synapse.check?.(parseServerSpec("process:synapse,disk=small"))).toThrow(
    /no disk of small/,
  );
});

test("pins what old releases need, and refuses what is too old", () => {
  expect(packagesOf("1.114.0")).toEqual([
    "matrix-synapse==1.114.0",
    "psycopg2-binary",
    "prometheus_client<0.24",
    "Twisted==24.7.0",
    "pyOpenSSL<25",
    "service-identity<25",
    "setuptools<81",
  ]);
  expect(packagesOf("1.135.2")).toContain("Authlib");
  expect(packagesOf("1.163.2")).toEqual(["matrix-synapse==1.163.2", "psycopg2-binary"]);
  expect(() => checkedVersion("1.9.0")).toThrow(/older than the oldest/);
  expect(() => checkedVersion("latest")).toThrow(/no Synapse version/);
});

test.each([
  ["1.124.0", undefined],
  ["1.125.0", "client"],
  ["1.135.2", "client"],
  ["1.136.0", "bearer"],
])("Synapse %s asks an auth service as %s", (version, asking) => {
  expect(synapse.delegatesAuth?.(parseServerSpec(`process:synapse@${version}`))).toBe(asking);
});
