/** Which faults links have in an epoch: as many kinds as come to act beside each other. */
import type { Choice } from "#protocol/dag/choice";
import type { FaultKind, FaultStep } from "#scenarios/plan";
import { Deck } from "./deck.ts";
import type { FaultName } from "./vocabulary.ts";

/** What partitions are made of: nothing gets through. */
export const CUTTERS = [
  "refuse",
  "reset",
  "blackhole",
  "disconnect",
] as const satisfies FaultKind[];

/** What lets requests through, so that another fault of the same link comes to act as well. */
const GENTLE = ["delay", "slow-body", "duplicate", "reorder"] as const satisfies FaultKind[];

const HARSH = [
  "drop-request",
  "drop-answer",
  "status",
  "truncate",
  "wrong-certificate",
] as const satisfies FaultKind[];

export interface LinkFault {
  readonly kind: FaultKind;
  readonly link: string;
}

/** Deals faults to links, each kind once before one comes again. */
export class LinkFaults {
  readonly #kinds: Deck<FaultKind>;

  /** @param hasPartitions then they have the faults that cut */
  constructor(chosen: readonly FaultName[], hasPartitions: boolean) {
    const kinds: readonly FaultKind[] = [...(hasPartitions ? [] : CUTTERS), ...HARSH, ...GENTLE];
    this.#kinds = new Deck(kinds.filter((kind) => chosen.some((name) => name === kind)));
  }

  get isEmpty(): boolean {
    return this.#kinds.isEmpty;
  }

  /**
   * Each link has one; where there are more faults than links, some have a gentle one before it.
   *
   * @param count at most
   */
  deal(links: readonly string[], count: number, choice: Choice): readonly LinkFault[] {
    if (this.isEmpty || links.length === 0) return [];
    const ill = new Deck(links);
    const alone = Math.min(count, links.length);
    const hasSecond = count > alone;
    const first = Array.from({ length: alone }, () => ({
      kind: (hasSecond && this.#draw(choice, false)) || this.#kinds.draw(choice),
      link: ill.draw(choice),
    }));
    const second = first.slice(0, count - alone).flatMap(({ link, kind }) => {
      const other = isGentle(kind) ? undefined : this.#draw(choice, true);
      return other === undefined ? [] : [{ kind: other, link }];
    });
    return [...second, ...first];
  }

  #draw(choice: Choice, gentle: boolean): FaultKind | undefined {
    return this.#kinds.drawOf(choice, (kind) => isGentle(kind) === gentle);
  }
}

/** What there is to choose of a fault of this kind. */
export function detailsOf(kind: FaultKind, choice: Choice): Partial<FaultStep> {
  const ms = choice.pick([300, 800]);
  const status = choice.pick([429, 500, 502, 504]);
  const isHtml = choice.chance(0.5);
  if (kind === "delay") return { ms, jitter: 200 };
  if (kind === "slow-body") return { bytesPerSecond: 4000 };
  return kind === "status" ? { status, isHtml } : {};
}

function isGentle(kind: FaultKind): boolean {
  return GENTLE.some((one) => one === kind);
}
