/** The findings that are kept: of each class the smallest ones, no two that are the same but for names. */
import { RESET_CLASSES, type ResetClass } from "./classify.ts";
import { versionsOf } from "./finding-file.ts";
import type { Deed } from "./history.ts";
import type { Situation, Verdict } from "./situation.ts";

export interface Found extends Verdict {
  readonly situation: Situation;
}

export class Collection<T extends Found> {
  readonly #most: number;
  readonly #byClass = new Map<ResetClass, Map<string, T>>();

  /** @param most findings that are kept of a class */
  constructor(most: number) {
    this.#most = most;
  }

  add(found: T): void {
    const { resetClass } = found;
    const kept = this.#byClass.get(resetClass) ?? new Map<string, T>();
    const name = nameless(found);
    if (kept.has(name)) return;
    kept.set(name, found);
    const smallest = [...kept].sort(
      ([one, a], [other, b]) => weightOf(a) - weightOf(b) || (one < other ? -1 : 1),
    );
    this.#byClass.set(resetClass, new Map(smallest.slice(0, this.#most)));
  }

  /** By class, the smallest first. */
  get all(): readonly T[] {
    return RESET_CLASSES.flatMap((name) => [...(this.#byClass.get(name)?.values() ?? [])]);
  }
}

/** First by size, then by how much more there is to tell. */
function weightOf(found: Found): number {
  const { second, creation } = found.situation;
  const staleKeys = second.kind === "stale" ? second.keys.length : 0;
  return 1_000_000 * sizeOf(found) + 1_000 * staleKeys + JSON.stringify(creation).length;
}

/** Events beside the creation. */
export function sizeOf({ situation }: Found): number {
  return situation.deeds.length;
}

/** The same text for situations that differ in the names of users and in texts only. */
function nameless({ situation, resets }: Found): string {
  const { creation, deeds, second } = situation;
  const users = new Map<string, string>();
  // The founder is the first to appear; the order in which the others do is that of the deeds.
  for (const { sender, stateKey } of [...creation, ...deeds]) {
    for (const user of [sender, stateKey]) {
      if (user.startsWith("@") && !users.has(user)) users.set(user, `u${users.size}`);
    }
  }
  const keys = second.kind === "stale" ? [...second.keys].sort() : second.moment;
  const text = JSON.stringify([
    creation.map(textless),
    deeds.map(textless),
    keys,
    versionsOf(resets),
  ]);
  return text.replace(/@\w+:h\d/g, (user) => users.get(user) ?? user);
}

function textless(deed: Deed): Deed {
  const { topic, displayname, ...content } = deed.content;
  const hasText = topic !== undefined || displayname !== undefined;
  return { ...deed, content: hasText ? { ...content, hasText } : content };
}
