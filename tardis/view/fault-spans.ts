/** Faults of a recording with the records between which they were in force, and who they are about, in words. */
import { shown } from "#tardis/explain/shown";
import type { Fault, Run } from "#tardis/model/run";

export interface FaultSpan {
  readonly fault: Fault;
  /** Number of the record that ended it; undefined: nothing did. */
  readonly until: number | undefined;
}

/** Kinds that end others. */
const ENDS: ReadonlySet<string> = new Set(["heal", "start", "resume"]);

/** In the order in which they ended, and then those that did not. */
export function faultSpans({ faults }: Run): readonly FaultSpan[] {
  let open: Fault[] = [];
  const spans: FaultSpan[] = [];
  for (const fault of faults) {
    if (!ENDS.has(fault.kind)) {
      open.push(fault);
      continue;
    }
    const isEnded = (earlier: Fault) =>
      fault.id === undefined ? isUndoneBy(earlier, fault) : earlier.id === fault.id;
    for (const one of open.filter(isEnded)) spans.push({ fault: one, until: fault.seq });
    open = open.filter((one) => !isEnded(one));
  }
  return [...spans, ...open.map((fault) => ({ fault, until: undefined }))];
}

/** Without ids: a heal ends what links have, a start what servers have; naming none, it ends all of them. */
function isUndoneBy(earlier: Fault, end: Fault): boolean {
  if (end.kind === "heal" && earlier.servers.length > 0 && earlier.links.length === 0) return false;
  if (end.kind !== "heal" && earlier.links.length > 0) return false;
  const named = [...end.servers, ...end.links.flat()];
  if (named.length === 0) return true;
  return [...earlier.servers, ...earlier.links.flat()].some((name) => named.includes(name));
}

/** Its name, else its kind, with the links and servers that it has. */
export function faultText({ kind, name, links, servers }: Fault): string {
  const pairs = new Map<string, string>();
  for (const [one, other] of links) {
    const back = `${other}|${one}`;
    if (pairs.has(back)) pairs.set(back, `${shown(other)} ⇹ ${shown(one)}`);
    else pairs.set(`${one}|${other}`, `${shown(one)} ⇸ ${shown(other)}`);
  }
  const who = [...pairs.values(), ...servers.map(shown)].join(", ");
  const text = [name === undefined ? shown(kind) : shown(name), who].filter((part) => part !== "");
  return text.join(" ");
}
