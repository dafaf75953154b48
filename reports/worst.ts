/** A requirement with several checks takes the worst. */
import type { Outcome } from "#harness/results/outcome";

/** A check that passed says more than one that did not apply, as `summarise` counts it. */
const WORST_FIRST: readonly Outcome[] = [
  "fail",
  "error",
  "flaky",
  "xfail",
  "xpass",
  "pass",
  "not-run",
  "skip",
];

/** Undefined of none. */
export function worstOf(outcomes: Iterable<Outcome>): Outcome | undefined {
  const seen = new Set(outcomes);
  return WORST_FIRST.find((outcome) => seen.has(outcome));
}
