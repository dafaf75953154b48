/** Servers and what was done to them, and the rules that were in force. */
import type { CallFault, CallRecord } from "#harness/results/call";
import type { PlaceLane, RuleLane, Span } from "#harness/results/call-timeline";
import { short } from "./lanes.ts";

/** What ends what takes a server away. */
const ENDS: Readonly<Record<string, readonly string[]>> = {
  kill: ["restart", "start"],
  stop: ["start", "restart"],
  pause: ["resume", "restart"],
  disconnect: ["reconnect"],
};

/** With the name that the trace has for it. */
export interface Place extends PlaceLane {
  readonly place: string;
}

/** @param isAsked whether the call has had to do with it */
export function placesOf(
  { places, faults }: CallRecord,
  to: number,
  isAsked: (place: string) => boolean,
): readonly Place[] {
  return places.flatMap(({ role, place, serverName }) => {
    const own = faults.filter((fault) => fault.role === role);
    if (serverName === undefined && own.length === 0 && !isAsked(place)) return [];
    const name = serverName === undefined ? {} : { name: short(serverName) };
    return [{ role: short(role), place, ...name, ...lane(own, to) }];
  });
}

function lane(faults: readonly CallFault[], to: number): Pick<PlaceLane, "down" | "acts"> {
  const down: (Span & { what: string })[] = [];
  const acts: (Span & { what: string })[] = [];
  const used = new Set<CallFault>();
  for (const [at, fault] of faults.entries()) {
    if (used.has(fault)) continue;
    const { what, from } = fault;
    const ends = ENDS[what];
    if (ends !== undefined) {
      const back = faults.slice(at + 1).find((later) => ends.includes(later.what));
      if (back !== undefined) used.add(back);
      down.push({ from, to: back === undefined ? to : (back.to ?? to), what });
    } else if (what === "restart") down.push({ from, to: fault.to ?? to, what });
    else acts.push({ from, to: fault.to ?? from, what: short(what) });
  }
  return { down, acts };
}

/** @param firings of rules, by exchange */
export function rulesOf(
  { faults }: CallRecord,
  to: number,
  firings: readonly { readonly rule: string; readonly at: number }[],
): readonly RuleLane[] {
  return faults
    .filter(({ role }) => role === undefined)
    .map(({ what, from, to: end = to }) => ({
      name: short(what),
      from,
      to: end,
      acted: firings
        .filter(({ rule, at }) => rule === what && at >= from && at <= end)
        .map(({ at }) => at),
    }));
}
