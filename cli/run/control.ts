/** What checks may ask of the command that holds servers and gateways. */
import { actionOn } from "#harness/deployment/actions";
import { Deployment } from "#harness/deployment/deployment";
import type { DeploymentContext, DeploymentPlan } from "#harness/deployment/plan";
import { registerUser } from "#harness/deployment/register";
import { HarnessError } from "#harness/errors";
import type { Control } from "#harness/world/control";
import { type DeploymentInfo, serverInfo } from "#harness/world/run-info";
import { Places } from "./places.ts";
import type { Recordings } from "./recordings.ts";

/** Servers of isolated deployments at the same time; more would fight for two cores. */
const MAX_ISOLATED_SERVERS = 4;

export interface PoolContext extends DeploymentContext {
  /** Without them no rooms are kept. */
  readonly recordings?: Recordings;
}

export class DeploymentPool implements AsyncDisposable {
  readonly #plan: DeploymentPlan;
  readonly #context: DeploymentContext;
  readonly #recordings: Recordings | undefined;
  readonly #running = new Map<string, Deployment>();
  readonly #starting = new Set<Promise<Deployment>>();
  #end: Promise<void> | undefined;
  /** How servers ended by themselves, by deployment and role: told beside their logs, which often end without a word. */
  readonly #deaths = new Map<string, string[]>();
  readonly #places = new Places(MAX_ISOLATED_SERVERS);
  #count = 0;

  constructor(plan: DeploymentPlan, { recordings, ...context }: PoolContext) {
    this.#plan = plan;
    this.#context = context;
    this.#recordings = recordings;
  }

  async startMain(): Promise<Deployment> {
    return await this.#start(this.#plan);
  }

