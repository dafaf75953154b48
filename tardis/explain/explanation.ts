/** What is told of one key of the state: why it has the value it has. */

export interface Sentence {
  readonly text: string;
  /** Ids of the events that it is about, to be shown beside it. */
  readonly events: readonly string[];
  /** It is about the key that was asked for. */
  readonly isOfKey: boolean;
}

export type StepKind =
  | "inputs"
  | "conflicts"
  | "auth-difference"
  | "subgraph"
  | "full-conflicted-set"
  | "power-events"
  | "power-order"
  | "power-checks"
  | "mainline-order"
  | "ordinary-checks"
  | "depth-order"
  | "result";

export interface Step {
  readonly kind: StepKind;
  readonly title: string;
  readonly sentences: readonly Sentence[];
}

export interface Explanation {
  readonly roomVersion: string;
  readonly algorithm: "v1" | "v2" | "v2.1";
  /** Ids of the events after which the state was asked for. */
  readonly at: readonly string[];
  readonly key: string;
  /** Event id, or null for none. */
  readonly value: string | null;
  /** What it comes down to, in a few sentences. */
  readonly verdict: readonly Sentence[];
  /** Of the resolution that decided; none when no branches met. */
  readonly steps: readonly Step[];
}

/** Collects the sentences of steps; those that say nothing are left out. */
export class StepWriter {
  readonly steps: Step[] = [];
  readonly #ofKey: ReadonlySet<string>;

  /** @param ofKey ids of the events that are candidates for the key */
  constructor(ofKey: ReadonlySet<string>) {
    this.#ofKey = ofKey;
  }

  /** An event of the key at the head of `events` makes the sentence one of the key. */
  sentence(text: string, events: readonly string[]): Sentence {
    const [first] = events;
    return { text, events, isOfKey: first !== undefined && this.#ofKey.has(first) };
  }

  step(kind: StepKind, title: string, sentences: readonly Sentence[]): void {
    if (sentences.length > 0) this.steps.push({ kind, title, sentences });
  }
}
