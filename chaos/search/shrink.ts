/** Makes a situation small while its class stays: every step is a history whose events are all allowed. */
import type { JsonObject } from "#protocol/events/event";
import { isObject } from "#protocol/events/event";
import type { ResetClass } from "./classify.ts";
import type { Deed } from "./history.ts";
import type { SecondSet, StaleKey } from "./second-sets.ts";
import { judge, type Situation, withTrueClock } from "./situation.ts";

/** Ends where no deed, and no two of them, can be left out. */
export function shrink(situation: Situation, resetClass: ResetClass): Situation {
  const holds = (smaller: Situation) => judge(smaller)?.resetClass === resetClass;
  let current = situation;
  for (;;) {
    const next = firstThat(holds, current);
    if (next === undefined) return current;
    current = next;
  }
}

function firstThat(
  holds: (situation: Situation) => boolean,
  situation: Situation,
): Situation | undefined {
  for (const smaller of [...removals(situation), ...simplifications(situation)]) {
    if (holds(smaller)) return smaller;
  }
  return undefined;
}

/** Halves, quarters and so on, single ones from the end, and any two. */
function* removals(situation: Situation): Iterable<Situation> {
  const { length } = situation.deeds;
  for (let size = length >> 1; size >= 1; size >>= 1) {
    for (let end = length; end > 0; end -= size) {
      const from = Math.max(0, end - size);
      const smaller = without(
        situation,
        Array.from({ length: end - from }, (_, at) => from + at),
      );
      if (smaller !== undefined) yield smaller;
    }
  }
  for (let one = 0; one < length; one++) {
    for (let two = one + 1; two < length; two++) {
      const smaller = without(situation, [one, two]);
      if (smaller !== undefined) yield smaller;
    }
  }
}

/** Fewer stale keys, right clocks, nobody with levels at the beginning, a public room, fewer names. */
function* simplifications(situation: Situation): Iterable<Situation> {
  const { second, deeds, creation } = situation;
  if (second.kind === "stale" && second.keys.length > 1) {
    for (const at of second.keys.keys()) {
      yield { ...situation, second: { kind: "stale", keys: second.keys.toSpliced(at, 1) } };
    }
  }
  for (const [at, deed] of deeds.entries()) {
    if (deed.isAhead) yield { ...situation, deeds: deeds.with(at, withTrueClock(deed)) };
  }
  for (const list of ["creation", "deeds"] as const) {
    for (const [at, deed] of situation[list].entries()) {
      for (const content of simplerContents(deed)) {
        yield { ...situation, [list]: situation[list].with(at, { ...deed, content }) };
      }
    }
  }
  const rule = creation.findIndex(({ type }) => type === "m.room.join_rules");
  const deed = creation[rule];
  if (deed !== undefined && deed.content.join_rule !== "public") {
    const open = { ...deed, content: { join_rule: "public" } };
    yield { ...situation, creation: creation.with(rule, open) };
  }
}

function simplerContents({ type, content }: Deed): readonly JsonObject[] {
  const { users } = content;
  if (type !== "m.room.power_levels" || !isObject(users)) return [];
  return Object.keys(users).map((user) => {
    const { [user]: _, ...others } = users;
    return { ...content, users: others };
  });
}

/** Undefined when the second set holds what goes. */
function without(situation: Situation, gone: readonly number[]): Situation | undefined {
  const { creation, deeds, second } = situation;
  const shifted = shift(second, creation.length, gone);
  if (shifted === undefined) return undefined;
  return { creation, deeds: deeds.filter((_, at) => !gone.includes(at)), second: shifted };
}

/** The same set once these deeds are left out; undefined when it holds one of them. */
export function shift(
  second: SecondSet,
  createdBy: number,
  gone: readonly number[],
): SecondSet | undefined {
  const goneBelow = (deed: number) => gone.filter((at) => at < deed).length;
  if (second.kind === "honest") {
    return { kind: "honest", moment: second.moment - goneBelow(second.moment) };
  }
  const keys: StaleKey[] = [];
  for (const [key, index] of second.keys) {
    if (index === null) keys.push([key, null]);
    else if (gone.includes(index - createdBy)) return undefined;
    else keys.push([key, index - goneBelow(index - createdBy)]);
  }
  return { kind: "stale", keys };
}
