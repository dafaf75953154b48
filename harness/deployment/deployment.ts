/** A running topology: servers, the gateway that joins them, and what was found out about them. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ServerSpec } from "#harness/config/driver-spec";
import { describe, HarnessError } from "#harness/errors";
import { CertificateAuthority } from "#harness/gateway/ca";
import type { Exchange } from "#harness/gateway/exchange";
import { Gateway, type ServerLinks } from "#harness/gateway/gateway";
import { Recorder } from "#harness/gateway/recorder";
import type { DeploymentFacts, ServerFacts } from "#harness/results/outcome";
import type { RunRegistry } from "#harness/runs/registry";
import type {
  Address,
  AppserviceRegistration,
  ContainerSettings,
  Driver,
  Feature,
  RunningServer,
} from "./contract.ts";
import { type Identity, probeFeatures, probeIdentity } from "./probes.ts";

export interface DeploymentPlan {
  /** Unique within the run: `main`, `isolated-1`. */
  readonly id: string;
  readonly topology: string;
  /** Spec of each server by role, in the topology's order. */
  readonly servers: ReadonlyMap<string, ServerSpec>;
  readonly features: readonly Feature[];
}

export interface DeploymentContext {
  readonly drivers: readonly Driver[];
  readonly registry: RunRegistry;
  readonly traceFolder: string;
  /** False: exchanges are not kept on disk. */
  readonly isTraced?: boolean;
  readonly logFolder: string;
  readonly containers: ContainerSettings;
  readonly startTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  /** A server ended by itself; the deployment has already been told to restart it when it can. */
  readonly onDeath: (role: string, how: string, tail: readonly string[]) => void;
}

export interface DeployedServer {
  readonly role: string;
  readonly server: RunningServer;
  readonly links: ServerLinks;
  readonly identity: Identity;
  readonly spec: ServerSpec;
  readonly logFile: string;
}

/** A server that dies more often than this is left dead: its checks end as errors instead of waiting for it. */
const MAX_REVIVALS = 3;

export class Deployment implements AsyncDisposable {
  readonly id: string;
  readonly facts: DeploymentFacts;
  readonly servers: ReadonlyMap<string, DeployedServer>;
  /** Features that checks may need, as found by asking the servers: see `probeFeatures`. */
  readonly features: ReadonlySet<string>;
  readonly gateway: Gateway;
  readonly appservice: AppserviceRegistration;
  /** PEM of the authority whose certificates servers trust. */
  readonly ca: string;
  readonly traceFile: string;
  readonly #parts: Parts;

  private constructor(
    plan: DeploymentPlan,
    parts: Parts,
    servers: readonly DeployedServer[],
    features: ReadonlySet<string>,
  ) {
    this.id = plan.id;
    this.servers = new Map(servers.map((server) => [server.role, server]));
    this.features = features;
    this.gateway = parts.gateway;
    this.appservice = parts.appservice;
    this.ca = parts.ca.certificate;
    this.traceFile = parts.recorder.file;
    this.#parts = parts;
    this.facts = {
      name: nameOf(plan, servers),
      topology: plan.topology,
      servers: servers.map(factsOf),
    };
  }

  static async start(plan: DeploymentPlan, context: DeploymentContext): Promise<Deployment> {
    const parts = await Parts.create(plan, context);
    // What is being asked of a server that hangs ends with the gateway.
    const onAbort = () => void parts[Symbol.asyncDispose]();
    context.signal.addEventListener("abort", onAbort, { once: true });
    try {
      const servers = await allOrFirstError(
        [...plan.servers].map(([role, spec]) => startServer(role, spec, plan, parts, context)),
      );
      context.progress(`asking ${servers.map(({ role }) => role).join(", ")} what they can do`);
      const features = await probeFeatures(servers, parts.appservice, parts.gateway);
      return new Deployment(plan, parts, servers, features);
    } catch (error) {
      await parts[Symbol.asyncDispose]();
      throw error;
    } finally {
      context.signal.removeEventListener("abort", onAbort);
    }
  }

  /** @throws HarnessError INTERNAL for a role that the topology does not have. */
  server(role: string): DeployedServer {
    const server = this.servers.get(role);
    if (server === undefined) {
      throw new HarnessError("INTERNAL", { what: `this deployment has no server ${role}` });
    }
    return server;
  }

  /** Hears of each exchange at the gateway when it has ended, until what is returned is called. */
  watch(listener: (exchange: Exchange) => void): () => void {
    this.#parts.watchers.add(listener);
    return () => this.#parts.watchers.delete(listener);
  }

  /** Where the gateway sends what servers push to the application service; undefined: it answers for it. */
  setAppserviceUpstream(address: Address | undefined): void {
    this.#parts.appserviceUpstream = address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts[Symbol.asyncDispose]();
  }
}

