/** A running topology: servers, the gateway that joins them, and what was found out about them. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import { CertificateAuthority } from "#harness/gateway/ca";
import type { Exchange } from "#harness/gateway/exchange";
import { Gateway, type ServerLinks } from "#harness/gateway/gateway";
import { Recorder } from "#harness/gateway/recorder";
import type { DeploymentFacts, ServerFacts } from "#harness/results/outcome";
import type { RunRegistry } from "#harness/runs/registry";
import type { AuthDriver } from "./auth-contract.ts";
import { accessTo, announceAuth, type DeployedAuth, startAuth } from "./auth-services.ts";
import type {
  Address,
  AppserviceRegistration,
  ContainerSettings,
  Driver,
  Feature,
  RunningServer,
  ServerCapabilities,
} from "./contract.ts";
import { type Identity, probeFeatures, probeIdentity } from "./probes.ts";
import type { RtcAuthDriver, SfuDriver } from "./rtc-contract.ts";
import {
  accessToRtc,
  announceRtc,
  type DeployedRtcAuth,
  type DeployedSfu,
  sfuAccessOf,
  startRtcAuth,
  startSfu,
} from "./rtc-services.ts";
import { type Outage, type Supervision, supervise } from "./supervision.ts";

export interface DeploymentPlan {
  /** Unique within the run: `main`, `isolated-1`. */
  readonly id: string;
  readonly topology: string;
  /** Spec of each server by role, in the topology's order. */
  readonly servers: ReadonlyMap<string, ServerSpec>;
  /** Spec of each server's auth service, by the server's role; absent: they have none. */
  readonly auth?: ReadonlyMap<string, ServerSpec>;
  /** Spec of each server's SFU, and of its RTC authorization service, by the server's role; absent: they have none. */
  readonly sfu?: ReadonlyMap<string, ServerSpec>;
  readonly rtcAuth?: ReadonlyMap<string, ServerSpec>;
  readonly features: readonly Feature[];
}

export interface DeploymentContext {
  readonly drivers: readonly Driver[];
  readonly authDrivers: readonly AuthDriver[];
  /** Absent: no SFU and no RTC authorization service is started. */
  readonly sfuDrivers?: readonly SfuDriver[];
  readonly rtcAuthDrivers?: readonly RtcAuthDriver[];
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
  readonly auth?: DeployedAuth;
  readonly sfu?: DeployedSfu;
  readonly rtc?: DeployedRtcAuth;
}

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

  /**
   * The server, or the service beside one, of this role.
   *
   * @throws HarnessError INTERNAL for a role that the deployment does not have.
   */
  component(role: string): { readonly capabilities: ServerCapabilities } {
    const services = [...this.servers.values()].flatMap(({ auth, sfu, rtc }) => [auth, sfu, rtc]);
    const service = services.find((one) => one?.role === role)?.service;
    return service ?? this.server(role).server;
  }

  /** The auth service of this role. */
  authOf(role: string): DeployedAuth | undefined {
    return [...this.servers.values()].find(({ auth }) => auth?.role === role)?.auth;
  }

  /** The SFU of this role. */
  sfuOf(role: string): DeployedSfu | undefined {
    return [...this.servers.values()].find(({ sfu }) => sfu?.role === role)?.sfu;
  }

  /** How services beside homeservers ended by themselves, of those times that had not ended by then (epoch milliseconds). */
  serviceOutages(since: number): readonly Outage[] {
    return this.#parts.serviceOutages().filter(({ to }) => to === undefined || to >= since);
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
  readonly #running: AsyncDisposable[] = [];
  readonly #serviceSupervisions: Supervision[] = [];
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

  /** @throws HarnessError INTERRUPTED when the deployment has been taken down in between; the component then is too. */
  async add(component: AsyncDisposable & { readonly role: string }): Promise<void> {
    if (this.#end === undefined) {
      this.#running.push(component);
      return;
    }
    await component[Symbol.asyncDispose]();
    throw new HarnessError("INTERRUPTED", {
      what: `${component.role} was stopped while it started`,
    });
  }

  superviseService(supervision: Supervision): Supervision {
    this.#serviceSupervisions.push(supervision);
    return supervision;
  }

  serviceOutages(): readonly Outage[] {
    return this.#serviceSupervisions.flatMap(({ outages }) => outages);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#takeDown();
    return this.#end;
  }

  async #takeDown(): Promise<void> {
    await Promise.allSettled(this.#running.map((component) => component[Symbol.asyncDispose]()));
    await this.gateway[Symbol.asyncDispose]();
    await this.recorder.close();
  }
}

/** As `Promise.all`, but waits for those that still go on when one fails: nothing starts behind the back of the caller. */
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}

