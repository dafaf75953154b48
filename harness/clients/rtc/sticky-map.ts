/**
 * The ephemeral map that clients make of sticky events (MSC4354 §Addendum): current values by sender, type and sticky key of
 * one room. What it holds depends on the events that came and on redactions, never on their order.
 */
import { at, eventsAt, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { STICKY, STICKY_KEYS, STICKY_REMAINING } from "./names.ts";

/** A value of the map. */
export interface StickyValue {
  readonly event: MatrixEvent;
  readonly stickyKey: string;
  /** By the clock that `take` was given. */
  readonly expiresAt: number;
  readonly isRedacted: boolean;
}

/** Milliseconds for which an event still sticks, as the server tells; undefined when it does not (any more). */
export function remainingOf(event: unknown): unknown {
  return STICKY_REMAINING.map((key) => at(event, "unsigned", key)).find((ms) => ms !== undefined);
}

/** Key of the value that an event is, within its sender's events of the type. */
function stickyKeyOf({ content }: MatrixEvent): string | undefined {
  const key = STICKY_KEYS.map((name) => content[name]).find((value) => value !== undefined);
  return typeof key === "string" ? key : undefined;
}

/** What ends last by the sender's server; of two that end at the same time the one with the higher id. */
function isAfter(one: MatrixEvent, other: MatrixEvent): boolean {
  const [here, there] = [endOf(one), endOf(other)];
  return here === there ? one.event_id > other.event_id : here > there;
}

function endOf(event: MatrixEvent): number {
  return event.origin_server_ts + Number(at(event, STICKY, "duration_ms"));
}

export class StickyMap {
  readonly #values = new Map<string, StickyValue>();
  readonly #redacted = new Set<string>();

  /** Takes what a /sync body has of a room, which came at this time. */
  take(body: JsonObject, roomId: string, now: number): void {
    const timeline = eventsAt(body, "rooms", "join", roomId, "timeline", "events");
    const section = eventsAt(body, "rooms", "join", roomId, STICKY, "events");
    for (const event of [...section, ...timeline]) {
      this.add(event, now);
      const redacts = event.redacts ?? event.content.redacts;
      if (event.type === "m.room.redaction" && typeof redacts === "string") this.redact(redacts);
    }
  }

  /** Takes an event; one that does not stick, or has no key, is no value. @param now when it came */
  add(event: MatrixEvent, now: number): void {
    const remaining = remainingOf(event);
    const stickyKey = stickyKeyOf(event);
    if (typeof remaining !== "number" || stickyKey === undefined) return;
    const slot = JSON.stringify([event.sender, event.type, stickyKey]);
    const current = this.#values.get(slot);
    if (current !== undefined && !isAfter(event, current.event)) return;
    const isRedacted = this.#redacted.has(event.event_id);
    this.#values.set(slot, { event, stickyKey, expiresAt: now + remaining, isRedacted });
  }

  /** A redacted value keeps its place: what it has replaced does not come back. */
  redact(eventId: string): void {
    this.#redacted.add(eventId);
    for (const [slot, value] of this.#values) {
      if (value.event.event_id === eventId) this.#values.set(slot, { ...value, isRedacted: true });
    }
  }

  /** Values that stick at this time and were not redacted, in an order of their own. */
  at(now: number): readonly StickyValue[] {
    return [...this.#values]
      .filter(([, { expiresAt, isRedacted }]) => now < expiresAt && !isRedacted)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, value]) => value);
  }
}
