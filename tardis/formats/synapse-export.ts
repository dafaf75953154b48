/** Format H: rows out of one Synapse's database, which tell what it has of a room, in which order, and what it made of it. */
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
        const { sender } = pdu;
        const isOwn = typeof sender === "string" && domainOf(sender) === server;
        const via = streamOf(value) < 0 ? "backfill" : isOwn ? "created" : "unknown";
        told.arrive(place, at, { server, event_id: id, via, ...verdictOf(value) });
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

function verdictOf({ rejected, soft_failed: isSoft, outlier }: JsonObject): JsonObject {
  if (typeof rejected === "string") return { verdict: "rejected", reason: rejected };
  if (isSoft === true) return { verdict: "soft_failed" };
  return { verdict: outlier === true ? "outlier" : "accepted" };
}
