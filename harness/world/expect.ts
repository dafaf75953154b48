/** Assertions on answers. Each throws CheckFailure with expected, actual and the exchange that shows it. */
import { isDeepStrictEqual } from "node:util";
import { CheckFailure } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, type JsonObject, show } from "#harness/match/json";

type OneOrMore<T> = T | readonly T[];

/** The body of an answer that has to be 200 with a JSON object. */
export function ok(response: HttpResponse): JsonObject {
  expectStatus(response, 200);
  if (!isObject(response.json)) fail("a JSON object", response.text.slice(0, 300), response);
  return response.json;
}

export function expectStatus(response: HttpResponse, expected: OneOrMore<number>): void {
  const allowed = many(expected);
  if (!allowed.includes(response.status)) {
    fail(`status ${allowed.join(" or ")}`, summary(response), response);
  }
}

/**
 * A refusal in Matrix's form (spec: Standard error response): one of the statuses, and one of the errcodes when given.
 * Returns the errcode.
 */
export function expectMatrixError(
  response: HttpResponse,
  status: OneOrMore<number>,
  errcode?: OneOrMore<string>,
): string {
  const statuses = many(status);
  const errcodes = errcode === undefined ? undefined : many(errcode);
  const actual = at(response.json, "errcode");
  const expected = `${statuses.join(" or ")} ${errcodes?.join(" or ") ?? "with an errcode"}`;
  const fits =
    statuses.includes(response.status) &&
    typeof actual === "string" &&
    (errcodes === undefined || errcodes.includes(actual));
  if (!fits) fail(expected, summary(response), response);
  return actual;
}

/** Deep equality. @param what names the thing, for the message. */
export function expectEqual(
  actual: unknown,
  expected: unknown,
  what: string,
  response?: HttpResponse,
): void {
  if (!isDeepStrictEqual(actual, expected)) {
    fail(`${what} to be ${show(expected)}`, show(actual), response);
  }
}

/** Every key of `expected` has to be there with an equal value, at any depth; extra keys are allowed. */
export function expectContains(
  actual: unknown,
  expected: JsonObject,
  what: string,
  response?: HttpResponse,
): void {
  if (!contains(actual, expected))
    fail(`${what} to contain ${show(expected)}`, show(actual), response);
}

/** @param expected completes "expected …". */
export function expectThat(
  isSo: boolean,
  expected: string,
  actual: unknown,
  response?: HttpResponse,
): asserts isSo {
  if (!isSo) fail(expected, typeof actual === "string" ? actual : show(actual), response);
}

export function fail(expected: string, actual: string, response?: HttpResponse): never {
  throw new CheckFailure(expected, actual, response?.describe());
}

function contains(actual: unknown, expected: unknown): boolean {
  if (!isObject(expected)) return isDeepStrictEqual(actual, expected);
  return Object.entries(expected).every(([key, value]) => contains(at(actual, key), value));
}

function summary({ status, json, text }: HttpResponse): string {
  const errcode = at(json, "errcode");
  if (typeof errcode === "string") return `${status} ${errcode} (${show(at(json, "error"))})`;
  return text === "" ? `${status} with an empty body` : `${status} ${text.slice(0, 300)}`;
}

function many<T>(value: OneOrMore<T>): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}
