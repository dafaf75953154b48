/** An exchange with its bodies read, from both ends. */
import type { Exchange, RecordedMessage } from "#harness/gateway/exchange";
import { isObject, type JsonObject } from "#harness/match/json";
import type { Moment } from "./facts.ts";

export interface View {
  readonly moment: Moment;
  readonly method: string;
  /** Segments of the path, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  /** What the sender sent, and what the server got; undefined: it has nothing. */
  readonly request: JsonObject;
  readonly got: JsonObject | undefined;
  /** What the sender got and what the server said; undefined: nothing, or not whole. */
  readonly answer: JsonObject | undefined;
  readonly said: JsonObject | undefined;
  readonly isRequestCut: boolean;
  /** Text of an answer that the trace does not have whole. */
  readonly cutAnswer: string | undefined;
  readonly origin: string | undefined;
}

export function viewOf(exchange: Exchange, n: number): View {
  const { request, response, status, server, error, rules = [] } = exchange;
  const [path = "", query = ""] = exchange.path.split("?", 2);
  const sent = bodyOf(request);
  const isServed =
    rules.length > 0 ? server !== undefined : status === undefined ? undefined : true;
  const isAnswered = error === undefined && status !== undefined;
  const came = response === undefined ? undefined : bodyOf(response);
  const saidStatus = server?.status ?? status;
  const said = server?.response === undefined ? came : bodyOf(server.response);
  const got = server?.request === undefined ? sent : bodyOf(server.request);
  return {
    moment: {
      n,
      id: exchange.id,
      at: exchange.at,
      end: exchange.at + exchange.durationMs,
      from: exchange.from,
      to: exchange.to,
      client: exchange.client,
      status,
      rules,
      isServed,
      isAnswered,
      error,
    },
    method: exchange.method,
    path: path.split("/").slice(1).map(decoded),
    query: new URLSearchParams(query),
    request: sent ?? {},
    got: isServed === false || !isFine(saidStatus ?? 200) ? undefined : got,
    answer: isAnswered && isFine(status) ? came : undefined,
    said: isServed !== false && isFine(saidStatus) ? said : undefined,
    isRequestCut: sent === undefined,
    cutAnswer:
      isAnswered && response !== undefined && came === undefined ? response.body : undefined,
    origin: exchange.origin,
  };
}

function isFine(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

/** Undefined when there is text that is no whole JSON object. */
function bodyOf({ body }: RecordedMessage): JsonObject | undefined {
  if (body === undefined || body === "") return {};
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : {};
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Entries of what should be an object. */
export function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return isObject(value) ? Object.entries(value) : [];
}

export function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

export function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
