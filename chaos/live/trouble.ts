/** What is broken now: rules in force at the gateway, and servers that do not run. */

import type { JournalWriter } from "#chaos/journal/write";
import type { Deployment } from "#harness/deployment/deployment";
import { describe, HarnessError } from "#harness/errors";
import type { FaultStep, ServerStep } from "#scenarios/plan";
import type { Cast } from "./cast.ts";
import { isCut, rulesOf } from "./fault-rules.ts";

/** How a fault did while it was in force. */
export interface FaultReport {
  readonly id: string;
  readonly fault: string;
  /** Links, or a server. */
  readonly on: readonly string[];
  readonly fired: number;
}

export type ServerCondition = "running" | "paused" | "down";

interface InForce {
  readonly step: FaultStep;
  readonly handles: readonly string[];
}

/** A server that comes back slower is trouble. */
const START_MS = 60_000;
const POLL_MS = 50;

export class Trouble {
  readonly #deployment: Deployment;
  readonly #cast: Cast;
  readonly #journal: JournalWriter;
  readonly #inForce = new Map<string, InForce>();
  readonly #conditions = new Map<string, ServerCondition>();
  readonly reports: FaultReport[] = [];
  /** What could not be done here, one line each. */
  readonly skipped: string[] = [];

  constructor(deployment: Deployment, cast: Cast, journal: JournalWriter) {
    this.#deployment = deployment;
    this.#cast = cast;
    this.#journal = journal;
  }

  condition(role: string): ServerCondition {
    return this.#conditions.get(role) ?? "running";
  }

  get faultsInForce(): readonly FaultStep[] {
    return [...this.#inForce.values()].map(({ step }) => step);
  }

  /** True when nothing of what one server sends reaches the other. */
  isCut(from: string, to: string): boolean {
    const link = `${from}>${to}`;
    return this.faultsInForce.some((step) => isCut(step) && step.links.includes(link));
  }

  start(step: FaultStep): void {
    const rules = rulesOf(step);
    if (rules === undefined) {
      this.#skip(`${step.id}: no ${step.fault} on this deployment`);
      return;
    }
    const handles = rules.map((rule) => this.#deployment.gateway.rules.add(rule));
    this.#inForce.set(step.id, { step, handles });
    this.#journal.write({
      t: "fault",
      id: step.id,
      kind: kindOf(step),
      name: step.title ?? `${step.fault} ${step.links.join(", ")}`,
      links: this.#linksOf(step),
      value: step.fault,
    });
  }

  heal(which: readonly string[] | "all"): void {
    const ids = which === "all" ? [...this.#inForce.keys()] : which;
    for (const id of ids) {
      const found = this.#inForce.get(id);
      if (found === undefined) continue;
      this.#inForce.delete(id);
      const { step, handles } = found;
      const fired = handles
        .map((handle) => this.#deployment.gateway.rules.remove(handle))
        .reduce((sum, count) => sum + count, 0);
      this.reports.push({ id, fault: step.fault, on: step.links, fired });
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

  /** @throws HarnessError HS_DID_NOT_START when a server does not come back */
  async act({ server: role, action }: ServerStep): Promise<void> {
    const condition = this.condition(role);
    const act = this.#actionOf(role, action, condition);
    if (act === undefined) return this.#skip(`${role} can not be asked to ${action}`);
    this.#tell(role, action);
    const fault = this.faultsInForce.some(isCut) ? `${action}-in-split` : action;
    this.reports.push({ id: `${role}-${action}`, fault, on: [role], fired: 1 });
    try {
      await act();
    } catch (error) {
      if (action !== "start" && action !== "restart" && action !== "resume") throw error;
      throw new HarnessError("HS_DID_NOT_START", {
        what: `${role} did not come back after ${action}: ${describe(error)}`,
        next: "see the server's log",
        cause: error,
      });
    }
    this.#conditions.set(role, afterwards(action, condition));
  }

  /** Ends all faults, and lets all servers run. */
  async endAll(): Promise<void> {
    this.heal("all");
    await this.wakeAll();
  }

  /** Lets all servers run, and waits until they answer. */
  async wakeAll(): Promise<void> {
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
      const answer = await actor.session
        .request("GET", "/_matrix/client/versions", { timeoutMs: 2_000 })
        .catch((error: unknown) => {
          if (error instanceof HarnessError && error.code !== "HS_NO_ANSWER") throw error;
          return undefined;
        });
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

  #actionOf(
    role: string,
    action: ServerStep["action"],
    condition: ServerCondition,
  ): (() => Promise<void>) | undefined {
    const { killable, pausable, restartable } = this.#deployment.server(role).server.capabilities;
    const nothing = async () => undefined;
    switch (action) {
      case "pause":
        if (condition !== "running") return nothing;
        return pausable && (() => pausable.pause());
      case "resume":
        if (condition !== "paused") return nothing;
        return pausable && (() => pausable.resume());
      case "kill":
        if (condition === "down") return nothing;
        return restartable && killable && (() => killable.kill());
      case "start":
        if (condition === "running") return nothing;
        return restartable && (() => restartable.restart());
      case "restart":
        return (
          restartable &&
          (async () => {
            // A process that stands still does not hear that it is to stop.
            if (condition === "paused") await pausable?.resume();
            await restartable.restart();
          })
        );
      default:
        return undefined;
    }
  }

  #tell(role: string, action: ServerStep["action"]): void {
    const kind = (
      { kill: "kill", stop: "stop", pause: "stop", start: "start", resume: "start" } as const
    )[action as string];
    this.#journal.write({
      t: "fault",
      id: `${role}-${action}`,
      kind: kind ?? "custom",
      name: `${action} ${role}`,
      servers: [this.#cast.serverName(role)],
      value: action,
    });
  }

  #skip(text: string): void {
    this.skipped.push(text);
    this.#journal.write({ t: "note", text: `skipped: ${text}` });
  }

  #linksOf({ links }: FaultStep): readonly (readonly [string, string])[] {
    return links.map((link) => {
      const [from = "", to = ""] = link.split(">");
      return [this.#cast.serverName(from), this.#cast.serverName(to)] as const;
    });
  }
}

function kindOf(step: FaultStep): "netsplit" | "delay" | "drop" | "custom" {
  if (isCut(step)) return "netsplit";
  if (step.fault === "delay" || step.fault === "slow-body") return "delay";
  return step.fault.startsWith("drop") ? "drop" : "custom";
}

function afterwards(action: ServerStep["action"], before: ServerCondition): ServerCondition {
  if (action === "pause") return before === "running" ? "paused" : before;
  if (action === "kill" || action === "stop") return "down";
  if (action === "resume") return before === "paused" ? "running" : before;
  return action === "start" || action === "restart" ? "running" : before;
}
