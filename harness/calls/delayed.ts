/** Delayed events: when each is due, how restarts put that off, and how it ended. */
import { isDeepStrictEqual } from "node:util";
import type { Delayed, DelayedEnd } from "#harness/results/call-timeline";
import type { CallFact } from "./facts.ts";
import { type Owner, type Owners, short } from "./lanes.ts";

type Scheduled = Extract<CallFact, { kind: "scheduled" }>;
type Acted = Extract<CallFact, { kind: "acted" | "delegated" }>;
export type Seen = Extract<CallFact, { kind: "seen" }>;

/** Clocks of servers are those of this machine; their answers take a moment. */
const SKEW_MS = 1_000;

export interface Found {
  readonly owner: Owner;
  readonly scheduled: Scheduled;
  readonly delayed: Delayed;
  /** The event that came of it. */
  readonly event: Seen | undefined;
}

/**
 * @param shown each event once, without those that clients sent themselves, in the order of their times
 * @param roleOf role of a place
 */
export function delayedOf(
  facts: readonly CallFact[],
  shown: readonly Seen[],
  owners: Owners,
  to: number,
  roleOf: (place: string) => string,
): readonly Found[] {
  const acts = Map.groupBy(
    facts.filter((fact): fact is Acted => fact.kind === "acted" || fact.kind === "delegated"),
    ({ id }) => id,
  );
  const taken = new Set<Seen>();
  const scheduled = facts.filter((fact): fact is Scheduled => fact.kind === "scheduled");
  const planned = scheduled
    .map((one) => ({ one, ...planOf(one, acts.get(one.id) ?? [], roleOf) }))
    .toSorted((a, b) => a.due - b.due);
  const isOf = (seen: Seen, one: Scheduled, owner: Owner) =>
    !taken.has(seen) && cameOf(seen, one) && owners.ofEvent(seen.sender, seen).user === owner.user;
  const matched = planned.map((plan) => {
    const owner = owners.ofClient(plan.one.client) ?? { user: "nobody" };
    const event = shown.find((seen) => isOf(seen, plan.one, owner));
    if (event !== undefined) taken.add(event);
    return { ...plan, owner, event };
  });
  return matched.map(({ one, due, restarts, delegatedAt, end, owner, event }) => {
    const again = shown.filter((seen) => isOf(seen, one, owner));
    for (const seen of again) taken.add(seen);
    const [how, endAt] = endOf(event, end, due, to);
    const { id, type, delayMs, at } = one;
    const delayed = {
      id: short(id),
      type: short(type),
      delayMs,
      at,
      restarts,
      due,
      end: how,
      endAt,
      ...(again.length === 0 ? {} : { again: again.map(({ sentAt }) => sentAt) }),
      ...(delegatedAt === undefined ? {} : { delegatedAt }),
    };
    return { owner, scheduled: one, delayed, event };
  });
}

function planOf(
  { at, delayMs }: Scheduled,
  acts: readonly Acted[],
  roleOf: (place: string) => string,
) {
  const restarts: { at: number; by: string }[] = [];
  let due = at + delayMs;
  let delegatedAt: number | undefined;
  let end: { readonly how: "sent" | "cancelled"; readonly at: number } | undefined;
  for (const act of acts) {
    if (act.kind === "delegated") delegatedAt ??= act.at;
    else if (act.action === "restart") {
      restarts.push({ at: act.at, by: roleOf(act.from) });
      due = act.at + delayMs;
    } else if (act.action === "send") end ??= { how: "sent", at: act.at };
    else if (act.action === "cancel") end ??= { how: "cancelled", at: act.at };
  }
  return { restarts, due, delegatedAt, end };
}

/** What a server shows decides; of what it does not show, what it was asked. */
function endOf(
  event: Seen | undefined,
  asked: { readonly how: "sent" | "cancelled"; readonly at: number } | undefined,
  due: number,
  to: number,
): readonly [DelayedEnd, number] {
  if (event !== undefined) return [asked?.how === "sent" ? "sent" : "fired", event.sentAt];
  if (asked !== undefined) return [asked.how, asked.at];
  return due <= to ? ["due", due] : ["waiting", to];
}

function cameOf(seen: Seen, { at, room, type, stateKey, content }: Scheduled): boolean {
  return (
    seen.type === type &&
    seen.sentAt >= at - SKEW_MS &&
    (seen.room === "" || seen.room === room) &&
    seen.stateKey === stateKey &&
    isDeepStrictEqual(seen.content, content)
  );
}