/** What has to be taken down again, also when the start failed half way. */
class Parts implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly ca: CertificateAuthority;
  readonly caFile: string;
  readonly recorder: Recorder;
  readonly appservice: AppserviceRegistration;
  readonly #running: RunningServer[] = [];
  readonly watchers = new Set<(exchange: Exchange) => void>();
  appserviceUpstream: Address | undefined;
  #end: Promise<void> | undefined;

  private constructor(
    fields: Pick<Parts, "gateway" | "ca" | "caFile" | "recorder" | "appservice">,
  ) {
    this.gateway = fields.gateway;
    this.ca = fields.ca;
    this.caFile = fields.caFile;
    this.recorder = fields.recorder;
    this.appservice = fields.appservice;
  }

  static async create(plan: DeploymentPlan, context: DeploymentContext): Promise<Parts> {
    const { registry } = context;
    const ca = await CertificateAuthority.create(registry.runId);
    const caFile = path.join(registry.workFolder(plan.id), "ca.crt");
    writeFileSync(caFile, ca.certificate);
    const recorder = new Recorder(path.join(context.traceFolder, `${plan.id}.ndjson`));
    let parts: Parts | undefined;
    const gateway = new Gateway({
      name: plan.id,
      ca,
      record: (exchange) => {
        if (context.isTraced !== false) recorder.record(exchange);
        for (const watcher of parts?.watchers ?? []) watcher(exchange);
      },
    });
    const port = await gateway.addSink("appservice", () => parts?.appserviceUpstream);
    parts = new Parts({
      gateway,
      ca,
      caFile,
      recorder,
      appservice: {
        id: "crucible",
        port,
        asToken: `as_${registry.runId}_${crypto.randomUUID()}`,
        hsToken: `hs_${registry.runId}_${crypto.randomUUID()}`,
        senderLocalpart: "crucible_bot",
        prefix: "crucible_as_",
      },
    });
    return parts;
  }

  /** @throws HarnessError INTERRUPTED when the deployment has been taken down in between; the server then is too. */
  async add(server: RunningServer): Promise<void> {
    if (this.#end === undefined) {
      this.#running.push(server);
      return;
    }
    await server[Symbol.asyncDispose]();
    throw new HarnessError("INTERRUPTED", { what: `${server.role} was stopped while it started` });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#takeDown();
    return this.#end;
  }

  async #takeDown(): Promise<void> {
    await Promise.allSettled(this.#running.map((server) => server[Symbol.asyncDispose]()));
    await this.gateway[Symbol.asyncDispose]();
    await this.recorder.close();
  }
}

/** As `Promise.all`, but waits for those that still go on when one fails: nothing starts behind the back of the caller. */
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

async function startServer(
  role: string,
  spec: ServerSpec,
  plan: DeploymentPlan,
  parts: Parts,
  context: DeploymentContext,
): Promise<DeployedServer> {
  const driver = context.drivers.find((candidate) => candidate.accepts(spec));
  if (driver === undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `no driver starts ${spec.text}`,
      next: `known forms: ${context.drivers.flatMap(({ usage }) => usage).join(", ")}`,
    });
  }
  const links = await parts.gateway.addServer(role);
  const logFile = path.join(context.logFolder, `${plan.id}-${role}.log`);
  let revivals = 0;
  let running: RunningServer | undefined;
  const onUnexpectedExit = async (how: string) => {
    if (running === undefined || context.signal.aborted) return;
    const tail = (await running.capabilities.hasLogs?.tail(15)) ?? [];
    context.onDeath(role, how, tail);
    if (++revivals > MAX_REVIVALS) return;
    await running.capabilities.restartable?.restart().catch((error: unknown) => {
      context.onDeath(role, `did not come back: ${describe(error)}`, []);
    });
  };
  context.progress(`starting ${role} (${spec.text})`);
  running = await driver.start({
    runId: context.registry.runId,
    role,
    name: `${plan.id}-${role}`,
    spec,
    features: plan.features,
    workFolder: context.registry.workFolder(`${plan.id}-${role}`),
    logFile,
    network: {
      ca: {
        certificate: parts.ca.certificate,
        privateKey: parts.ca.privateKey,
        file: parts.caFile,
      },
      proxyPort: links.proxyPort,
      peers: [...plan.servers.keys()].filter((peer) => peer !== role),
      listenOn: (address) => parts.gateway.listenOn(role, address),
      appservice: parts.appservice,
    },
    containers: context.containers,
    startTimeoutMs: context.startTimeoutMs,
    signal: context.signal,
    progress: context.progress,
    registerProcess: (pid) => context.registry.addChild(pid),
    onUnexpectedExit: (how) => void onUnexpectedExit(how),
  });
  await parts.add(running);
  const { killable } = running.capabilities;
  parts.gateway.connect(role, {
    client: running.client,
    federation: running.federation,
    ...(killable === undefined ? {} : { kill: () => killable.kill() }),
  });
  return { role, server: running, links, identity: await probeIdentity(links), spec, logFile };
}

function factsOf({ role, identity, spec }: DeployedServer): ServerFacts {
  return { role, implementation: identity.name, version: identity.version, driver: spec.text };
}

/** `implementation@version/topology/variant`; mixed topologies name each different implementation once. */
function nameOf(plan: DeploymentPlan, servers: readonly DeployedServer[]): string {
  const names = new Set(servers.map(({ identity }) => `${identity.name}@${identity.version}`));
  const variants = new Set(
    servers.map(({ spec }) => spec.options.get("database") ?? variantOf(spec)),
  );
  return `${[...names].join("+")}/${plan.topology}/${[...variants].join("+")}`;
}

function variantOf({ substrate }: ServerSpec): string {
  return substrate === "process" ? "sqlite" : substrate;
}
