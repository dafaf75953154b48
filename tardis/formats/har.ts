/** Format D: HAR 1.2 of federation traffic. What authorises requests is not kept. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import type { Place } from "#tardis/model/problem";
import { Drafts, type Input, type Part } from "./part.ts";
import { type Carrier, createsIn, originIn, tellExchange } from "./traffic.ts";

export function isHar(value: unknown): value is JsonObject {
  return isObject(value) && isObject(value.log) && Array.isArray(value.log.entries);
}

export function readHar({ name, value, problems }: Input): Part {
  const entries: readonly JsonValue[] =
    isHar(value) && isObject(value.log) && Array.isArray(value.log.entries)
      ? value.log.entries
      : [];
  const carriers = entries.flatMap((entry, at) => {
    const carrier = isObject(entry)
      ? carrierOf(entry, { file: name, field: `log.entries[${at}]` }, String(at))
      : undefined;
    return carrier ?? [];
  });
  return {
    format: "har",
    isOrdered: true,
    versions: new Map(),
    creates: createsIn(carriers),
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      for (const carrier of carriers) tellExchange(told, carrier);
      return told;
    },
  };
}

/** Undefined for what is no exchange of the federation API. */
function carrierOf(entry: JsonObject, place: Place, id: string): Carrier | undefined {
  const { request, response, startedDateTime: started, time } = entry;
  if (!isObject(request) || typeof request.url !== "string") return undefined;
  const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
  if (url === undefined || !url.pathname.startsWith("/_matrix/federation/")) return undefined;
  const body = textIn(request.postData);
  const status = isObject(response) && typeof response.status === "number" ? response.status : 0;
  const authorization = headerIn(request.headers, "authorization");
  return {
    place,
    id,
    at: typeof started === "string" ? timeOf(started) : undefined,
    durationMs: typeof time === "number" && time >= 0 ? time : 0,
    from: originIn(body) ?? parameter(authorization, "origin") ?? "unknown",
    to: parameter(authorization, "destination") ?? url.host,
    method: typeof request.method === "string" ? request.method : "GET",
    path: url.pathname + url.search,
    status: status === 0 ? undefined : status,
    request: body,
    response: isObject(response) ? textIn(response.content) : undefined,
    isBlocked: status === 0 || status >= 400,
  };
}

/** Without a zone it is UTC: the answer must not depend on where the reader is. */
function timeOf(text: string): number | undefined {
  const at = Date.parse(/(?:[zZ]|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
  return Number.isNaN(at) ? undefined : at;
}

function textIn(content: JsonValue | undefined): string | undefined {
  return isObject(content) && typeof content.text === "string" ? content.text : undefined;
}

function headerIn(headers: JsonValue | undefined, name: string): string | undefined {
  if (!Array.isArray(headers)) return undefined;
  const found = headers.find(
    (header) =>
      isObject(header) && typeof header.name === "string" && header.name.toLowerCase() === name,
  );
  return isObject(found) && typeof found.value === "string" ? found.value : undefined;
}

/** Of an authorization by X-Matrix (server-server API, "Request Authentication"). */
function parameter(authorization: string | undefined, name: string): string | undefined {
  return new RegExp(`[ ,]${name}="?([^",]+)`).exec(authorization ?? "")?.[1];
}
