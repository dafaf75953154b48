/** On a real engine, with the image of drivers/synapse/Dockerfile: `bash .ci/synapse-image.sh` builds it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import { builtName } from "#drivers/substrates/docker/build";
import { RUN_LABEL, sweepEngine } from "#drivers/substrates/docker/engine";
import { parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import { NO_CONTAINER_SETTINGS, type RunningServer } from "#harness/deployment/contract";
import { CertificateAuthority } from "#harness/gateway/ca";
import type { Exchange } from "#harness/gateway/exchange";
import { Gateway } from "#harness/gateway/gateway";
import { createClient } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { complementImage } from "./index.ts";

const IMAGE = process.env.CRUCIBLE_TEST_IMAGE ?? "crucible-synapse";
const RUN = `spec-${process.pid}`;
const WHOAMI = "/_matrix/client/v3/account/whoami";
const docker = new Docker();
const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
const exits: string[] = [];
const trace: Exchange[] = [];
let gateway: Gateway;
let ca: CertificateAuthority;
let hs1: RunningServer;

function signal(): AbortSignal {
  return new AbortController().signal;
}

async function start(role: string, options = "", runId = RUN): Promise<RunningServer> {
  const spec: ServerSpec = parseServerSpec(`docker:${IMAGE}${options}`);
  await complementImage.prepare(spec, { signal: signal(), progress: () => undefined });
  const links = await gateway.addServer(role);
  const server = await complementImage.start({
    runId,
    role,
    name: `spec-${role}`,
    spec,
    features: [],
    workFolder: path.join(folder, role),
    logFile: path.join(folder, `${role}.log`),
    network: {
      ca: { certificate: ca.certificate, privateKey: ca.privateKey, file: "" },
      proxyPort: links.proxyPort,
      peers: ["hs1", "hs2", "hs3"].filter((peer) => peer !== role),
      listenOn: (address) => gateway.listenOn(role, address),
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
    signal: signal(),
    progress: () => undefined,
    registerProcess: () => undefined,
    onUnexpectedExit: (how) => exits.push(how),
  });
  gateway.connect(role, { client: server.client, federation: server.federation });
  return server;
}

function client(server: RunningServer, accessToken?: string) {
  const { host, port } = server.client();
  return createClient({ baseUrl: `http://${host}:${port}`, accessToken, timeoutMs: 3_000 });
}

async function labelled(runId: string): Promise<number> {
  const filters = { label: [`${RUN_LABEL}=${runId}`] };
  const containers = await docker.listContainers({ all: true, filters });
  return containers.length + (await docker.listNetworks({ filters })).length;
}

beforeAll(async () => {
  ca = await CertificateAuthority.create("spec");
  gateway = new Gateway({ name: "spec", ca, record: (exchange) => trace.push(exchange) });
  hs1 = await start("hs1");
}, 120_000);

afterAll(async () => {
  await hs1?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  expect(await labelled(RUN)).toBe(0);
});

test("publishes its ports on loopback only", async () => {
  const { NetworkSettings } = await docker.getContainer(hs1.containerId ?? "").inspect();
  const bindings = Object.values(NetworkSettings.Ports).flatMap((bound) => bound ?? []);
  expect(new Set(bindings.map(({ HostIp }) => HostIp))).toEqual(new Set(["127.0.0.1"]));
  expect(hs1.serverName).toBe("hs1");
});

test("keeps accounts through SIGKILL and restart, and reads its ports again", async () => {
  const user = await hs1.capabilities.registersUsers?.register("alice", "secret");
  expect(user?.userId).toBe("@alice:hs1");
  await hs1.capabilities.killable?.kill();
  await expect(client(hs1).request("GET", "/_matrix/client/versions")).rejects.toThrow();
  await hs1.capabilities.restartable?.restart();
  const { json } = await client(hs1, user?.accessToken).request("GET", WHOAMI);
  expect(json).toMatchObject({ user_id: user?.userId, device_id: user?.deviceId });
  expect(exits).toEqual([]);
});

test("stands still while paused", async () => {
  await hs1.capabilities.pausable?.pause();
  await expect(client(hs1).request("GET", "/_matrix/client/versions")).rejects.toThrow(
    /no answer within/,
  );
  await hs1.capabilities.pausable?.resume();
  expect((await client(hs1).request("GET", "/_matrix/client/versions")).status).toBe(200);
});

test("reaches other servers at the gateway, with and without its proxy variables", async () => {
  // Empty variables switch the proxy off: what an implementation that ignores them does.
  await using hs2 = await start("hs2");
  await using hs3 = await start("hs3", ",env.https_proxy=,env.HTTPS_PROXY=");
  const alice = await hs1.capabilities.registersUsers?.register("joined", "secret");
  const room = await client(hs1, alice?.accessToken).request(
    "POST",
    "/_matrix/client/v3/createRoom",
    { body: { preset: "public_chat" } },
  );
  const roomId = textAt(room.json, "room_id");
  for (const server of [hs2, hs3]) {
    const user = await server.capabilities.registersUsers?.register("bob", "secret");
    const { host, port } = server.client();
    const bob = createClient({ baseUrl: `http://${host}:${port}`, accessToken: user?.accessToken });
    const path = `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`;
    const joined = await bob.request("POST", path, { body: {}, query: { via: "hs1" } });
    expect(at(joined.json, "room_id")).toBe(roomId);
  }
  const senders = trace.filter(({ path }) => path.includes("/send_join/")).map(({ from }) => from);
  expect(senders.sort()).toEqual(["hs2", "hs3"]);
}, 60_000);

test("stays down after a stop, and starts on the same data", async () => {
  const user = await hs1.capabilities.registersUsers?.register("stopped", "secret");
  await hs1.capabilities.stoppable?.stop();
  await expect(client(hs1).request("GET", "/_matrix/client/versions")).rejects.toThrow();
  await hs1.capabilities.stoppable?.start();
  await hs1.capabilities.stoppable?.start();
  expect((await client(hs1, user?.accessToken).request("GET", WHOAMI)).status).toBe(200);
  expect(exits).toEqual([]);
}, 60_000);

test("is cut off below HTTP both ways, while its clients still reach it", async () => {
  await using hs2 = await start("hs2");
  const [user, other] = await Promise.all(
    [hs1, hs2].map((server) => server.capabilities.registersUsers?.register("cut", "secret")),
  );
  const ask = (server: RunningServer, token: string | undefined, userId: string | undefined) =>
    client(server, token).request(
      "GET",
      `/_matrix/client/v3/profile/${encodeURIComponent(userId ?? "")}`,
    );
  const outwards = () => ask(hs1, user?.accessToken, other?.userId);
  const inwards = () => ask(hs2, other?.accessToken, user?.userId);
  expect([(await outwards()).status, (await inwards()).status]).toEqual([200, 200]);
  const { port } = hs1.client();
  await hs1.capabilities.leavesNetwork?.disconnect();
  for (const cut of [outwards, inwards]) {
    expect(await cut().then(({ status }) => status, String)).not.toBe(200);
  }
  expect((await client(hs1).request("GET", "/_matrix/client/versions")).status).toBe(200);
  await hs1.capabilities.leavesNetwork?.reconnect();
  expect(hs1.client().port).toBe(port);
  for (const healed of [outwards, inwards]) {
    await expect
      .poll(() => healed().then(({ status }) => status, String), { timeout: 30_000 })
      .toBe(200);
  }
}, 120_000);

test("has a log, and tells when it ends by itself", async () => {
  expect((await hs1.capabilities.hasLogs?.tail(5))?.join("\n")).toContain("synapse");
  await docker.getContainer(hs1.containerId ?? "").kill();
  await expect.poll(() => exits, { timeout: 5_000 }).toEqual(["exit code 137"]);
});

test("what a dead run left is swept, what a live one has stays", async () => {
  const dead = `${RUN}-dead`;
  await start("hs9", "", dead);
  expect(await labelled(dead)).toBe(3);
  const removed = await sweepEngine((runId) => runId === dead);
  expect(removed).toHaveLength(3);
  expect(await labelled(dead)).toBe(0);
  expect(await labelled(RUN)).toBe(3);
}, 60_000);

test("what another registry's run left is not ours to sweep", async () => {
  const foreign = `${RUN}-foreign`;
  const network = await docker.createNetwork({
    Name: `crucible-${foreign}`,
    Labels: { [RUN_LABEL]: foreign, "org.matrix-crucible.registry": "another" },
  });
  expect(await sweepEngine((runId) => runId === foreign)).toEqual([]);
  await network.remove();
});

test("an image that is not there is a clear error, and so is an unknown option", async () => {
  const prepare = (text: string) =>
    complementImage.prepare(parseServerSpec(text), { signal: signal(), progress: () => undefined });
  await expect(prepare("docker:crucible-none:1")).rejects.toThrow(
    /the image crucible-none:1 is not there/,
  );
  await expect(prepare(`docker:${IMAGE},shared-secrt=x`)).rejects.toThrow(/shared-secret/);
});

test("a folder with a Dockerfile is built, and a build that fails tells its last lines", async () => {
  const good = path.join(folder, "good");
  const bad = path.join(folder, "bad");
  for (const [name, step] of [
    [good, "RUN true"],
    [bad, "RUN echo the reason && exit 3"],
  ] as const) {
    mkdirSync(name);
    writeFileSync(path.join(name, "Dockerfile"), `FROM ${IMAGE}\n${step}\n`);
  }
  const seen: string[] = [];
  const prepare = (text: string, isReuseAllowed: boolean) =>
    complementImage.prepare(parseServerSpec(text), {
      signal: signal(),
      progress: (line) => seen.push(line),
      isReuseAllowed,
    });
  await prepare(`docker:${good}`, false);
  await prepare(`docker:${good}`, true);
  expect(seen).toHaveLength(1);
  await docker.getImage(builtName(good)).remove();
  await expect(prepare(`docker:${bad}`, false)).rejects.toThrow(
    /can not be built[\s\S]*the reason/,
  );
  await expect(prepare("docker:./docs", false)).rejects.toThrow(/no Dockerfile in .\/docs/);
}, 60_000);

test("an image that does not come up ends with its last words", async () => {
  const config = path.join(folder, "broken.yaml");
  writeFileSync(config, "database: { name: none }\n");
  await expect(start("hs8", `,config=${config}`)).rejects.toThrow(
    /hs8 ended while it was starting[\s\S]*last log lines[\s\S]*none/,
  );
}, 60_000);
