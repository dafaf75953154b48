/** What differs between two runs of the same server: names that we draw, ids that it draws, times, tokens. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/[@!$#][\w.=/+%~-]{6,}(?::[\w.-]+(?::\d+)?)?/g, "<id>"],
  [/\b[\w-]{20,}\b/g, "<token>"],
  [/\b([a-z]+)-[a-z0-9]{8}\b/g, "$1-<random>"],
  [/\b[a-z]\d+(?:[-_]\d+)+\b/g, "<token>"],
  [/\b\d+(?:\.\d+)? ?(?:ms|s)\b/g, "<time>"],
  [/\b\d{5,}\b/g, "<number>"],
];
/** Long reasons quote whole answers, whose ends vary. */
const LIMIT = 200;

/** A reason without what changes from run to run, so that two can be compared. */
export function stableReason(reason: string): string {
  const stable = VOLATILE.reduce((text, [pattern, name]) => text.replace(pattern, name), reason);
  return stable.slice(0, LIMIT);
}
