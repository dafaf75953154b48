/** Exchanges of the federation API, as HAR files and Chaos tell them, made into records. */
import type { Exchange } from "#harness/gateway/exchange";
import { eventsIn } from "#harness/replay/traffic";
import { domainOf } from "#protocol/auth/auth-event";
import { isObject, type JsonObject } from "#protocol/events/event";
import type { Place } from "#tardis/model/problem";
import { type Drafts, isCreate } from "./part.ts";

export interface Carrier {
  readonly place: Place;
  readonly id: string;
  /** Milliseconds since 1970 of the request; undefined when it was not told. */
  readonly at: number | undefined;
  readonly durationMs: number;
  readonly from: string;
  readonly to: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly status: number | undefined;
  /** Bodies as JSON text. */
  readonly request: string | undefined;
  readonly response: string | undefined;
  readonly isBlocked: boolean;
}

/** Events that create rooms, wherever they stand. */
export function createsIn(carriers: readonly Carrier[]): readonly JsonObject[] {
  return carriers.flatMap((carrier) =>
    (eventsIn(exchangeOf(carrier))?.sightings ?? []).map(({ pdu }) => pdu).filter(isCreate),
  );
}

/** Tells of one exchange: itself, its events, and where they came. */
export function tellExchange(told: Drafts, carrier: Carrier): void {
  const { place, at, durationMs, isBlocked } = carrier;
  const carried = eventsIn(exchangeOf(carrier));
  if (carried?.isCut) told.problems.push({ ...place, what: "a body that is no JSON object" });
  const end = at === undefined ? undefined : at + durationMs;
  const ids: string[] = [];
  for (const { pdu, from, to, via, txn } of carried?.sightings ?? []) {
    const id = told.pdu(place, at, pdu);
    if (id === undefined) continue;
    if (!ids.includes(id)) ids.push(id);
    // Who sends an event of its own users has made it.
    if (typeof pdu.sender === "string" && domainOf(pdu.sender) === from) {
      const own = { server: from, event_id: id, via: "created", verdict: "accepted" };
      told.arrive(place, at, { ...own, deduced: true });
    }
    if (isBlocked) continue;
    const refusal = carried?.refusals.get(id);
    told.arrive(place, end, {
      server: to,
      event_id: id,
      via,
      from,
      ...(txn === undefined ? {} : { txn }),
      ...(refusal === undefined
        ? { verdict: "unknown" }
        : { verdict: "rejected", reason: refusal }),
    });
  }
  told.add(place, end, {
    t: "http",
    id: carrier.id,
    from: carrier.from,
    to: carrier.to,
    method: carrier.method,
    path: carrier.path,
    ...(carrier.status === undefined ? {} : { status: carrier.status }),
    ms: durationMs,
    ...(isBlocked ? { blocked: true } : {}),
    events: ids,
  });
}

/** Where it says who its sender is. */
export function originIn(body: string | undefined): string | undefined {
  try {
    const value: unknown = JSON.parse(body ?? "");
    return isObject(value) && typeof value.origin === "string" ? value.origin : undefined;
  } catch {
    return undefined;
  }
}

function exchangeOf(carrier: Carrier): Exchange {
  const { id, at = 0, durationMs, from, to, method, path, status, request, response } = carrier;
  const message = (body: string | undefined) => ({
    headers: {},
    bytes: body?.length ?? 0,
    ...(body === undefined ? {} : { body }),
  });
  return {
    id,
    at,
    durationMs,
    from,
    to,
    method,
    path,
    request: message(request),
    ...(status === undefined ? {} : { status }),
    ...(response === undefined ? {} : { response: message(response) }),
  };
}
