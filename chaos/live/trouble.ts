/** What is broken now: rules in force at the gateway, and servers that do not run. */

import { inSplit, isCut, isInSplit, kindOfFault, ofAuth } from "#chaos/generate/kinds";
import type { JournalWriter } from "#chaos/journal/write";
import { actionOn, type ServerAction } from "#harness/deployment/actions";
import type { Deployment } from "#harness/deployment/deployment";
import { describe, HarnessError } from "#harness/errors";
import { type FaultStep, isAuthRole, type ServerStep } from "#scenarios/plan";
import { isByHand } from "./by-hand.ts";
import type { Cast } from "./cast.ts";
import { rulesOf } from "./fault-rules.ts";
import { unlessSilent } from "./silence.ts";

/** How a fault did while it was in force. */
export interface FaultReport {
  readonly id: string;
  readonly fault: string;
  /** Links, or a server. */
  readonly on: readonly string[];
  readonly fired: number;
}

/** What a deployment can not do. */
export interface Skipped {
  readonly fault: string;
  /** One line. */
  readonly text: string;
}

type ProcessCondition = "running" | "paused" | "down";
/** `full`: it runs, and its disk is full. */
export type ServerCondition = ProcessCondition | "full";

/** A fault that has begun. */
interface InForce {
  readonly step: FaultStep;
  /** How often it has acted. */
  readonly fired: () => number;
  /** Ends it; tells how often it acted. */
  readonly end: () => Promise<number>;
}

type Begun = Omit<InForce, "step">;

/** A server that comes back slower is trouble. */
const START_MS = 60_000;
const POLL_MS = 50;

export class Trouble {
  readonly #deployment: Deployment;
  readonly #cast: Cast;
  readonly #journal: JournalWriter;
  readonly #inForce = new Map<string, InForce>();
  readonly #conditions = new Map<string, ProcessCondition>();
  /** Whose disk is full, whatever else happens to them. */
  readonly #full = new Set<string>();
  readonly reports: FaultReport[] = [];
  /** What could not be done here. */
  readonly skipped: Skipped[] = [];

  constructor(deployment: Deployment, cast: Cast, journal: JournalWriter) {
    this.#deployment = deployment;
    this.#cast = cast;
    this.#journal = journal;
  }

