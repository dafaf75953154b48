/** Format E: what Element's Chaos tells its web page, a message a line: federation requests with bodies, faults and steps. */
import { isObject, type JsonObject } from "#protocol/events/event";
import type { Place } from "#tardis/model/problem";
import { Drafts, type Input, type Item, type Part } from "./part.ts";
import { type Carrier, createsIn, originIn, tellExchange } from "./traffic.ts";

export function readChaosStream({ items, problems }: Input): Part {
  const carriers = items.flatMap((item) => carrierOf(item) ?? []);
  return {
    format: "chaos-stream",
    isOrdered: true,
    versions: new Map(items.flatMap(({ value }) => versionIn(value))),
    creates: createsIn(carriers),
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      for (const item of items) {
        const carrier = carrierOf(item);
        if (carrier !== undefined) tellExchange(told, carrier);
        else tellMessage(told, item.place, item.value);
      }
      return told;
    },
  };
}

function carrierOf({ place, value }: Item): Carrier | undefined {
  if (!isObject(value) || value.Type !== "PayloadFederationRequest") return undefined;
  const { ID: id, Payload: payload } = value;
  if (!isObject(payload) || typeof payload.URL !== "string") return undefined;
  const url = URL.canParse(payload.URL) ? new URL(payload.URL) : undefined;
  if (url === undefined) return undefined;
  const request = isObject(payload.Body) ? JSON.stringify(payload.Body) : undefined;
  return {
    place,
    id: String(id),
    at: timeIn(value),
    durationMs: 0,
    from: originIn(request) ?? "unknown",
    to: url.host,
    method: String(payload.Method),
    path: url.pathname + url.search,
    status: undefined,
    request,
    response: undefined,
    isBlocked: payload.Blocked === true,
  };
}

function tellMessage(told: Drafts, place: Place, value: unknown): void {
  if (!isObject(value) || !isObject(value.Payload)) {
    told.problems.push({ ...place, field: "Payload", what: "no object" });
    return;
  }
  const { Type: type, Payload: payload } = value;
  const at = timeIn(value);
  switch (type) {
    case "PayloadConfig":
      for (const name of serversIn(payload)) told.add(place, at, { t: "server", name });
      return;
    case "PayloadNetsplit":
      told.add(place, at, { t: "fault", kind: payload.Started === true ? "netsplit" : "heal" });
      return;
    case "PayloadRestart":
      told.add(place, at, {
        t: "fault",
        kind: payload.Finished === true ? "start" : "stop",
        servers: [String(payload.Domain)],
      });
      return;
    case "PayloadConvergence":
      told.add(place, at, convergenceStep(String(payload.State), String(payload.Error ?? "")));
      return;
    case "PayloadWorkerAction": {
      const { UserID: user, Action: action, RoomID: room } = payload;
      told.add(place, at, { t: "step", name: `${user} ${action} ${room}`, ok: null });
      return;
    }
    case "PayloadTickGeneration": {
      const { Number: number, Joins: joins, Sends: sends, Leaves: leaves } = payload;
      const text = `tick ${number}: ${joins} joins, ${sends} sends, ${leaves} leaves`;
      told.add(place, at, { t: "note", text });
      return;
    }
    default:
      told.add(place, at, { t: "note", text: `${String(type)} of Chaos, which is not known` });
  }
}

/** `success` and `failure` end it. */
export function convergenceStep(state: string, error: string): JsonObject {
  return {
    t: "step",
    name: `convergence: ${state}`,
    ok: state === "success" ? true : state === "failure" ? false : null,
    ...(error === "" ? {} : { message: error }),
  };
}

function timeIn({ at }: JsonObject): number | undefined {
  return typeof at === "number" ? at : undefined;
}

function configIn(payload: JsonObject): JsonObject {
  return isObject(payload.Config) ? payload.Config : {};
}

function serversIn(payload: JsonObject): readonly string[] {
  const { Homeservers: list } = configIn(payload);
  if (!Array.isArray(list)) return [];
  return list.flatMap((server) =>
    isObject(server) && typeof server.Domain === "string" ? [server.Domain] : [],
  );
}

function versionIn(value: unknown): readonly (readonly [string, string])[] {
  if (!isObject(value) || value.Type !== "PayloadConfig" || !isObject(value.Payload)) return [];
  const { Test: test } = configIn(value.Payload);
  const version = isObject(test) ? test.RoomVersion : undefined;
  return typeof version === "string" && version !== "" ? [["*", version]] : [];
}