/** A server and its auth service, which do not wait for each other; before it its SFU, whose address it announces. */
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
  const authSpec = plan.auth?.get(role);
  const announced =
    authSpec === undefined ? undefined : await announceAuth(parts.gateway, role, authSpec);
  const rtcSpecs = { sfu: plan.sfu?.get(role), rtcAuth: plan.rtcAuth?.get(role) };
  const announcedRtc = await announceRtc(parts.gateway, role, rtcSpecs);
  const rtcOptions = {
    ...context,
    sfuDrivers: context.sfuDrivers ?? [],
    rtcAuthDrivers: context.rtcAuthDrivers ?? [],
    deployment: plan.id,
  };
  const supervised = (service: string) => parts.superviseService(supervise(service, context));
  const sfu = await startSfu(parts.gateway, role, rtcSpecs, announcedRtc, supervised, rtcOptions);
  if (sfu !== undefined) await join(parts, sfu);
  const sfuAccess = sfuAccessOf(role, sfu);
  const logFile = path.join(context.logFolder, `${plan.id}-${role}.log`);
  const supervision = supervise(role, context);
  const startHomeserver = async () => {
    context.progress(`starting ${role} (${spec.text})`);
    const running = await driver.start({
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
      ...(announced === undefined ? {} : { auth: accessTo(announced) }),
      ...(announcedRtc === undefined ? {} : { rtc: accessToRtc(announcedRtc, sfuAccess) }),
      containers: context.containers,
      startTimeoutMs: context.startTimeoutMs,
      signal: context.signal,
      progress: context.progress,
      registerProcess: (pid) => context.registry.addChild(pid),
      onUnexpectedExit: supervision.onUnexpectedExit,
    });
    supervision.watch(running);
    await parts.add(running);
    connect(parts.gateway, role, running, running.client, running.federation);
    return running;
  };
  const startItsAuth = async () => {
    if (announced === undefined) return undefined;
    const deployed = await startAuth(announced, {
      ...context,
      drivers: context.authDrivers,
      deployment: plan.id,
      supervision: supervised(announced.role),
    });
    await join(parts, deployed);
    return deployed;
  };
  const starting = [startHomeserver(), startItsAuth()] as const;
  await Promise.allSettled(starting);
  const [running, auth] = await Promise.all(starting);
  const rtc =
    announcedRtc &&
    (await startRtcAuth(
      announcedRtc,
      {
        serverName: running.serverName,
        caFile: parts.caFile,
        access: sfuAccess,
        hasSfu: sfu !== undefined,
      },
      supervised,
      rtcOptions,
    ));
  if (rtc !== undefined) await join(parts, rtc);
  return {
    role,
    server: auth === undefined ? running : withUsersOf(running, auth),
    links,
    identity: await probeIdentity(links),
    spec,
    logFile,
    ...(auth === undefined ? {} : { auth }),
    ...(sfu === undefined ? {} : { sfu }),
    ...(rtc === undefined ? {} : { rtc }),
  };
}

/** A service that runs beside a homeserver: from now on it is reached, and taken down with the rest. */
async function join(
  parts: Parts,
  { role, service }: DeployedAuth | DeployedSfu | DeployedRtcAuth,
): Promise<void> {
  await parts.add(service);
  connect(parts.gateway, role, service, service.address, service.address);
}

function connect(
  gateway: Gateway,
  role: string,
  { capabilities: { killable } }: { readonly capabilities: ServerCapabilities },
  client: () => Address,
  federation: () => Address,
): void {
  const kill = killable === undefined ? {} : { kill: () => killable.kill() };
  gateway.connect(role, { client, federation, ...kill });
}

/** A server whose users its auth service makes: its own way to make them is shut. */
function withUsersOf(server: RunningServer, { service }: DeployedAuth): RunningServer {
  const { registersUsers: _, ...capabilities } = server.capabilities;
  const { registersUsers } = service.capabilities;
  return {
    ...server,
    capabilities: { ...capabilities, ...(registersUsers === undefined ? {} : { registersUsers }) },
  };
}

function factsOf({ role, identity, spec, auth, sfu, rtc }: DeployedServer): ServerFacts {
  return {
    role,
    implementation: identity.name,
    version: identity.version,
    driver: spec.text,
    ...(auth === undefined ? {} : { auth: auth.service.kind }),
    ...(sfu === undefined ? {} : { sfu: sfu.service.kind }),
    ...(rtc === undefined ? {} : { rtcAuth: rtc.service.kind }),
  };
}

/** `implementation@version/topology/variant`; mixed topologies name each different implementation once. */
function nameOf(plan: DeploymentPlan, servers: readonly DeployedServer[]): string {
  const names = new Set(servers.map(({ identity }) => `${identity.name}@${identity.version}`));
  const variants = new Set(
    servers.map(({ spec, auth, sfu }) =>
      [
        spec.options.get("database") ?? variantOf(spec),
        ...[auth, sfu].flatMap((service) => (service ? [service.service.kind] : [])),
      ].join("+"),
    ),
  );
  return `${[...names].join("+")}/${plan.topology}/${[...variants].join("+")}`;
}

function variantOf({ substrate }: ServerSpec): string {
  return substrate === "process" ? "sqlite" : substrate;
}
