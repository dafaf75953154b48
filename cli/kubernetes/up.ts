/** `crucible kubernetes up`: a deployment in a cluster until Ctrl-C; where no cluster is, what it would have been. */
import path from "node:path";
import { print, printJson, remark } from "#cli/io";
import { abortOnSignals, untilAborted } from "#cli/run/session";
import { CLIENT_PORT, FEDERATION_PORT } from "#drivers/complement-image/contract";
import type { ClusterDeployment } from "#drivers/complement-image/kubernetes/deployment";
import { Cluster } from "#drivers/substrates/kubernetes/cluster";
import { type Forward, forwardPort } from "#drivers/substrates/kubernetes/forward";
import { type Manifest, swept } from "#drivers/substrates/kubernetes/manifest";
import { writeManifests } from "#drivers/substrates/kubernetes/write";
import { HarnessError } from "#harness/errors";
import { RunRegistry } from "#harness/runs/registry";

export interface UpOptions {
  readonly dryRun?: boolean;
  readonly keep?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

/** Every cluster has it. */
const DEFAULT_NAMESPACE = "default";

export async function upInCluster(
  deployment: ClusterDeployment,
  timeoutMs: number,
  options: UpOptions,
): Promise<void> {
  const { dryRun = false } = options;
  const cluster = await clusterFor(deployment, dryRun);
  if (cluster === undefined || dryRun) return await rehearse(deployment, cluster, options);
  await run(deployment, cluster, timeoutMs, options);
}

/** Undefined where none is configured or none answers. One that was named has to be there. */
async function clusterFor(
  { context }: ClusterDeployment,
  isDryRun: boolean,
): Promise<Cluster | undefined> {
  try {
    return await Cluster.connect(context);
  } catch (error) {
    const isMissing = error instanceof HarnessError && error.code === "NO_CLUSTER";
    if (!isMissing || (context !== undefined && !isDryRun)) throw error;
    remark(`dry run: ${error.what}`);
    return undefined;
  }
}

/** Writes what would be made, and has the cluster look at it if there is one. */
async function rehearse(
  { runId, namespace, ownsNamespace, manifests }: ClusterDeployment,
  cluster: Cluster | undefined,
  { out = path.join(".runs", runId, "kubernetes"), json }: UpOptions,
): Promise<void> {
  // A namespace that is only looked at is not there for what would be in it.
  const place = ownsNamespace ? DEFAULT_NAMESPACE : namespace;
  await cluster?.create(
    manifests.map((manifest) => moved(manifest, place)),
    true,
  );
  const files = writeManifests(out, manifests);
  const accepted = cluster?.title;
  if (json)
    return printJson({ run: runId, namespace, dryRun: true, cluster: accepted ?? null, files });
  if (accepted !== undefined) print(`${accepted} takes all of it`);
  for (const file of files) print(file);
  remark(`next: kubectl apply -f ${out}, or the same command with a cluster and without --dry-run`);
}

function moved(manifest: Manifest, namespace: string): Manifest {
  const { metadata } = manifest;
  if (metadata.namespace === undefined) return manifest;
  return { ...manifest, metadata: { ...metadata, namespace } };
}

async function run(
  deployment: ClusterDeployment,
  cluster: Cluster,
  timeoutMs: number,
  { keep = false, json }: UpOptions,
): Promise<void> {
  const { runId, namespace, manifests, servers } = deployment;
  await using registry = RunRegistry.open(runId);
  const { signal, release } = abortOnSignals(registry);
  await using started = new AsyncDisposableStack();
  if (!keep) {
    started.defer(async () => {
      for (const line of await cluster.remove(runId, namespace)) remark(`removed ${line}`);
    });
  }
  await cluster.create(keep ? manifests : manifests.map(swept));
  remark(`${cluster.title}: waiting for ${servers.size} server(s) in ${namespace}`);
  const reached = await Promise.all(
    [...servers].map(async ([role, { access }]) => {
      await cluster.ready(namespace, role, { timeoutMs, signal });
      const [client, federation] = await Promise.all(
        [CLIENT_PORT, FEDERATION_PORT].map((port) =>
          access === "node-port"
            ? cluster.nodeAddress(namespace, role, port)
            : forwarded(started, forwardPort(cluster.api, { namespace, name: role, port })),
        ),
      );
      return { role, client, federation, spec: `${role}=url:http://${client},server-name=${role}` };
    }),
  );
  if (json)
    printJson({ run: runId, namespace, dryRun: false, cluster: cluster.title, servers: reached });
  else {
    print(`${runId}  ${namespace}`);
    for (const { role, client, federation } of reached) {
      print(`  ${role}  client http://${client}  federation https://${federation}`);
    }
    for (const { spec } of reached) print(`  --hs ${spec},shared-secret=<of the image>`);
  }
  remark(
    keep
      ? "it stays; crucible kubernetes down removes it. Ports close with Ctrl-C"
      : "running until Ctrl-C",
  );
  await untilAborted(signal);
  release();
}

async function forwarded(
  started: AsyncDisposableStack,
  forwarding: Promise<Forward>,
): Promise<string> {
  const { host, port } = started.use(await forwarding);
  return `${host}:${port}`;
}
