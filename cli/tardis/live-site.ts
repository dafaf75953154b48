/**
 * The page of something that goes on, on loopback: what is recorded is told as it comes, and commands are taken. Nobody gets
 * anything without the token that the command has printed, and no page but this one may ask.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe } from "#harness/errors";
import type { LiveAnswer } from "#tardis/view/live";
import type { Feed } from "./feed.ts";
import { HEADERS, isForUs, listen } from "./loopback.ts";
import { livePage, pageTemplate } from "./page.ts";

export interface LiveSiteOptions {
  readonly feed: Feed;
  readonly port: number;
  /** Does what a page asks for, and tells what came of it; throws what it refuses. Undefined: there is nothing to do. */
  readonly act?: ((command: unknown) => Promise<string>) | undefined;
}

export interface LiveSite extends AsyncDisposable {
  /** With the token. */
  readonly url: string;
}

const MOST_READERS = 16;
const MOST_BYTES = 4_096;

/** Listens until it is disposed of. @throws HarnessError BAD_USAGE when the port is taken */
export async function openLiveSite(options: LiveSiteOptions): Promise<LiveSite> {
  const token = randomBytes(24).toString("base64url");
  const page = livePage(await pageTemplate(), { token, isPlayable: options.act !== undefined });
  const listening = await listen(options.port, (request, response) => {
    answer({ ...options, token, page }, request, response).catch(() => response.destroy());
  });
  return {
    url: `${listening.url}?token=${token}`,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

interface Open extends LiveSiteOptions {
  readonly token: string;
  readonly page: string;
}

async function answer(site: Open, request: IncomingMessage, response: ServerResponse) {
  const refusal = refusalOf(site, request);
  if (refusal !== undefined) return plain(response, ...refusal);
  const { method, headers } = request;
  const { pathname } = urlOf(request);
  if (pathname === "/do" && site.act !== undefined) {
    if (method !== "POST") return plain(response, 405, "commands are posted");
    return await command(site.act, request, response);
  }
  if (method !== "GET") return plain(response, 405, "there is nothing else to ask");
  if (pathname === "/") return void response.writeHead(200, HEADERS).end(site.page);
  if (pathname !== "/events") return plain(response, 404, "there is no such page");
  if (site.feed.readers >= MOST_READERS) return plain(response, 503, "too many look at it");
  response.writeHead(200, { ...HEADERS, "content-type": "text/event-stream" });
  response.flushHeaders();
  const last = headers["last-event-id"];
  site.feed.attach(response, typeof last === "string" ? last : undefined);
}

/** Why a request is none of ours. */
function refusalOf(
  { token }: Open,
  request: IncomingMessage,
): readonly [status: number, why: string] | undefined {
  const { host, origin, "sec-fetch-site": site = "none" } = request.headers;
  if (!isForUs(request)) return [403, "this server answers its own pages only"];
  if (origin !== undefined && origin !== `http://${host}`) return [403, "another origin asks"];
  if (site !== "none" && site !== "same-origin") return [403, "another site asks"];
  const given = urlOf(request).searchParams.get("token") ?? "";
  if (!isSame(given, token)) return [403, "open the address that the command has printed"];
  return undefined;
}

async function command(
  act: (command: unknown) => Promise<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.headers["content-type"] !== "application/json")
    return plain(response, 415, "commands are JSON");
  const text = await bodyOf(request);
  if (text === undefined) return plain(response, 413, `a command has at most ${MOST_BYTES} bytes`);
  let reply: LiveAnswer;
  try {
    reply = { done: await act(JSON.parse(text) as unknown) };
  } catch (error) {
    reply = { error: describe(error) };
  }
  response.writeHead("done" in reply ? 200 : 400, {
    ...HEADERS,
    "content-type": "application/json",
  });
  response.end(JSON.stringify(reply));
}

/** Undefined when it is too much. */
function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MOST_BYTES) chunks.push(chunk);
      else {
        request.pause();
        resolve(undefined);
      }
    });
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
  });
}

/** The connection ends with it: what else was sent on it is not read. */
function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...HEADERS, "content-type": "text/plain", connection: "close" });
  response.end(`${text}\n`);
}

function urlOf({ url = "/" }: IncomingMessage): URL {
  return URL.parse(url, "http://127.0.0.1") ?? new URL("http://127.0.0.1/nowhere");
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
