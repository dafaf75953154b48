/** A running topology: servers, the gateway that joins them, and what was found out about them. */
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import type { Exchange } from "#harness/gateway/exchange";
import type { Gateway } from "#harness/gateway/gateway";
import type { DeploymentFacts, ServerFacts } from "#harness/results/outcome";
import type { DeployedAuth } from "./auth-services.ts";
import type { Address, AppserviceRegistration, ServerCapabilities } from "./contract.ts";
import { Parts } from "./parts.ts";
import type { DeployedServer, DeploymentContext, DeploymentPlan } from "./plan.ts";
import { probeFeatures } from "./probes.ts";
import type { DeployedRtcAuth, DeployedSfu } from "./rtc-services.ts";
import { startServer } from "./start-server.ts";
import type { Outage } from "./supervision.ts";

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

  /** The RTC authorization service of this role. */
  rtcOf(role: string): DeployedRtcAuth | undefined {
    return [...this.servers.values()].find(({ rtc }) => rtc?.role === role)?.rtc;
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

/** As `Promise.all`, but waits for those that still go on when one fails: nothing starts behind the back of the caller. */
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
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
