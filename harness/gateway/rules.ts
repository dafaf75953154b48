import { nameMatches, type Phase, pathMatches, type Rule } from "./rule.ts";

/** What a rule is matched against: the exchange as far as it has come. */
export interface Subject {
  readonly from: string;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly check: string | undefined;
  /** Text of the request body, when a rule asked for it. */
  requestText?: string;
  status?: number;
}

interface ActiveRule {
  readonly id: string;
  readonly rule: Rule;
  fired: number;
  release: () => void;
  readonly released: Promise<void>;
}

/** Rules in force. Each is held by a handle; taking the handle back tells how often it fired. */
export class RuleBook {
  readonly #active = new Map<string, ActiveRule>();
  #next = 1;

  get isEmpty(): boolean {
    return this.#active.size === 0;
  }

  add(rule: Rule): string {
    const id = `r${this.#next++}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#active.set(id, { id, rule, fired: 0, release: resolve, released: promise });
    return id;
  }

  /** How often a rule has fired so far; undefined for an unknown handle. */
  fired(id: string): number | undefined {
    return this.#active.get(id)?.fired;
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

  /** Rules that act now, oldest first; each counts as fired. */
  take(subject: Subject, phase: Phase): { rule: Rule; released: Promise<void> }[] {
    const taken: { rule: Rule; released: Promise<void> }[] = [];
    for (const active of this.#active.values()) {
      if (active.rule.phase !== phase || !fits(active.rule, subject, true)) continue;
      if (active.rule.times !== undefined && active.fired >= active.rule.times) continue;
      active.fired++;
      taken.push({ rule: active.rule, released: active.released });
    }
    return taken;
  }
}

function fits({ match }: Rule, subject: Subject, isComplete: boolean): boolean {
  if (match.check !== undefined && match.check !== subject.check) return false;
  if (match.from !== undefined && !nameMatches(match.from, subject.from)) return false;
  if (match.to !== undefined && !nameMatches(match.to, subject.to)) return false;
  if (match.method !== undefined && match.method !== subject.method) return false;
  if (match.path !== undefined && !pathMatches(match.path, subject.path)) return false;
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
