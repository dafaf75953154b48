/** Which events an exchange of the federation API carried, from whom to whom. */
import type { Exchange, RecordedMessage } from "#harness/gateway/exchange";
import { isObject, type JsonObject } from "#protocol/events/event";
import type { Via } from "./record.ts";

export interface Sighting {
  /** Where the event came: a role, or a peer's name. */
  readonly to: string;
  readonly from: string;
  readonly via: Via;
  readonly txn?: string;
  readonly pdu: JsonObject;
}

/** Answer to a transaction: what it says of an event, by event id. */
export type Refusals = ReadonlyMap<string, string>;

export interface Carried {
  readonly sightings: readonly Sighting[];
  readonly refusals: Refusals;
  /** A body that the trace does not have whole. */
  readonly isCut: boolean;
}

const PREFIX = /^\/_matrix\/federation\/(?:v\d+|unstable\/[^/]+)\/([a-z_]+)(?:\/([^/?]+))?/;

/** Undefined for an exchange that carries no events. */
export function eventsIn(exchange: Exchange): Carried | undefined {
  const [, endpoint = "", argument] = PREFIX.exec(exchange.path) ?? [];
  const requested = bodyOf(exchange.request);
  const answered = exchange.response === undefined ? {} : bodyOf(exchange.response);
  const toTarget = { from: exchange.from, to: exchange.to };
  const toSender = { from: exchange.to, to: exchange.from };
  const request = requested ?? {};
  const answer = answered ?? {};
  const carry = (sightings: readonly Sighting[], refusals: Refusals = new Map()): Carried => ({
    sightings,
    refusals,
    isCut: requested === undefined || answered === undefined,
  });
  switch (endpoint) {
    case "send": {
      const txn = argument === undefined ? {} : { txn: decoded(argument) };
      const pdus = objects(request.pdus).map((pdu) => ({
        ...toTarget,
        ...txn,
        via: "send" as const,
        pdu,
      }));
      return carry(pdus, refusalsIn(answer.pdus));
    }
    case "send_join":
      return carry([
        ...objects([request]).map((pdu) => ({ ...toTarget, via: "send_join" as const, pdu })),
        ...[
          ...objects(answer.auth_chain),
          ...objects(answer.state),
          ...objects([answer.event]),
        ].map((pdu) => ({ ...toSender, via: "send_join" as const, pdu })),
      ]);
    case "send_leave":
    case "send_knock":
      return carry(objects([request]).map((pdu) => ({ ...toTarget, via: "unknown", pdu })));
    case "invite":
      return carry(
        objects([request.event ?? request]).map((pdu) => ({ ...toTarget, via: "invite", pdu })),
      );
    case "backfill":
    case "event":
      return carry(objects(answer.pdus).map((pdu) => ({ ...toSender, via: endpoint, pdu })));
    case "get_missing_events":
      return carry(objects(answer.events).map((pdu) => ({ ...toSender, via: endpoint, pdu })));
    case "state":
      return carry(
        [...objects(answer.auth_chain), ...objects(answer.pdus)].map((pdu) => ({
          ...toSender,
          via: endpoint,
          pdu,
        })),
      );
    default:
      return undefined;
  }
}

/** Users of whose devices an exchange told the other server: m.device_list_update (server-server API §Device Management). */
export function deviceUpdatesIn(exchange: Exchange): readonly string[] {
  if (PREFIX.exec(exchange.path)?.[1] !== "send") return [];
  const { edus } = bodyOf(exchange.request) ?? {};
  if (!Array.isArray(edus)) return [];
  return edus.flatMap((edu: unknown) => {
    if (!isObject(edu) || edu.edu_type !== "m.device_list_update") return [];
    const user = isObject(edu.content) ? edu.content.user_id : undefined;
    return typeof user === "string" ? user : [];
  });
}

function refusalsIn(pdus: unknown): Refusals {
  if (!isObject(pdus)) return new Map();
  return new Map(
    Object.entries(pdus).flatMap(([id, result]) =>
      isObject(result) && typeof result.error === "string" ? [[id, result.error]] : [],
    ),
  );
}

/** Undefined when there is text that is no whole JSON object. */
function bodyOf({ body }: RecordedMessage): JsonObject | undefined {
  if (body === undefined || body === "") return {};
  try {
    const value: unknown = JSON.parse(body);
    if (isObject(value)) return value;
    // Version 1 of send_join answers [200, {…}].
    return Array.isArray(value) && isObject(value[1]) ? value[1] : {};
  } catch {
    return undefined;
  }
}

/** Those that look like events; a hostile server may have written anything. */
function objects(list: unknown): readonly JsonObject[] {
  if (!Array.isArray(list)) return [];
  return list.filter(
    (item) => isObject(item) && typeof item.type === "string" && typeof item.sender === "string",
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
