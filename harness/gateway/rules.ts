import { HarnessError } from "#harness/errors";
import { createRandom, type Random } from "#harness/random";
import { type LocalRule, nameMatches, PHASES, type Phase, pathMatches } from "./rule.ts";
import { Swap } from "./swap.ts";

/** What a rule is matched against: the exchange as far as it has come. */
export interface Subject {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly check: string | undefined;
  /** As `Exchange.client`. */
  readonly client?: string | undefined;
  /** Text of the request body, when a rule asked for it. */
  requestText?: string;
  status?: number;
}

interface ActiveRule extends Taken {
  fired: number;
  release: () => void;
}

/** A rule that acts now. */
export interface Taken {
  readonly rule: LocalRule;
  readonly released: Promise<void>;
  /** Of `delay`: what decides its jitter. */
  readonly random: Random;
  /** Of `reorder`. */
  readonly swap: Swap;
  /** To be called when a script has acted; every other rule has fired by being taken. */
  readonly scriptActed: () => void;
}

type Kind = LocalRule["action"]["kind"];

const OF_EXCHANGES = PHASES.filter((phase) => phase !== "link");

/** Where an action does something. */
function phasesOf(kind: Kind): readonly Phase[] {
  switch (kind) {
    case "refuse":
    case "certificate":
      return ["link"];
    case "reset":
    case "blackhole":
    case "delay":
    case "gate":
      return PHASES;
    case "reorder":
      return ["before"];
    case "slow":
    case "script":
      return ["before", "processed"];
    default:
      return OF_EXCHANGES;
  }
}

/** Rules in force. Each is held by a handle; taking the handle back tells how often it fired. */
export class RuleBook {
  readonly #active = new Map<string, ActiveRule>();
  readonly #onAdded: (id: string, rule: LocalRule) => void;
  #next = 1;

  /** @param onAdded called when a rule has come into force. */
  constructor(onAdded: (id: string, rule: LocalRule) => void = () => undefined) {
    this.#onAdded = onAdded;
  }

  get isEmpty(): boolean {
    return this.#active.size === 0;
  }

  /** @throws HarnessError BAD_USAGE for an action that does nothing in the rule's phase. */
  add(rule: LocalRule): string {
    const { kind } = rule.action;
    if (!phasesOf(kind).includes(rule.phase)) {
      throw new HarnessError("BAD_USAGE", {
        what: `the rule "${rule.name}" can not ${kind} in phase ${rule.phase}`,
        next: `phases of ${kind}: ${phasesOf(kind).join(", ")}`,
      });
    }
    const id = `r${this.#next++}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    const active: ActiveRule = {
      rule,
      fired: 0,
      release: resolve,
      released: promise,
      random: createRandom(seedOf(rule)),
      swap: new Swap(),
      scriptActed: () => active.fired++,
    };
    this.#active.set(id, active);
    this.#onAdded(id, rule);
    return id;
  }

  /** How often a rule has fired so far; undefined for an unknown handle. */
  fired(id: string): number | undefined {
    return this.#active.get(id)?.fired;
  }

  /** Of `reorder`: how many pairs it has swapped so far. Firing is holding one back, which another has to overtake. */
  swapped(id: string): number {
    return this.#active.get(id)?.swap.pairs ?? 0;
  }

  /** Lets go what a `gate` rule holds; the rule stays in force but gates no more. */
  release(id: string): void {
    this.#active.get(id)?.release();
  }

  /** Takes the rule back, releases what it held, and tells how often it fired. */
  remove(id: string): number {
    const active = this.#active.get(id);
    if (active === undefined) return 0;
    this.#active.delete(id);
    active.release();
    return active.fired;
  }

  /** True when a rule may act on this exchange in one of these phases, whatever its answer will be. */
  concerns(subject: Subject, phases: readonly Phase[]): boolean {
    for (const { rule } of this.#active.values()) {
      if (phases.includes(rule.phase) && fits(rule, subject, false)) return true;
    }
    return false;
  }

  /** Rules that act now, oldest first; each counts as fired. With a kind: only those. */
  take(subject: Subject, phase: Phase, kind?: Kind): Taken[] {
    if (this.isEmpty) return [];
    return [...this.#active.values()].filter(
      (active) =>
        active.rule.phase === phase &&
        (kind === undefined || active.rule.action.kind === kind) &&
        fires(active, subject),
    );
  }

  /** True, and counted, when this rule acts on the subject now, whatever its phase. */
  fires(id: string, subject: Subject): boolean {
    const active = this.#active.get(id);
    return active !== undefined && fires(active, subject);
  }
}

function fires(active: ActiveRule, subject: Subject): boolean {
  const { rule, fired } = active;
  if (!fits(rule, subject, true)) return false;
  if (rule.times !== undefined && fired >= rule.times) return false;
  if (rule.action.kind !== "script") active.fired++;
  return true;
}

function seedOf({ name, action }: LocalRule): number | string {
  return (action.kind === "delay" ? action.seed : undefined) ?? name;
}

function fits({ match, action }: LocalRule, subject: Subject, isComplete: boolean): boolean {
  if (match.check !== undefined && match.check !== subject.check) return false;
  if (match.client !== undefined && match.client !== subject.client) return false;
  if (match.from !== undefined && !nameMatches(match.from, subject.from)) return false;
  if (match.to !== undefined && !nameMatches(match.to, subject.to)) return false;
  if (match.method !== undefined && match.method !== subject.method) return false;
  if (match.path !== undefined && !pathMatches(match.path, subject.path)) return false;
  if (action.kind === "certificate" && subject.method !== "CONNECT") return false;
  if (!isComplete) return true;
  if (match.contains !== undefined) {
    const isThere =
      subject.query.includes(match.contains) || subject.requestText?.includes(match.contains);
    if (isThere !== true) return false;
  }
  if (match.status !== undefined) {
    const wanted: readonly number[] =
      typeof match.status === "number" ? [match.status] : match.status;
    if (subject.status === undefined || !wanted.includes(subject.status)) return false;
  }
  return true;
}
