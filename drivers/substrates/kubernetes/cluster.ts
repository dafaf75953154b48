/** What we do in a cluster: make things, see them ready, read their logs, remove them by label. */
import { setTimeout as sleep } from "node:timers/promises";
import type { KubernetesObject, V1Pod, V1StatefulSet } from "@kubernetes/client-node";
import { HarnessError } from "#harness/errors";
import { type Api, connectCluster, reasonOf, statusOf } from "./client.ts";
import {
  INSTANCE_LABEL,
  type Manifest,
  nameOf,
  RUN_LABEL,
  runLabels,
  sweepSelector,
} from "./manifest.ts";
import { problemOf } from "./pod-problem.ts";
import { postgresName } from "./postgres.ts";

const POLL_MS = 500;
/** What is in a namespace ends before it, pods with their time of grace. */
const NAMESPACE_END_MS = 60_000;
const MANAGER = "matrix-crucible";
const MESH = "chaos-mesh.org/v1alpha1";
/** Faults first, so that Chaos Mesh can take them back while the pods are there; nobody waits for that. */
const FAULTS = ["NetworkChaos", "PodChaos", "TimeChaos", "IOChaos"].map((kind) => [MESH, kind]);
const REST = [
  ["apps/v1", "StatefulSet"],
  ["v1", "Service"],
  ["v1", "Secret"],
  // The StatefulSet controller removes them too, where there is a newer one.
  ["v1", "PersistentVolumeClaim"],
];

export interface Waiting {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export class Cluster {
  readonly api: Api;

  private constructor(api: Api) {
    this.api = api;
  }

  /** @throws HarnessError NO_CLUSTER, BAD_CONFIG */
  static async connect(context?: string): Promise<Cluster> {
    return new Cluster(await connectCluster(context));
  }

  get title(): string {
    return this.api.title;
  }

