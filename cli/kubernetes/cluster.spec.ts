/** Deployments and faults on a real API server, which KUBEBUILDER_ASSETS names. What would run pods is a double. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { linkFault, serverFault } from "#chaos/mesh/faults";
import { Sandbox } from "#cli/command-process";
import { namespaceOf, planDeployment } from "#drivers/complement-image/kubernetes/deployment";
import { start } from "#drivers/complement-image/kubernetes/start";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { forwardPort } from "#drivers/substrates/kubernetes/forward";
import { nameOf, swept } from "#drivers/substrates/kubernetes/manifest";
import { assignServers, parseServerSpec } from "#harness/config/driver-spec";
import { NO_CONTAINER_SETTINGS, type StartContext } from "#harness/deployment/contract";
import { newRunId } from "#harness/results/ids";
import { FAULT_KINDS } from "#scenarios/plan";
import { type ApiServer, assets, startApiServer } from "./api-server-for-specs.ts";
import { LOG_LINE, type Node, startNode } from "./node-for-specs.ts";
import { placeOf } from "./place.ts";

const waiting = { timeoutMs: 30_000, signal: new AbortController().signal };

/** Of stateful sets. */
async function namesOf({ api }: Cluster, namespace: string) {
  const { items } = await api.objects.list("apps/v1", "StatefulSet", namespace);
  return items.map(({ metadata }) => metadata?.name).toSorted();
}

function contextForSpecs(runId: string, deployment: string, spec: string): StartContext {
  const workFolder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
  return {
    runId,
    role: "hs1",
    name: `${deployment}-hs1`,
    spec: parseServerSpec(spec),
    features: [],
    workFolder,
    logFile: path.join(workFolder, "hs1.log"),
    network: {
      ca: { certificate: "of the spec", privateKey: "of the spec", file: "" },
      proxyPort: 1,
      peers: ["hs2"],
      listenOn: async () => undefined,
      appservice: {
        id: "crucible",
        port: 1,
        asToken: "as",
        hsToken: "hs",
        senderLocalpart: "crucible",
        prefix: "crucible_",
      },
    },
    containers: NO_CONTAINER_SETTINGS,
    startTimeoutMs: waiting.timeoutMs,
    signal: waiting.signal,
    progress: () => undefined,
    registerProcess: () => undefined,
    onUnexpectedExit: () => undefined,
  };
}

function planned(spec = "kubernetes:synapse:1") {
  return planDeployment(newRunId(), assignServers([parseServerSpec(spec)], ["hs1", "hs2"]));
}

