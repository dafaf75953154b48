/** Exchanges of a HAR 1.2 file, as a browser or a proxy has saved it. Tokens are read to tell clients apart, and not kept. */
import { readFileSync } from "node:fs";
import { HarnessError } from "#harness/errors";
import type { Exchange } from "#harness/gateway/exchange";
import { tokenDigest } from "#harness/gateway/message";
import { isObject, type JsonObject } from "#harness/match/json";
import { objects, text } from "./view.ts";

/** @throws HarnessError BAD_FILE */
export function exchangesInHar(file: string): readonly Exchange[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} is no JSON`,
      next: "save the traffic as HAR 1.2 with its bodies",
      cause,
    });
  }
  const log = isObject(value) ? value.log : undefined;
  if (!isObject(log) || !Array.isArray(log.entries)) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} has no log.entries`,
      next: "save the traffic as HAR 1.2 with its bodies",
    });
  }
  return objects(log.entries).flatMap((entry, at) => exchangeOf(entry, at) ?? []);
}

function exchangeOf(entry: JsonObject, index: number): Exchange | undefined {
  const { request, response, startedDateTime, time } = entry;
  if (!isObject(request)) return undefined;
  const url = text(request.url);
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { host, pathname, searchParams } = new URL(url);
  if (!pathname.startsWith("/_matrix/")) return undefined;
  const token =
    /^Bearer (\S+)$/.exec(header(request, "authorization") ?? "")?.[1] ??
    searchParams.get("access_token") ??
    undefined;
  searchParams.delete("access_token");
  const query = searchParams.toString();
  const status = isObject(response) && typeof response.status === "number" ? response.status : 0;
  const origin = /origin="?([^",]+)/.exec(header(request, "authorization") ?? "")?.[1];
  const started = Date.parse(text(startedDateTime) ?? "");
  return {
    id: `#${index}`,
    at: Number.isNaN(started) ? index : started,
    durationMs: typeof time === "number" && time >= 0 ? time : 0,
    from: origin ?? "client",
    to: host,
    method: text(request.method) ?? "GET",
    path: query === "" ? pathname : `${pathname}?${query}`,
    ...(origin === undefined ? {} : { origin }),
    ...(token === undefined ? {} : { client: tokenDigest(token) }),
    request: message(isObject(request.postData) ? text(request.postData.text) : undefined),
    ...(status === 0
      ? { error: "no answer" }
      : { status, response: message(bodyText(isObject(response) ? response.content : undefined)) }),
  };
}

function bodyText(content: unknown): string | undefined {
  if (!isObject(content)) return undefined;
  const body = text(content.text);
  return body !== undefined && content.encoding === "base64"
    ? Buffer.from(body, "base64").toString("utf8")
    : body;
}

function message(body: string | undefined): Exchange["request"] {
  return { headers: {}, bytes: body?.length ?? 0, ...(body === undefined ? {} : { body }) };
}

function header(request: JsonObject, name: string): string | undefined {
  const found = objects(request.headers).find((one) => text(one.name)?.toLowerCase() === name);
  return text(found?.value);
}
