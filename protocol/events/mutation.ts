/** Mutations of JSON values, for fuzzing. */

/**
 * A copy in which one value, anywhere, is another; what is not on the way there is shared.
 *
 * @param choices which entry to take on each level, of which a choice picks by its remainder; they run out, or one picks
 *   the level itself, where the replacement goes
 */
export function mutate(value: unknown, choices: readonly number[], replacement: unknown): unknown {
  const [choice, ...others] = choices;
  if (choice === undefined || typeof value !== "object" || value === null) return replacement;
  const entries = Object.entries(value);
  const picked = entries[choice % (entries.length + 1)];
  if (picked === undefined) return replacement;
  const [key, inner] = picked;
  const mutated = mutate(inner, others, replacement);
  if (!Array.isArray(value)) return { ...value, [key]: mutated };
  return value.map((entry, index) => (`${index}` === key ? mutated : entry));
}