  /**
   * Makes them in their order; a namespace of the same run may be there already.
   *
   * @param isDryRun the cluster looks at them as if it made them
   * @throws HarnessError HS_DID_NOT_START with the cluster's words
   */
  async create(manifests: readonly Manifest[], isDryRun = false): Promise<void> {
    for (const manifest of manifests) {
      for (let isMade = false; !isMade; ) {
        try {
          const object = structuredClone(manifest) as KubernetesObject;
          await this.api.objects.create(object, undefined, isDryRun ? "All" : undefined, MANAGER);
          isMade = true;
        } catch (cause) {
          const there = await this.#ourNamespace(manifest, cause);
          if (there === "stays") break;
          if (there === "ends" && (await this.#hasEnded(manifest.metadata.name))) continue;
          throw new HarnessError("HS_DID_NOT_START", {
            what: `${this.title} refuses ${nameOf(manifest)}`,
            facts: [reasonOf(cause)],
            next: nextFor(manifest, cause),
            cause,
          });
        }
      }
    }
  }

  /** Whether it knows this kind: Chaos Mesh's are there only where that is installed. Needs leave to list it there. */
  async knows(apiVersion: string, kind: string, namespace: string): Promise<boolean> {
    try {
      await this.api.objects.list(
        apiVersion,
        kind,
        namespace,
        undefined,
        undefined,
        undefined,
        undefined,
        undefined,
        1,
      );
      return true;
    } catch (error) {
      // The client's own words for a kind that it does not find, or the API's.
      if (statusOf(error) === 404 || /Unrecognized API version/.test(reasonOf(error))) return false;
      throw error;
    }
  }

  /**
   * Resolves when the one pod of the stateful set of this name is ready.
   *
   * @throws HarnessError HS_DID_NOT_START when it can not become so, or not in time, with its last log lines
   */
  async ready(namespace: string, name: string, { timeoutMs, signal }: Waiting): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    let last = "no pod yet";
    let how = `did not become ready within ${timeoutMs} ms`;
    while (Date.now() < deadline) {
      throwIfInterrupted(signal);
      const set = await this.#statefulSet(namespace, name);
      if (isReady(set)) return;
      const pod = await this.pod(namespace, name);
      const problem = pod === undefined ? undefined : problemOf(pod);
      last = problem?.what ?? last;
      if (problem?.isFinal) {
        how = "can not become ready";
        break;
      }
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    throw new HarnessError("HS_DID_NOT_START", {
      what: `the pod of ${name} ${how}`,
      facts: [last, "last log lines:", ...(await this.tail(namespace, name, 20))],
      next: `kubectl -n ${namespace} describe pod ${podName(name)} tells more; --spawn-timeout-ms raises the limit`,
    });
  }

  /** The pod of a stateful set, if it is there. */
  async pod(namespace: string, name: string): Promise<V1Pod | undefined> {
    try {
      return await this.api.core.readNamespacedPod({ namespace, name: podName(name) });
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  /** Where a port of its service is on the node of its pod: `<address>:<port>`. */
  async nodeAddress(namespace: string, name: string, port: number): Promise<string> {
    const [service, pod] = await Promise.all([
      this.api.core.readNamespacedService({ namespace, name }),
      this.pod(namespace, name),
    ]);
    const found = service.spec?.ports?.find((one) => one.port === port)?.nodePort;
    const host = pod?.status?.hostIP ?? "";
    return `${host.includes(":") ? `[${host}]` : host}:${found}`;
  }

  /** Sets how many pods it has, 0 or 1, and resolves when none is left in the first case. */
  async scale(namespace: string, name: string, replicas: 0 | 1, waiting: Waiting): Promise<void> {
    const { objects, library } = this.api;
    await objects.patch(
      {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata: { namespace, name },
        spec: { replicas },
      } as KubernetesObject,
      undefined,
      undefined,
      MANAGER,
      undefined,
      library.PatchStrategy.MergePatch,
    );
    if (replicas === 0) await this.gone(namespace, name, waiting);
  }

  /** Ends its pod at once, without waiting for it to end in good order. */
  async kill(namespace: string, name: string): Promise<void> {
    const request = { namespace, name: podName(name), gracePeriodSeconds: 0 };
    await ignoreGone(this.api.core.deleteNamespacedPod(request));
  }

  /** Resolves when its pod is gone. @throws HarnessError DEADLINE, INTERRUPTED */
  async gone(namespace: string, name: string, { timeoutMs, signal }: Waiting): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while ((await this.pod(namespace, name)) !== undefined) {
      throwIfInterrupted(signal);
      if (Date.now() > deadline) {
        throw new HarnessError("DEADLINE", {
          what: `the pod of ${name} is still there after ${timeoutMs} ms`,
          next: `kubectl -n ${namespace} describe pod ${podName(name)} tells why`,
        });
      }
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Last lines of its log, oldest first; none when there is no log. */
  async tail(namespace: string, name: string, count: number): Promise<readonly string[]> {
    try {
      const request = { namespace, name: podName(name), tailLines: count };
      const text = await this.api.core.readNamespacedPodLog(request);
      return text.split("\n").filter((line) => line !== "");
    } catch {
      return [];
    }
  }

  /**
   * Removes what a run has made in a namespace, and the namespace if it is the run's own; tells what, one line each.
   *
   * @param name only the server of this name, and the namespace once nobody else is in it
   */
  async remove(runId: string, namespace: string, name?: string): Promise<readonly string[]> {
    const labels = Object.entries(runLabels(runId)).map((pair) => pair.join("="));
    const names =
      name === undefined ? [] : [`${INSTANCE_LABEL} in (${name},${postgresName(name)})`];
    const selector = [...labels, ...names].join();
    const removed: string[] = [];
    for (const [apiVersion = "", kind = ""] of [...FAULTS, ...REST]) {
      removed.push(...(await this.#removeAll(apiVersion, kind, namespace, selector)));
    }
    if ((await this.#list("apps/v1", "StatefulSet", namespace, labels.join())).length > 0) {
      return removed;
    }
    for (const object of await this.#list("v1", "Namespace", undefined, labels.join())) {
      if (object.metadata?.name !== namespace) continue;
      removed.push(...(await this.#delete("v1", "Namespace", object)));
    }
    return removed;
  }

  /** Removes one thing; no error when it is gone. */
  async removeOne({ apiVersion, kind, metadata }: Manifest): Promise<void> {
    await this.#delete(apiVersion, kind, { metadata } as KubernetesObject);
  }

  /** Runs of this machine's registry that have something here, with their namespaces. */
  async runs(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const runs = new Map<string, Set<string>>();
    // One that was killed early may have a namespace, or secrets in another's, and no more.
    for (const [apiVersion = "", kind = ""] of [["v1", "Namespace"], ...REST]) {
      for (const { metadata } of await this.#list(apiVersion, kind, undefined, sweepSelector())) {
        // On its way out already: namespaces take a while.
        if (metadata?.deletionTimestamp !== undefined) continue;
        const runId = metadata?.labels?.[RUN_LABEL] ?? "";
        const namespace = kind === "Namespace" ? metadata?.name : metadata?.namespace;
        runs.set(runId, (runs.get(runId) ?? new Set()).add(namespace ?? ""));
      }
    }
    return runs;
  }

  async #removeAll(apiVersion: string, kind: string, namespace: string, selector: string) {
    const removed: string[] = [];
    for (const object of await this.#list(apiVersion, kind, namespace, selector)) {
      removed.push(...(await this.#delete(apiVersion, kind, object)));
    }
    return removed;
  }

  async #delete(apiVersion: string, kind: string, { metadata }: KubernetesObject) {
    const { name = "", namespace } = metadata ?? {};
    const header = { name, ...(namespace === undefined ? {} : { namespace }) };
    // What belongs to it goes too, whether or not that is waited for.
    await ignoreGone(
      this.api.objects.delete(
        { apiVersion, kind, metadata: header },
        undefined,
        undefined,
        undefined,
        undefined,
        "Background",
      ),
    );
    return [`${kind} ${name}`];
  }

  /** None where there is no such kind, or no leave to list it. */
  async #list(apiVersion: string, kind: string, namespace: string | undefined, selector: string) {
    try {
      const { items } = await this.api.objects.list(
        apiVersion,
        kind,
        namespace,
        undefined,
        undefined,
        undefined,
        undefined,
        selector,
      );
      return items;
    } catch (error) {
      const status = statusOf(error);
      if (status === 404 || status === 403 || apiVersion === MESH) return [];
      throw error;
    }
  }

  async #statefulSet(namespace: string, name: string): Promise<V1StatefulSet> {
    const header = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { namespace, name } };
    return await this.api.objects.read<V1StatefulSet>(header);
  }

  /** Whether it is there already, as the same run's, and whether it stays: it ends with the last deployment in it. */
  async #ourNamespace({ kind, metadata }: Manifest, error: unknown) {
    if (kind !== "Namespace" || statusOf(error) !== 409) return undefined;
    const { name, labels } = metadata;
    const there = await this.api.core.readNamespace({ name }).catch((reason) => {
      if (statusOf(reason) === 404) return undefined;
      throw reason;
    });
    if (there === undefined) return "ends";
    const { metadata: own } = there;
    if (own?.labels?.[RUN_LABEL] !== labels[RUN_LABEL]) return undefined;
    return own?.deletionTimestamp === undefined ? "stays" : "ends";
  }

  /** Whether it is gone, in time. */
  async #hasEnded(namespace: string): Promise<boolean> {
    const deadline = Date.now() + NAMESPACE_END_MS;
    while (Date.now() < deadline) {
      try {
        await this.api.core.readNamespace({ name: namespace });
      } catch (error) {
        if (statusOf(error) === 404) return true;
        throw error;
      }
      await sleep(POLL_MS);
    }
    return false;
  }
}

/** Of a set of one. */
export function podName(name: string): string {
  return `${name}-0`;
}

function isReady({ metadata, status }: V1StatefulSet): boolean {
  return status?.readyReplicas === 1 && status.observedGeneration === metadata?.generation;
}

function nextFor({ metadata }: Manifest, error: unknown): string {
  const { namespace = metadata.name } = metadata;
  switch (statusOf(error)) {
    case 403:
      return `it needs leave to make this in ${namespace}: docs/kubernetes.md has a role`;
    case 404:
      return `make the namespace ${namespace}, or leave out namespace=… for one of its own`;
    case 409:
      return `another run has this name in ${namespace}: leave out namespace=…, or crucible kubernetes down it`;
    default:
      return "docs/kubernetes.md tells what a cluster has to have";
  }
}

function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new HarnessError("INTERRUPTED", { what: "interrupted" });
}

async function ignoreGone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}
