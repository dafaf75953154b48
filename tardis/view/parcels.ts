/** Room keys on their way between devices, as `crucible utd explain` has followed them: a part of what came, or did not, with an event. */
import { domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { shown } from "#tardis/explain/shown";
import type { Run } from "#tardis/model/run";
import type { HopView, ParcelView } from "./servers-messages.ts";

/** Of one event, as it is told: each device of a large room may have one. */
const MOST_OF_ROW = 20;

/** Of the events of some rows, in order. @param rows ascending */
export function parcelsOf(run: Run, rows: readonly number[]): readonly ParcelView[] {
  const wanted = new Map(rows.map((row) => [run.pdus[row]?.eventId, row]));
  const found = new Map<number, ParcelView[]>();
  for (const { seq, body } of run.records) {
    if (body.t !== "parcel" || typeof body.event_id !== "string") continue;
    const row = wanted.get(body.event_id);
    if (row === undefined) continue;
    const list = found.get(row) ?? [];
    if (list.length < MOST_OF_ROW) list.push(parcelOf(run, row, seq, body));
    found.set(row, list);
  }
  return rows.flatMap((row) => found.get(row) ?? []);
}

function parcelOf(run: Run, row: number, seq: number, body: JsonObject): ParcelView {
  const hops = Array.isArray(body.hops) ? body.hops.filter(isObject).map(hopOf) : [];
  const [from, to] = [textOf(body.from), textOf(body.to)];
  return {
    row,
    seq,
    id: shown(textOf(body.id)),
    from: shown(from),
    fromServer: serverOf(run, from),
    to: shown(to),
    toServer: serverOf(run, to),
    root: shown(textOf(body.root)),
    hops,
    // What was never seen on its way down has not come either.
    isLost: hops.some(({ outcome }) => outcome === "lost") || !hops.some(isLast),
  };
}

function isLast({ kind, outcome }: HopView): boolean {
  return kind === "down" && outcome === "came";
}

function hopOf({ kind, from, to, outcome, exchange }: JsonObject): HopView {
  return {
    kind: textOf(kind),
    from: shown(textOf(from)),
    to: shown(textOf(to)),
    outcome: shown(textOf(outcome)),
    exchange: shown(textOf(exchange)),
  };
}

/** Of Run.servers, that of a device (`user|device`) or -1. */
function serverOf(run: Run, device: string): number {
  const [user = ""] = device.split("|");
  const domain = domainOf(user);
  return run.servers.findIndex(({ name }) => name === domain);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