  #processOf(role: string): ProcessCondition {
    return this.#conditions.get(role) ?? "running";
  }

  condition(role: string): ServerCondition {
    const now = this.#processOf(role);
    return now === "running" && this.#full.has(role) ? "full" : now;
  }

  get faultsInForce(): readonly FaultStep[] {
    return [...this.#inForce.values()].map(({ step }) => step);
  }

  /** True when nothing of what one server sends reaches the other. */
  isCut(from: string, to: string): boolean {
    const link = `${from}>${to}`;
    return this.faultsInForce.some((step) => isCut(step) && step.links.includes(link));
  }

  async start(step: FaultStep): Promise<void> {
    const begun = step.fault === "disconnect" ? await this.#disconnect(step) : this.#addRules(step);
    if (begun === undefined) {
      this.#skip(
        step.fault,
        `${step.id}: no ${step.fault} of ${step.links.join(", ")} on this deployment`,
      );
      return;
    }
    this.#inForce.set(step.id, { step, ...begun });
    this.#journal.write({
      t: "fault",
      id: step.id,
      kind: kindOf(step),
      name: step.title ?? `${step.fault} ${step.links.join(", ")}`,
      links: this.#linksOf(step),
      value: step.fault,
    });
  }

  async heal(which: readonly string[] | "all"): Promise<void> {
    const ids = which === "all" ? [...this.#inForce.keys()] : which;
    for (const id of ids) {
      const found = this.#inForce.get(id);
      if (found === undefined) continue;
      this.#inForce.delete(id);
      const { step, end } = found;
      const fired = await end();
      if (step.fault === "kill-caller" && fired > 0) await this.#bringBack(step);
      const kind = kindOfFault(step);
      const fault = isByHand(step) ? byHand(kind) : kind;
      this.reports.push({ id, fault, on: step.links, fired });
      this.#journal.write({
        t: "fault",
        id,
        kind: "heal",
        name: `heal ${step.title ?? id}`,
        links: this.#linksOf(step),
        value: step.fault,
        fired,
      });
    }
  }

  /** Those who died as they called. */
  async #bringBack({ links }: FaultStep): Promise<void> {
    for (const role of new Set(links.map((link) => link.split(">")[0] ?? ""))) {
      if (this.#processOf(role) === "running") this.#conditions.set(role, "down");
      await this.act({ server: role, action: "start" });
    }
  }

  /** Faults that have not acted yet. */
  get idle(): readonly FaultStep[] {
    return [...this.#inForce.values()].flatMap(({ step, fired }) => (fired() === 0 ? [step] : []));
  }

  #addRules(step: FaultStep): Begun | undefined {
    const { rules } = this.#deployment.gateway;
    const handles = rulesOf(step)?.map((rule) => rules.add(rule));
    if (handles === undefined) return undefined;
    const acted = (handle: string) =>
      step.fault === "reorder" ? rules.swapped(handle) : (rules.fired(handle) ?? 0);
    const fired = () => handles.reduce((all, handle) => all + acted(handle), 0);
    return {
      fired,
      end: async () => {
        const times = fired();
        for (const handle of handles) rules.remove(handle);
        return times;
      },
    };
  }

  /** Below HTTP only a whole server can be cut off: the one that every link has. */
  async #disconnect({ links }: FaultStep): Promise<Begun | undefined> {
    const role = links[0]?.split(">").find((end) => links.every((link) => link.includes(end)));
    if (role === undefined) return undefined;
    const { server } = this.#deployment.server(role);
    const [leave, back] = [actionOn(server, "disconnect"), actionOn(server, "reconnect")];
    if (leave === undefined || back === undefined) return undefined;
    await leave();
    return {
      fired: () => 1,
      end: async () => {
        await back();
        return 1;
      },
    };
  }

  /** @throws HarnessError HS_DID_NOT_START when a server does not come back */
  async act({ server: role, action }: ServerStep, who: "plan" | "person" = "plan"): Promise<void> {
    const condition = this.#processOf(role);
    const isIdle = this.#isSo(role, action, condition);
    const act = this.#actionOf(role, action, condition);
    const own = isAuthRole(role) ? ofAuth(action) : action;
    if (!isIdle && act === undefined)
      return this.#skip(own, `${role} can not be asked to ${action}`);
    this.#tell(role, action, who === "person" ? byHand(`${action} ${role}`) : `${action} ${role}`);
    const isCutOff = isInSplit(role, this.faultsInForce);
    const kind = isCutOff && !isAuthRole(role) ? inSplit(action) : own;
    const fault = who === "person" ? byHand(kind) : kind;
    this.reports.push({ id: `${role}-${action}`, fault, on: [role], fired: isIdle ? 0 : 1 });
    if (isIdle) return;
    try {
      await act?.();
    } catch (error) {
      if (action !== "start" && action !== "restart" && action !== "resume") throw error;
      throw new HarnessError("HS_DID_NOT_START", {
        what: `${role} did not come back after ${action}: ${describe(error)}`,
        next: "see the server's log",
        cause: error,
      });
    }
    this.#conditions.set(role, afterwards(action, condition));
    if (action === "fill-disk") this.#full.add(role);
    if (action === "free-disk") this.#full.delete(role);
  }

  /** Ends all faults, and lets all servers run. */
  async endAll(): Promise<void> {
    await this.heal("all");
    await this.wakeAll();
  }

  /** Lets all servers run, and waits until they answer. */
  async wakeAll(): Promise<void> {
    for (const role of this.#full) await this.act({ server: role, action: "free-disk" });
    for (const [role, condition] of this.#conditions) {
      if (condition === "paused") await this.act({ server: role, action: "resume" });
      if (condition === "down") await this.act({ server: role, action: "start" });
    }
    await Promise.all([...this.#deployment.servers.keys()].map((role) => this.#answers(role)));
  }

  async #answers(role: string): Promise<void> {
    const [actor] = this.#cast.on(role);
    const deadline = Date.now() + START_MS;
    while (actor !== undefined) {
      const answer = await unlessSilent(
        actor.session.request("GET", "/_matrix/client/versions", { timeoutMs: 2_000 }),
      );
      if (answer?.status === 200) return;
      if (Date.now() > deadline) {
        throw new HarnessError("HS_DID_NOT_START", {
          what: `${role} does not answer again`,
          facts: [`${START_MS / 1000} s after all faults had ended`],
          next: "see the server's log",
        });
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** True when there is nothing to do. */
  #isSo(role: string, action: ServerStep["action"], condition: ProcessCondition): boolean {
    return (
      (action === "pause" && condition !== "running") ||
      (action === "resume" && condition !== "paused") ||
      (action === "start" && condition === "running") ||
      (["kill", "stop"].includes(action) && condition === "down") ||
      (action === "free-disk" && !this.#full.has(role))
    );
  }

  #actionOf(
    role: string,
    action: ServerStep["action"],
    condition: ProcessCondition,
  ): (() => Promise<void>) | undefined {
    const server = this.#deployment.component(role);
    const does = (name: ServerAction) => actionOn(server, name);
    const start = does("start") ?? does("restart");
    if (action === "start") return start;
    // What does not come back is not taken down.
    if (start === undefined && ["kill", "stop"].includes(action)) return undefined;
    const act = does(action);
    const isDeaf = condition === "paused" && ["stop", "restart"].includes(action);
    if (act === undefined || !isDeaf) return act;
    return async () => {
      // A process that stands still does not hear that it is to stop.
      await does("resume")?.();
      await act();
    };
  }

  #tell(role: string, action: ServerStep["action"], name: string): void {
    const kind = (
      { kill: "kill", stop: "stop", pause: "stop", start: "start", resume: "start" } as const
    )[action as string];
    this.#journal.write({
      t: "fault",
      id: `${role}-${action}`,
      kind: kind ?? "custom",
      name,
      servers: [this.#cast.serverName(role)],
      value: action,
    });
  }

  #skip(fault: string, text: string): void {
    this.skipped.push({ fault, text });
    this.#journal.write({ t: "note", text: `skipped: ${text}` });
  }

  #linksOf({ links }: FaultStep): readonly (readonly [string, string])[] {
    return links.map((link) => {
      const [from = "", to = ""] = link.split(">");
      return [this.#cast.serverName(from), this.#cast.serverName(to)] as const;
    });
  }
}

/** Such faults are none of those that a run has promised. */
function byHand(what: string): string {
  return `${what} by hand`;
}

function kindOf(step: FaultStep): "netsplit" | "delay" | "drop" | "custom" {
  if (isCut(step)) return "netsplit";
  if (step.fault === "delay" || step.fault === "slow-body") return "delay";
  return step.fault.startsWith("drop") ? "drop" : "custom";
}

function afterwards(action: ServerStep["action"], before: ProcessCondition): ProcessCondition {
  if (action === "pause") return before === "running" ? "paused" : before;
  if (action === "kill" || action === "stop") return "down";
  if (action === "resume") return before === "paused" ? "running" : before;
  return action === "start" || action === "restart" ? "running" : before;
}
