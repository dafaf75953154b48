/** What a step of the walk comes to. */
import type { Moment } from "./facts.ts";
import type { Root } from "./roots.ts";

export interface Judged {
  /** `unknown`: the records do not tell; `skipped`: it has no place here, as federation between users of one server. */
  readonly verdict: "good" | "bad" | "unknown" | "skipped";
  readonly says: string;
  /** Ids of exchanges that show it. */
  readonly exchanges: readonly string[];
  /** Of a bad one. */
  readonly root?: Root;
}

type Shown = readonly (Pick<Moment, "id"> | undefined)[];

const ids = (shown: Shown) => shown.flatMap((one) => one?.id ?? []);

export const good = (says: string, ...shown: Shown): Judged => ({
  verdict: "good",
  says,
  exchanges: ids(shown),
});

export const unknown = (says: string, ...shown: Shown): Judged => ({
  verdict: "unknown",
  says,
  exchanges: ids(shown),
});

export const skipped = (says: string): Judged => ({ verdict: "skipped", says, exchanges: [] });

export const bad = (root: Root, says: string, ...shown: Shown): Judged => ({
  verdict: "bad",
  says,
  exchanges: ids(shown),
  root,
});

/** Epoch milliseconds as a time of day with milliseconds, UTC. */
export const clock = (at: number): string =>
  Number.isFinite(at) ? new Date(at).toISOString().slice(11, 23) : "an unknown time";
