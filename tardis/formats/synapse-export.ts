/** Format H: rows out of one Synapse's database, which tell what it has of a room, in which order, and what it made of it. */
import type { ArrivalVerdict, Via } from "#harness/replay/record";
import { domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject } from "#protocol/events/event";
import { Drafts, type Input, isCreate, type Part } from "./part.ts";

export function readSynapseExport({ items, problems }: Input): Part {
  const rows = items.map(({ value }) => value);
  // Negative numbers are those of events that came by backfill: older than all others.
  const ordered = items.toSorted((a, b) => streamOf(a.value) - streamOf(b.value));
  return {
    format: "synapse-export",
    isOrdered: true,
    versions: new Map(rows.flatMap(versionIn)),
    creates: rows.map((row) => (isObject(row) ? row.pdu : undefined)).filter(isCreate),
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      for (const { place, value } of ordered) {
        if (!isObject(value) || !isObject(value.pdu)) {
          told.problems.push({ ...place, field: "pdu", what: "no object" });
          continue;
        }
        const { event_id: given, pdu, server, received_ts: received } = value;
        const at = typeof received === "number" ? received : undefined;
        const id = told.pdu(
          place,
          at,
          typeof given === "string" ? { ...pdu, event_id: given } : pdu,
        );
        if (id === undefined) continue;
        if (typeof server !== "string") {
          told.problems.push({ ...place, field: "server", what: "no text" });
          continue;
        }
        const arrival = { via: synapseVia(value), ...synapseVerdict(value) };
        told.arrive(place, at, { server, event_id: id, ...arrival });
      }
      return told;
    },
  };
}

function streamOf(row: unknown): number {
  const found = isObject(row) ? row.stream_ordering : undefined;
  return typeof found === "number" ? found : 0;
}

function versionIn(row: unknown): readonly (readonly [string, string])[] {
  if (!isObject(row) || !isObject(row.pdu)) return [];
  const { room_version: version, pdu } = row;
  const room = typeof pdu.room_id === "string" ? pdu.room_id : undefined;
  return typeof version === "string" && room !== undefined ? [[room, version]] : [];
}

/** How an event came to the server whose row this is. */
export function synapseVia(row: JsonObject): Via {
  const { pdu, server } = row;
  const sender = isObject(pdu) ? pdu.sender : undefined;
  if (streamOf(row) < 0) return "backfill";
  return typeof sender === "string" && domainOf(sender) === server ? "created" : "unknown";
}

/** What the server made of it. */
export function synapseVerdict({ rejected, soft_failed: isSoft, outlier }: JsonObject): {
  readonly verdict: ArrivalVerdict;
  readonly reason?: string;
} {
  if (typeof rejected === "string") return { verdict: "rejected", reason: rejected };
  if (isSoft === true) return { verdict: "soft_failed" };
  return { verdict: outlier === true ? "outlier" : "accepted" };
}
