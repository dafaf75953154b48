/** What members keep published: their membership, and other values that stick, from the first time until they end. */
import { LEGACY_MEMBER, STICKY_KEYS } from "#harness/clients/rtc/names";
import { at } from "#harness/match/json";
import type { Published, PublishedEnd, Span } from "#harness/results/call-timeline";
import { type EventFacts, isMemberType } from "./facts.ts";
import { short } from "./lanes.ts";

/** An event at its time, of one lane. */
export interface Publication extends EventFacts {
  readonly at: number;
  readonly eventId: string | undefined;
  /** A server has sent it at its time. */
  readonly isDelayed: boolean;
}

/** The longest that anything sticks (MSC4354). */
const MAX_STICKY_MS = 3_600_000;

/** Whether it is kept at all. */
export function isPublication({ type, stickyMs }: EventFacts): boolean {
  return isMemberType(type) || stickyMs !== undefined;
}

/** @param outs when its user was put out of a room */
export function publishedOf(
  publications: readonly Publication[],
  outs: readonly { readonly at: number; readonly room: string }[],
  { to }: Span,
): readonly Published[] {
  const groups = Map.groupBy(publications, (one) => `${one.room}\n${one.type}\n${keyOf(one)}`);
  return [...groups.values()]
    .flatMap((own) => spansOf(own, outs, to))
    .toSorted((a, b) => a.from - b.from);
}

function keyOf({ type, stateKey, content, eventId, at: when }: Publication): string {
  if (type === LEGACY_MEMBER) return stateKey ?? "";
  const key = STICKY_KEYS.map((name) => content[name]).find((one) => typeof one === "string");
  return typeof key === "string" ? key : (stateKey ?? eventId ?? String(when));
}

/** Anything but a membership is there until it no longer sticks. */
function isThere({ type, content }: Publication): boolean {
  if (type === LEGACY_MEMBER) return Object.keys(content).length > 0;
  if (!isMemberType(type)) return true;
  const membership = at(content, "member", "membership");
  return typeof membership === "string" ? membership === "join" : content.application !== undefined;
}

type Draft = { -readonly [Key in keyof Published]: Published[Key] } & { updates: number[] };

function spansOf(
  own: readonly Publication[],
  outs: readonly { readonly at: number; readonly room: string }[],
  to: number,
): readonly Published[] {
  const spans: Draft[] = [];
  let open: Draft | undefined;
  const close = (when: number, end: PublishedEnd) => {
    if (open === undefined) return;
    const fades = fadesAt(open);
    spans.push(fades < when ? { ...open, to: fades, end: "expired" } : { ...open, to: when, end });
    open = undefined;
  };
  const room = own[0]?.room;
  const steps: readonly (Publication | { readonly at: number; readonly isOut: true })[] = [
    ...own,
    ...outs.filter((out) => out.room === room).map((out) => ({ at: out.at, isOut: true as const })),
  ].toSorted((a, b) => a.at - b.at);
  for (const step of steps) {
    if ("isOut" in step) close(step.at, "kicked");
    else if (!isThere(step)) close(step.at, step.isDelayed ? "fired" : "left");
    else {
      if (open !== undefined && fadesAt(open) < step.at) close(step.at, "expired");
      if (open === undefined) open = draftOf(step, to);
      else {
        open.updates.push(step.at);
        if (step.stickyMs !== undefined) open.stickyMs = Math.min(step.stickyMs, MAX_STICKY_MS);
      }
    }
  }
  close(to, "open");
  return spans;
}

function draftOf(one: Publication, to: number): Draft {
  const { at: from, type, stickyMs } = one;
  const isMember = isMemberType(type);
  return {
    kind: type === LEGACY_MEMBER ? "legacy member" : isMember ? "member" : "sticky",
    type: short(type),
    key: short(keyOf(one)),
    from,
    to,
    updates: [],
    end: "open",
    ...(stickyMs === undefined ? {} : { stickyMs: Math.min(stickyMs, MAX_STICKY_MS) }),
  };
}

/** When it no longer sticks. */
function fadesAt({ from, updates, stickyMs }: Published): number {
  return stickyMs === undefined ? Number.POSITIVE_INFINITY : (updates.at(-1) ?? from) + stickyMs;
}
