import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_CONTAINER_SETTINGS, type RunningServer } from "#harness/deployment/contract";
import { CertificateAuthority } from "#harness/gateway/ca";
import { createClient } from "#harness/http/client";
import { synapse } from "./index.ts";
import { checkedVersion, packagesOf } from "./versions.ts";

let folder: string;
let server: RunningServer;
const exits: string[] = [];
const pids: number[] = [];
const WHOAMI = "/_matrix/client/v3/account/whoami";

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
  const ca = await CertificateAuthority.create("spec");
  const caFile = path.join(folder, "ca.crt");
  writeFileSync(caFile, ca.certificate);
  const spec = {
    substrate: "process",
    driver: "synapse",
    options: new Map(),
    text: "process:synapse",
  } as const;
  const signal = new AbortController().signal;
  await synapse.prepare(spec, { signal, progress: () => undefined });
  server = await synapse.start({
    runId: "spec",
    role: "hs1",
    name: "spec-hs1",
    spec,
    features: [],
    workFolder: path.join(folder, "hs1"),
    logFile: path.join(folder, "hs1.log"),
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
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  rmSync(folder, { recursive: true, force: true });
});

function client(accessToken?: string) {
  const { host, port } = server.client();
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
  const snapshot = path.join(folder, "snapshot");
  await killable?.kill();
  await snapshotsData?.snapshot(snapshot);
  await restartable?.restart();
  const later = await registersUsers?.register("later", "secret");
  await killable?.kill();
  await snapshotsData?.restore(snapshot);
  await restartable?.restart();
  expect((await client(later?.accessToken).request("GET", WHOAMI)).status).toBe(401);
});

test("has a log, and tells when it ends by itself", async () => {
  expect((await server.capabilities.hasLogs?.tail(5))?.join("\n")).toContain("synapse");
  process.kill(pids.at(-1) ?? 0, "SIGKILL");
  await expect.poll(() => exits).toEqual(["SIGKILL"]);
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
  expect(packagesOf("1.163.2")).toEqual(["matrix-synapse==1.163.2", "psycopg2-binary"]);
  expect(() => checkedVersion("1.9.0")).toThrow(/older than the oldest/);
  expect(() => checkedVersion("latest")).toThrow(/no Synapse version/);
});
