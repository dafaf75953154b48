/** Outcomes as a reader sees them: shape and word, and a colour that is never needed. */
import type { Outcome } from "#harness/results/outcome";
import { ABSENT, LETTERS } from "./data.ts";

export interface Mark {
  readonly shape: string;
  readonly word: string;
  readonly tone: "pass" | "fail" | "warn" | "mute";
}

export const MARKS: Readonly<Record<Outcome, Mark>> = {
  pass: { shape: "●", word: "pass", tone: "pass" },
  fail: { shape: "✕", word: "fail", tone: "fail" },
  xfail: { shape: "◐", word: "expected failure", tone: "warn" },
  xpass: { shape: "◆", word: "unexpected pass", tone: "warn" },
  flaky: { shape: "◇", word: "flaky", tone: "warn" },
  error: { shape: "▲", word: "error, ours", tone: "warn" },
  skip: { shape: "○", word: "does not apply", tone: "mute" },
  "not-run": { shape: "□", word: "not run", tone: "mute" },
};

const NONE: Mark = { shape: "·", word: "no check", tone: "mute" };
const BY_LETTER = new Map(
  Object.entries(LETTERS).map(([outcome, letter]) => [letter, outcome as Outcome]),
);

export function outcomeOf(letter: string): Outcome | undefined {
  return BY_LETTER.get(letter);
}

export function markOf(letter: string): Mark {
  const outcome = letter === ABSENT ? undefined : outcomeOf(letter);
  return outcome === undefined ? NONE : MARKS[outcome];
}