describe.skipIf(assets === undefined)("on a real API server", { timeout: 120_000 }, () => {
  let api: ApiServer;
  let node: Node;
  const homeserver = createServer((asked, answer) =>
    answer.end(`${asked.url} for ${asked.headers.host}`),
  );

  beforeAll(async () => {
    homeserver.listen(0, "127.0.0.1");
    await once(homeserver, "listening");
    const address = homeserver.address();
    api = await startApiServer();
    node = await startNode(api, typeof address === "object" && address !== null ? address.port : 0);
  }, 180_000);

  afterAll(async () => {
    homeserver.close();
    homeserver.closeAllConnections();
    await node?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
  });

  test("it takes a deployment, gives its ports and logs, stops and starts it, and removes it by its run", async () => {
    const { runId, namespace, manifests } = await planned("kubernetes:synapse:1,database=postgres");
    const cluster = await Cluster.connect();

    await cluster.create(manifests.map(swept));
    await cluster.ready(namespace, "hs1", waiting);
    await using forward = await forwardPort(cluster.api, { namespace, name: "hs1", port: 8008 });
    const texts = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const { body } = await request(`http://${forward.host}:${forward.port}/versions`);
        return await body.text();
      }),
    );
    const lines = await cluster.tail(namespace, "hs1", 5);
    await cluster.scale(namespace, "hs1", 0, waiting);
    const stopped = await cluster.pod(namespace, "hs1");
    await cluster.scale(namespace, "hs1", 1, waiting);
    await cluster.ready(namespace, "hs1", waiting);
    const runs = await cluster.runs();
    const removed = await cluster.remove(runId, namespace);

    expect(texts).toEqual(Array(5).fill(`/versions for ${forward.host}:${forward.port}`));
    expect(lines).toEqual([LOG_LINE]);
    expect(stopped).toBeUndefined();
    expect(runs.get(runId)).toEqual(new Set([namespace]));
    expect(removed.toSorted()).toEqual(
      manifests.map((manifest) => nameOf(manifest).replace("/", " ")).toSorted(),
    );
    expect((await cluster.runs()).has(runId)).toBe(false);
  });

  test("it takes every fault that has a resource, with Chaos Mesh's own definitions", async () => {
    const place = placeOf({ ...(await planned()), namespace: "default" });
    const cluster = await Cluster.connect();
    const links = FAULT_KINDS.flatMap(
      (fault) => linkFault({ fault, id: `f-${fault}`, links: ["hs1>hs2"] }, place).resources,
    );
    const servers = (["kill", "restart", "stop", "fill-disk"] as const).flatMap(
      (action) => serverFault({ server: "hs1", action }, `s-${action}`, place).resources,
    );

    await cluster.create([...links, ...servers]);
    const removed = await cluster.remove(place.labels["matrix-crucible.org/run"] ?? "", "default");
    const typo = structuredClone(links[0]);
    Object.assign(typo?.spec ?? {}, { directoin: "to" });

    expect(removed.filter((what) => what.includes("Chaos"))).toHaveLength(
      links.length + servers.length,
    );
    await expect(cluster.create(typo === undefined ? [] : [typo])).rejects.toThrow(/directoin/);
  });

  test("an image that can not be pulled ends the wait with the reason", async () => {
    const { runId, namespace, manifests } = await planned();
    const cluster = await Cluster.connect();
    node.refuse("ErrImagePull");

    await cluster.create(manifests);
    const ready = cluster.ready(namespace, "hs2", waiting);

    await expect(ready).rejects.toThrow(
      /the pod of hs2 can not become ready[\s\S]*homeserver: ErrImagePull the double was told so/,
    );
    node.refuse(undefined);
    await cluster.remove(runId, namespace);
  });

  test("Ctrl-C ends the wait for a pod to go as an interruption", async () => {
    const { runId, namespace, manifests } = await planned();
    const cluster = await Cluster.connect();
    await cluster.create(manifests);
    await cluster.ready(namespace, "hs1", waiting);

    const gone = cluster.gone(namespace, "hs1", { ...waiting, signal: AbortSignal.abort() });

    await expect(gone).rejects.toMatchObject({ code: "INTERRUPTED" });
    await cluster.remove(runId, namespace);
  });

  test("what is left of a run is found, whatever it is", async () => {
    const [one, other] = [await planned(), await planned()];
    const cluster = await Cluster.connect();
    const secret = other.manifests.filter(({ kind }) => kind === "Secret").slice(0, 1);
    await cluster.create(one.manifests.slice(0, 1).map(swept));
    await cluster.create(other.manifests.slice(0, 1));
    await cluster.create(secret.map(swept));

    const runs = await cluster.runs();

    expect(runs.get(one.runId)).toEqual(new Set([one.namespace]));
    expect(runs.get(other.runId)).toEqual(new Set([other.namespace]));
    for (const { runId, namespace } of [one, other]) await cluster.remove(runId, namespace);
  });

  test("deployments of one run do not meet in a namespace, and each removes its own", async () => {
    const cluster = await Cluster.connect();
    await cluster.api.core.createNamespace({ body: { metadata: { name: "team" } } });
    const context = (deployment: string) =>
      contextForSpecs(runId, deployment, "kubernetes:synapse:1,namespace=team,gateway=127.0.0.1");
    const runId = newRunId();

    await using main = await start(context("main"));
    const isolated = await start(context("isolated-1"));
    await isolated[Symbol.asyncDispose]();

    expect(main.serverName).toBe("hs1");
    expect(await main.capabilities.hasLogs?.tail(1)).toEqual([LOG_LINE]);
    expect(await namesOf(cluster, "team")).toEqual(["main-hs1"]);
  });

  test("deployments of a run have its one namespace, which goes with the last and may come again", async () => {
    const cluster = await Cluster.connect();
    const runId = newRunId();
    const context = (deployment: string) =>
      contextForSpecs(runId, deployment, "kubernetes:synapse:1,gateway=127.0.0.1");

    const [one, two] = [await start(context("main")), await start(context("isolated-1"))];
    const both = await namesOf(cluster, namespaceOf(runId));
    await two[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
    const three = await start(context("isolated-2"));
    const third = await namesOf(cluster, namespaceOf(runId));
    await three[Symbol.asyncDispose]();

    expect(both).toEqual(["isolated-1-hs1", "main-hs1"]);
    expect(third).toEqual(["isolated-2-hs1"]);
  });

  test("a dry run has the cluster look at all, and makes nothing", async () => {
    using sandbox = new Sandbox({ KUBECONFIG: api.kubeconfig });
    const args = [
      "kubernetes",
      "up",
      "--hs",
      "kubernetes:a:1,database=postgres",
      "--dry-run",
      "--json",
    ];

    const { code, stdout, stderr } = await sandbox.crucible(...args, "--out", sandbox.path("out"));

    expect(stderr).toBe("");
    expect(code).toBe(0);
    const { run, cluster: title, files } = JSON.parse(stdout);
    expect(title).toContain("spec (Kubernetes ");
    expect(files).toHaveLength(5);
    expect(await (await Cluster.connect()).remove(run, `crucible-${run}`)).toEqual([]);
  });
});

test.each(["toString", "constructor"])("%s is no fault", async (name) => {
  using sandbox = new Sandbox();

  const { code, stderr } = await sandbox.crucible(
    ...["kubernetes", "fault", name, "hs1", "--run", "20261127-050000-abcd", "--dry-run"],
  );

  expect(stderr).toContain(`there is no fault ${name}`);
  expect(code).toBe(2);
});

test("where no cluster is, up is a dry run that says so", async () => {
  using sandbox = new Sandbox({ KUBECONFIG: "/nowhere/kubeconfig" });

  const { code, stdout, stderr } = await sandbox.crucible(
    "kubernetes",
    "up",
    "--hs",
    "kubernetes:a:1",
    "--out",
    sandbox.path("out"),
  );

  expect(stderr).toContain("dry run: ");
  expect(stderr).toContain("next: kubectl apply -f");
  expect(stdout).toContain("02-hs1.yaml");
  expect(stdout + stderr).not.toContain("PRIVATE KEY");
  expect(code).toBe(0);
  expect(spawnSync("ls", [sandbox.path("out")]).stdout.toString()).toContain("01-hs1.secret.yaml");
});
