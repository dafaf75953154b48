/** One homeserver in a cluster, behind the gateway: its clients come by the API server, and what it sends goes to this machine. */
import { rm } from "node:fs/promises";
import { Cluster, type Waiting } from "#drivers/substrates/kubernetes/cluster";
import { type FollowedLog, followLog } from "#drivers/substrates/kubernetes/follow-log";
import { forwardPort } from "#drivers/substrates/kubernetes/forward";
import { type Inlet, openInlet } from "#drivers/substrates/kubernetes/inlet";
import { namespaceManifest, swept } from "#drivers/substrates/kubernetes/manifest";
import { registerBySharedSecret } from "#drivers/substrates/shared-secret";
import type { Address, RunningServer, StartContext } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { appserviceFile, CLIENT_PORT, FEDERATION_PORT } from "../contract.ts";
import { namespaceOf } from "./deployment.ts";
import { COMPONENT, homeserverManifests } from "./homeserver.ts";
import { type ClusterOptions, clusterOptions } from "./options.ts";

const WATCH_MS = 2_000;

/** @throws HarnessError BAD_USAGE unless it can be reached by pods */
export function requireGateway({ gateway }: ClusterOptions, text: string): string {
  if (gateway !== undefined) return gateway;
  throw new HarnessError("BAD_USAGE", {
    what: `--hs ${text}: pods are not told where this machine is`,
    facts: ["checks look at what servers send, which goes through the gateway on this machine"],
    next: "add gateway=<an address of this machine that pods reach>; crucible kubernetes up needs none",
  });
}

export async function start(context: StartContext): Promise<RunningServer> {
  const { role, runId, name, spec, features, containers, network } = context;
  const options = clusterOptions(spec);
  const gateway = requireGateway(options, spec.text);
  const cluster = await Cluster.connect(options.context);
  const namespace = options.namespace ?? namespaceOf(runId);
  if (containers.mounts.length > 0) {
    throw new HarnessError("BAD_USAGE", {
      what: `--hs ${spec.text}: nodes do not have the mounts of this machine`,
      next: "leave out --host-mounts, or give the image what it needs by config=<file>",
    });
  }
  const waiting: Waiting = { timeoutMs: context.startTimeoutMs, signal: context.signal };
  await using started = new AsyncDisposableStack();
  const proxy = started.use(await openInlet(gateway, network.proxyPort));
  const appservice = started.use(await openInlet(gateway, network.appservice.port));
  const proxyUrl = urlOf(proxy);
  started.defer(async () => {
    await cluster.remove(runId, namespace, name);
  });
  await cluster.create(
    [
      ...(options.namespace === undefined ? [namespaceManifest(namespace, runId)] : []),
      ...homeserverManifests({
        runId,
        namespace,
        // A run may have several deployments, each with a server of this role.
        name,
        role,
        options,
        ca: network.ca,
        limits: containers,
        env: {
          https_proxy: proxyUrl,
          HTTPS_PROXY: proxyUrl,
          no_proxy: `localhost,127.0.0.1,${gateway}`,
          ...(features.length === 0 ? {} : { CRUCIBLE_FEATURES: features.join() }),
        },
        userEnv: containers.env,
        files: appserviceFile({ ...network.appservice, port: appservice.port }, gateway),
        // A server that ignores proxy variables finds nobody, rather than others past the gateway.
        hosts: Object.fromEntries(network.peers.map((peer) => [peer, gateway])),
      }),
    ].map(swept),
  );
  const forward = async (port: number): Promise<Address> =>
    started.use(await forwardPort(cluster.api, { namespace, name, port }));
  const [client, federation] = [await forward(CLIENT_PORT), await forward(FEDERATION_PORT)];
  const life = new Life(context, cluster, namespace, waiting);
  started.defer(async () => life.end());
  await life.begin();
  const owned = started.move();
  return {
    role,
    serverName: role,
    client: () => client,
    federation: () => ({ ...federation, tlsName: role }),
    settings: [
      "as the image sets it up",
      `in a cluster: ${cluster.title}`,
      ...[...options.names].map((option) => `option ${option}`),
    ],
    capabilities: {
      killable: { kill: () => life.halt(true) },
      stoppable: { stop: () => life.halt(false), start: () => life.resume() },
      restartable: {
        restart: async () => {
          await life.halt(false);
          await life.resume();
        },
      },
      hasLogs: { tail: (count) => cluster.tail(namespace, name, count) },
      registersUsers: {
        register: (localpart, password, wanted) =>
          registerBySharedSecret({
            baseUrl: `http://${client.host}:${client.port}`,
            secret: options.sharedSecret,
            localpart,
            password,
            admin: wanted?.admin ?? false,
          }),
      },
    },
    [Symbol.asyncDispose]: async () => {
      await owned.disposeAsync();
      await rm(context.workFolder, { recursive: true, force: true });
    },
  };

  function urlOf({ host, port }: Inlet): string {
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }
}

/** Its pod, which comes and goes while its volume stays. */
class Life {
  readonly #context: StartContext;
  readonly #cluster: Cluster;
  readonly #namespace: string;
  readonly #waiting: Waiting;
  #log: FollowedLog | undefined;
  #watch: NodeJS.Timeout | undefined;
  #pod: string | undefined;

  constructor(context: StartContext, cluster: Cluster, namespace: string, waiting: Waiting) {
    this.#context = context;
    this.#cluster = cluster;
    this.#namespace = namespace;
    this.#waiting = waiting;
  }

  /** Waits until it is ready, then follows its log and sees whether it ends. */
  async begin(): Promise<void> {
    const { name, logFile } = this.#context;
    await this.#cluster.ready(this.#namespace, name, this.#waiting);
    const pod = await this.#cluster.pod(this.#namespace, name);
    this.#pod = pod?.metadata?.uid;
    const place = { namespace: this.#namespace, name, container: COMPONENT };
    this.#log = await followLog(this.#cluster.api, place, logFile);
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    this.#watch.unref();
  }

  /** Ends it, and resolves when it is gone. */
  async halt(isKill: boolean): Promise<void> {
    const { name } = this.#context;
    this.end();
    // The stateful set must not make it anew.
    const gone = this.#cluster.scale(this.#namespace, name, 0, this.#waiting);
    if (isKill) await this.#cluster.kill(this.#namespace, name);
    await gone;
  }

  /** Starts it on its volume, unless it runs. */
  async resume(): Promise<void> {
    if (this.#watch !== undefined) return;
    await this.#cluster.scale(this.#namespace, this.#context.name, 1, this.#waiting);
    await this.begin();
  }

  end(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#log?.stop();
  }

  async #look(): Promise<void> {
    const pod = await this.#cluster.pod(this.#namespace, this.#context.name).catch(() => "unknown");
    if (this.#watch === undefined || pod === "unknown" || typeof pod === "string") return;
    const restarts = pod?.status?.containerStatuses?.[0]?.restartCount ?? 0;
    if (pod?.metadata?.uid === this.#pod && restarts === 0) return;
    this.end();
    this.#context.onUnexpectedExit(
      pod?.metadata?.uid === this.#pod
        ? "its container ended and was started again"
        : "its pod is gone",
    );
  }
}