  get control(): Control {
    const find = (id: string) => {
      const deployment = this.#running.get(id);
      if (deployment === undefined)
        throw new HarnessError("INTERNAL", { what: `no deployment ${id} is running` });
      return deployment;
    };
    return {
      register: (id, role, localpart, password, isAdmin) =>
        registerUser(find(id).server(role).server, localpart, password, { admin: isAdmin }),
      addRule: async (id, rule) => find(id).gateway.rules.add(rule),
      ruleFired: async (id, rule) => find(id).gateway.rules.fired(rule) ?? 0,
      releaseRule: async (id, rule) => find(id).gateway.rules.release(rule),
      removeRule: async (id, rule) => find(id).gateway.rules.remove(rule),
      actOnServer: async (id, role, action) => {
        const act = actionOn(find(id).component(role), action);
        if (act === undefined)
          throw new HarnessError("INTERNAL", { what: `${role} can not be asked to ${action}` });
        await act();
      },
      restartWith: async (id, role, setting) => {
        const { restartsWith } = find(id).server(role).server.capabilities;
        if (restartsWith === undefined)
          throw new HarnessError("INTERNAL", { what: `${role} can not be started with settings` });
        return (await restartsWith.restartWith(setting)) ?? null;
      },
      makeAccount: async (id, role, localpart, adminToken) => {
        const { makesAccounts } = find(id).server(role).server.capabilities;
        if (makesAccounts === undefined)
          throw new HarnessError("INTERNAL", { what: `${role} can not be asked for accounts` });
        return await makesAccounts.makeAccount(localpart, adminToken);
      },
      administer: async (id, role, capability, method, parameters) => {
        const abilities = find(id).server(role).server.capabilities[capability];
        await callOn(abilities, method, parameters, `${role} can not be asked for ${capability}`);
      },
      askAuth: (id, role, capability, method, parameters) =>
        callOn(
          find(id).authOf(role)?.service.capabilities[capability],
          method,
          parameters,
          `${role} can not be asked for ${capability}`,
        ),
      askSfu: (id, role, method, parameters) => askSfu(find(id), role, method, parameters),
      startRtcBare: async (id, role) => {
        const { startsBare } = find(id).rtcOf(role)?.service.capabilities ?? {};
        if (startsBare === undefined)
          throw new HarnessError("INTERNAL", { what: `${role} can not be started so` });
        return await startsBare.startBare();
      },
      serviceOutages: async (id, since) =>
        find(id)
          .serviceOutages(since)
          .map(({ role, how }) => `${role} ended by itself: ${how}`),
      serverLog: async (id, role, lines) => [
        ...((await find(id).component(role).capabilities.hasLogs?.tail(lines)) ?? []),
        ...(this.#deaths.get(`${id} ${role}`) ?? []),
      ],
      cpuMs: async (id, role) =>
        (await find(id).server(role).server.capabilities.usesCpu?.cpuMs()) ?? null,
      setAppservice: async (id, port) =>
        find(id).setAppserviceUpstream(port === null ? undefined : { host: "127.0.0.1", port }),
      addPeer: async (id, name, port, check) => {
        const { gateway, ca } = find(id);
        return { proxyPort: await gateway.addPeer(name, { host: "127.0.0.1", port }, check), ca };
      },
      removePeer: async (id, name) => await this.#running.get(id)?.gateway.removePeer(name),
      recordCheck: async (evidence) => {
        const deployment = find(evidence.deployment);
        const recordings = this.#recordings;
        if (recordings !== undefined) return recordings.add(evidence, deployment) ?? null;
        throw new HarnessError("INTERNAL", { what: "this command keeps no rooms" });
      },
      roomForIsolated: (needs) => this.#places.take(isolatedPlan(this.#plan, needs).servers.size),
      startIsolated: async (features, needs) => {
        const plan = isolatedPlan(this.#plan, needs);
        try {
          const deployment = await this.#start({
            ...plan,
            id: `isolated-${++this.#count}`,
            features: [...new Set([...this.#plan.features, ...features])],
          });
          return describeDeployment(deployment);
        } catch (error) {
          this.#places.giveBack(plan.servers.size);
          throw error;
        }
      },
      stopIsolated: async (id) => {
        const deployment = this.#running.get(id);
        if (deployment === undefined || id === this.#plan.id) return;
        this.#running.delete(id);
        await deployment[Symbol.asyncDispose]();
        this.#places.giveBack(deployment.servers.size);
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#stopAll();
    return this.#end;
  }

  async #stopAll(): Promise<void> {
    await Promise.allSettled(this.#starting);
    const running = [...this.#running.values()];
    await Promise.allSettled(running.map((deployment) => deployment[Symbol.asyncDispose]()));
  }

  async #start(plan: DeploymentPlan): Promise<Deployment> {
    const starting = Deployment.start(plan, {
      ...this.#context,
      onDeath: (role, how, tail) => {
        const key = `${plan.id} ${role}`;
        this.#deaths.set(key, [...(this.#deaths.get(key) ?? []), `(it ended by itself: ${how})`]);
        this.#context.onDeath(role, how, tail);
      },
    });
    this.#starting.add(starting);
    try {
      const deployment = await starting;
      this.#running.set(plan.id, deployment);
      return deployment;
    } finally {
      this.#starting.delete(starting);
    }
  }
}

const OF_SFUS = /^(sfu|media)(:|$)/;
const OF_RTC_SERVICES = /^(sfu|media|(two-)?rtc-[a-z]+)(:|$)/;

/** The part of a deployment that a requirement with these needs is checked on; null: the whole. */
export function isolatedPlan(
  plan: DeploymentPlan,
  needs: readonly string[] | null,
): DeploymentPlan {
  if (needs === null) return plan;
  const { sfu, rtcAuth, ...servers } = plan;
  const asks = (pattern: RegExp) => needs.some((need) => pattern.test(need));
  return {
    ...servers,
    ...(needs.includes("federation")
      ? {}
      : { topology: "one", servers: new Map([...plan.servers].slice(0, 1)) }),
    ...(sfu !== undefined && asks(OF_SFUS) ? { sfu } : {}),
    ...(rtcAuth !== undefined && asks(OF_RTC_SERVICES) ? { rtcAuth } : {}),
  };
}

/** A deployment as checks see it: plain data. */
export function describeDeployment(deployment: Deployment): DeploymentInfo {
  const { id, asToken, hsToken, senderLocalpart, prefix } = deployment.appservice;
  return {
    id: deployment.id,
    name: deployment.facts.name,
    topology: deployment.facts.topology,
    isUniform: new Set([...deployment.servers.values()].map(({ spec }) => spec.text)).size === 1,
    features: [...deployment.features].sort(),
    appservice: { id, asToken, hsToken, senderLocalpart, prefix },
    servers: [...deployment.servers.values()].map(serverInfo),
  };
}

/** Calls a method by its name, which came over the line, of an ability that may be missing. @param refusal told then */
async function callOn(
  abilities: object | undefined,
  method: string,
  parameters: readonly unknown[],
  refusal: string,
): Promise<unknown> {
  const asked = (abilities as Record<string, unknown> | undefined)?.[method];
  if (typeof asked !== "function")
    throw new HarnessError("INTERNAL", { what: `${refusal} (${method})` });
  return await asked.apply(abilities, parameters);
}

async function askSfu(
  deployment: Deployment,
  role: string,
  method: "access" | "rooms" | "participants",
  [room = ""]: readonly string[],
): Promise<unknown> {
  const service = deployment.sfuOf(role)?.service;
  if (service === undefined)
    throw new HarnessError("INTERNAL", { what: `this deployment has no SFU ${role}` });
  const { showsRooms } = service.capabilities;
  if (method === "access") return service.access;
  return await (method === "rooms" ? showsRooms?.rooms() : showsRooms?.participants(room));
}
