/** Why one candidate of a key is not its value, in a sentence, out of the trace of the resolution. */
import type { ResolutionStep } from "#protocol/state/trace";
import { levelText, V1_AUTH_TYPES } from "./steps.ts";
import type { Wording } from "./wording.ts";

type Check = Extract<ResolutionStep, { kind: "check" }>;
type Pick = Extract<ResolutionStep, { kind: "pick" }>;
type Placed = Extract<ResolutionStep, { kind: "mainline-order" }>["events"][number];

export class Losers {
  readonly #words: Wording;
  readonly #checks: readonly Check[];
  readonly #picks: readonly Pick[];
  readonly #placed: readonly Placed[];
  readonly #order: readonly string[];

  /** @param key whose candidates are asked about, for version 1 */
  constructor(words: Wording, trace: readonly ResolutionStep[], key: readonly [string, string]) {
    this.#words = words;
    this.#checks = trace.filter((step) => step.kind === "check");
    this.#picks = trace.filter((step) => step.kind === "pick");
    this.#placed = trace.flatMap((step) => (step.kind === "mainline-order" ? step.events : []));
    const own = trace.find(
      (step) =>
        step.kind === "depth-order" && step.key.type === key[0] && step.key.stateKey === key[1],
    );
    const ids = own?.kind === "depth-order" ? own.ids : [];
    // In the order in which they are looked at.
    this.#order = V1_AUTH_TYPES.has(key[0]) ? ids : ids.toReversed();
  }

  /** @param winner undefined: the key has no value */
  why(loser: string, winner: string | undefined): string {
    const own = this.#words.event(loser);
    const check = this.#checks.findLast(({ id }) => id === loser);
    if (check?.rejection !== undefined) {
      const { rule, why } = check.rejection;
      return `${own} lost, since the rule ${rule} refused it: ${why}.`;
    }
    if (winner === undefined) return `${own} lost.`;
    if (this.#order.length > 0) return `${own} lost: ${this.#byDepth(loser, winner)}.`;
    if (check === undefined) {
      return `${own} lost: it was rejected when it came, and is never admitted.`;
    }
    return `${own} was allowed, and then replaced: ${this.#later(loser, winner)}.`;
  }

  #byDepth(loser: string, winner: string): string {
    const [lost, won] = [this.#order.indexOf(loser), this.#order.indexOf(winner)];
    const isAuth = this.#checks.length > 0 && lost < won;
    if (isAuth)
      return `${this.#words.event(winner)} is looked at after it, and allowed on top of it`;
    const first = this.#words.event(winner);
    return `it comes after ${first} in the order by depth and SHA-1, and was not looked at any more`;
  }

  /** Why the one that won came later in the order: what comes last stays. */
  #later(loser: string, winner: string): string {
    const [lost, won] = [loser, winner].map((id) => this.#picks.find((pick) => pick.id === id));
    const other = this.#words.event(winner);
    if (lost !== undefined && won !== undefined) return this.#byPower(lost, won, other);
    if (lost !== undefined) return `power events are decided first, and ${other} is none`;
    const [before, after] = [loser, winner].map((id) => this.#placed.find((one) => one.id === id));
    if (before === undefined || after === undefined) return `${other} is decided later`;
    if (before.position !== after.position) {
      return (
        `by mainline ordering ${other} comes later, since it builds on newer power levels ` +
        `(number ${after.position} of the mainline, against ${before.position})`
      );
    }
    const both =
      after.position === 0
        ? "no power levels of the mainline order them"
        : "both build on the same power levels";
    if (before.originServerTs !== after.originServerTs) {
      return (
        `${both}, and ${other} has the later time ` +
        `(${after.originServerTs}, against ${before.originServerTs})`
      );
    }
    return `${both}, both have the same time, and ${other} has the larger event id`;
  }

  #byPower(lost: Pick, won: Pick, other: string): string {
    const order = "by reverse topological power ordering";
    if (lost.level > won.level) {
      return (
        `${order} the sender with more power goes first, and ${other} comes later ` +
        `(${levelText(won.level)}, against ${levelText(lost.level)})`
      );
    }
    const isTie = lost.level === won.level;
    if (isTie && lost.originServerTs < won.originServerTs) {
      return (
        `${order}, at equal power, the later time comes last, and that is ${other} ` +
        `(${won.originServerTs}, against ${lost.originServerTs})`
      );
    }
    if (isTie && lost.originServerTs === won.originServerTs && lost.id < won.id) {
      return `${order}, at equal power and time, the larger event id comes last, and that is ${other}`;
    }
    return `${order} ${other} comes later, since it has to wait for what it cites`;
  }
}
