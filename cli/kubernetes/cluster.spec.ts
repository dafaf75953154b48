/** Deployments and faults on a real API server, which KUBEBUILDER_ASSETS names. What would run pods is a double. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { linkFault, serverFault } from "#chaos/mesh/faults";
import { Sandbox } from "#cli/command-process";
import { planDeployment } from "#drivers/complement-image/kubernetes/deployment";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { forwardPort } from "#drivers/substrates/kubernetes/forward";
import { nameOf, swept } from "#drivers/substrates/kubernetes/manifest";
import { assignServers, parseServerSpec } from "#harness/config/driver-spec";
import { newRunId } from "#harness/results/ids";
import { FAULT_KINDS } from "#scenarios/plan";
import { type ApiServer, assets, startApiServer } from "./api-server-for-specs.ts";
import { LOG_LINE, type Node, startNode } from "./node-for-specs.ts";
import { placeOf } from "./place.ts";

const waiting = { timeoutMs: 30_000, signal: new AbortController().signal };

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

    await expect(ready).rejects.toThrow(/homeserver: ErrImagePull the double was told so/);
    node.refuse(undefined);
    await cluster.remove(runId, namespace);
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
