/** Requests that no client would write: bodies in the words of a dialect, with anything in them. */
import type { Dialect } from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import type { Rule } from "#harness/gateway/rule";
import type { HttpResponse, Query } from "#harness/http/client";
import { at, type JsonObject, objectAt } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { answersInstead } from "./sync.ts";

/** How servers refuse what has the wrong form; the text names none of them. */
const MALFORMED = ["M_BAD_JSON", "M_INVALID_PARAM", "M_MISSING_PARAM"];

/** The config of a list of all rooms. Fields that are undefined are left out. */
export function listWith(dialect: Dialect, fields: JsonObject = {}): JsonObject {
  const { body } = dialect.encode(allRooms({ timelineLimit: 1 }), {});
  return { ...objectAt(body, "lists", "all"), ...fields };
}

/** The config of a subscription. Fields that are undefined are left out. */
export function subscriptionWith(dialect: Dialect, fields: JsonObject = {}): JsonObject {
  const { body } = dialect.encode({ subscriptions: { room: { timelineLimit: 1 } } }, {});
  return { ...objectAt(body, "room_subscriptions", "room"), ...fields };
}

/** The fields of a list that are its window. */
export function windowOf({ name }: Dialect, range: unknown): JsonObject {
  return name === "stable" ? { range } : { range: undefined, ranges: [range] };
}

/** A request with a position and a timeout of any kind, which the dialects have in different places. */
export function withTimeout(
  { name }: Dialect,
  pos: string | undefined,
  timeout: string | number,
): { readonly body: JsonObject; readonly query: Query } {
  return name === "stable"
    ? { body: { pos, timeout }, query: {} }
    : { body: {}, query: { pos, timeout } };
}

/** A server that takes requests with this text in them, which it should refuse. */
export function takes(what: string, contains?: string): Mutant {
  const match: Partial<Rule["match"]> = contains === undefined ? {} : { contains };
  return answersInstead(`takes ${what}`, 200, { pos: "1", lists: {}, rooms: {} }, match);
}

/** Asks and expects a refusal as of malformed requests. @param what names what is wrong with it */
export async function expectRefused(
  what: string,
  asked: Promise<HttpResponse>,
  errcodes: readonly string[] = MALFORMED,
): Promise<void> {
  const response = await asked;
  const errcode = at(response.json, "errcode");
  const fits = response.status === 400 && errcodes.includes(String(errcode));
  const actual = `${response.status} ${typeof errcode === "string" ? errcode : response.text.slice(0, 200)}`;
  expectThat(fits, `400 ${errcodes.join(" or ")} to ${what}`, actual, response);
}

/** Expects success. @param what names what is odd about the request */
export async function expectTaken(what: string, asked: Promise<HttpResponse>): Promise<JsonObject> {
  const response = await asked;
  const isTaken = response.status === 200;
  expectThat(
    isTaken,
    `200 to ${what}`,
    `${response.status} ${response.text.slice(0, 200)}`,
    response,
  );
  return objectAt(response, "json");
}

/** An answer as servers give it to whatever is asked: success, or a refusal with its reason. */
export function isOrderly({ status, json }: HttpResponse): boolean {
  const isRefusal = status >= 400 && status < 500 && typeof at(json, "errcode") === "string";
  return status === 200 || isRefusal;
}

/** A number of configs under different keys. */
export function many(
  count: number,
  key: (index: number) => string,
  config: JsonObject,
): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [key(index), config]));
}

/** Sends a body as it is. */
export function postRaw(session: Session, { path }: Dialect, raw: string): Promise<HttpResponse> {
  return session.request("POST", path, { raw });
}
