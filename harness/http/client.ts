/** HTTP as the harness speaks it: one request, one answer, everything kept for the verdict's evidence. */
import { Agent, type Dispatcher, request as send } from "undici";
import { awakeMs, awakeTimeout } from "#harness/awake";
import { describe, HarnessError } from "#harness/errors";
import { scrub } from "#harness/gateway/scrub";

export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface RequestOptions {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array;
  readonly query?: Query;
  /** Null removes a header that would be sent otherwise. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly timeoutMs?: number;
  /** Closes the connection; the request then throws HS_NO_ANSWER. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** Parsed body; undefined when it is not JSON. */
  readonly json: unknown;
  /** Id of the exchange in the gateway's trace. */
  readonly exchange: string | undefined;
  /** Without the time in which this process could not have noticed it: for what a server may take at most. */
  readonly durationMs: number;
  /** By the clock: for what it has to take at least. */
  readonly elapsedMs: number;
  /** The exchange as text, scrubbed, for messages. */
  readonly describe: () => string;
}

export interface HttpClientOptions {
  readonly baseUrl: string;
  readonly accessToken?: string | undefined;
  /** Key of the check on whose behalf it speaks. */
  readonly check?: string | undefined;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onExchange?: (response: HttpResponse) => void;
  /** Other than the harness's own, for a way through a proxy. */
  readonly dispatcher?: Dispatcher;
}

/** More than any answer of a homeserver to a test: a larger one is cut off, not collected. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 30_000;
const BODY_SHOWN = 2_000;

const agent = new Agent({ connections: 128, keepAliveTimeout: 4_000, pipelining: 1 });

export interface HttpClient {
  /**
   * @param path as in the specification, percent-encoded where needed (see `path`).
   * @throws HarnessError HS_NO_ANSWER when no complete answer came: refused, reset, timed out, not HTTP, too large.
   */
  request(method: string, path: string, options?: RequestOptions): Promise<HttpResponse>;
}

export function createClient(client: HttpClientOptions): HttpClient {
  return {
    request: (method, path, options = {}) => exchange(client, method, path, options),
  };
}

/**
 * A request path with its parts percent-encoded: path`/rooms/${roomId}/state`. A part that must go unencoded is written
 * into the literal.
 */
export function path(
  literals: TemplateStringsArray,
  ...parts: readonly (string | number)[]
): string {
  return literals.reduce(
    (whole, literal, index) =>
      `${whole}${encodeURIComponent(String(parts[index - 1] ?? ""))}${literal}`,
  );
}

async function exchange(
  client: HttpClientOptions,
  method: string,
  path: string,
  options: RequestOptions,
): Promise<HttpResponse> {
  const target = withQuery(path, options.query);
  const timeoutMs = options.timeoutMs ?? client.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const headers: Record<string, string> = {};
  if (client.accessToken !== undefined) headers.authorization = `Bearer ${client.accessToken}`;
  if (client.check !== undefined) headers["x-crucible-check"] = client.check;
  let body: string | Uint8Array | undefined = options.raw;
  if (body === undefined && options.body !== undefined) body = JSON.stringify(options.body);
  if (body !== undefined) headers["content-type"] = "application/json";
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value === null) delete headers[name.toLowerCase()];
    else headers[name.toLowerCase()] = value;
  }
  using timeout = awakeTimeout(timeoutMs);
  const signals = [client.signal, options.signal].filter((given) => given !== undefined);
  const signal = AbortSignal.any([timeout.signal, ...signals]);
  const [started, startedAwake] = [performance.now(), awakeMs()];
  let status = 0;
  try {
    const answer = await send(`${client.baseUrl}${target}`, {
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body ?? null,
      dispatcher: client.dispatcher ?? agent,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    status = answer.statusCode;
    const bytes = await collect(answer.body);
    const text = bytes.toString("utf8");
    const id = answer.headers["x-crucible-exchange"];
    const response: HttpResponse = {
      status,
      headers: answer.headers,
      bytes,
      text,
      json: parse(text),
      exchange: typeof id === "string" ? id : undefined,
      durationMs: awakeMs() - startedAwake,
      elapsedMs: performance.now() - started,
      describe: () => describeExchange(method, target, body, status, answer.headers, text),
    };
    client.onExchange?.(response);
    return response;
  } catch (cause) {
    if (client.signal?.aborted === true) throw client.signal.reason;
    const why = options.signal?.aborted
      ? "cancelled"
      : timeout.signal.aborted
        ? `no answer within ${timeoutMs} ms`
        : describe(cause);
    throw new HarnessError("HS_NO_ANSWER", {
      what: `${method} ${scrub(target)}: ${why}`,
      facts: status === 0 ? [] : [`the head of an answer with status ${status} came`],
      next: "see the server's log",
      cause,
    });
  }
}

async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`the answer is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A path with a query string, as it is sent. */
export function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value])
      parameters.append(name, String(each));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

function describeExchange(
  method: string,
  target: string,
  body: string | Uint8Array | undefined,
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  text: string,
): string {
  const sent = typeof body === "string" ? body : body === undefined ? "" : `<${body.length} bytes>`;
  const type = headers["content-type"];
  const lines = [
    `${method} ${target}`,
    sent,
    `-> ${status}${typeof type === "string" ? ` ${type}` : ""}`,
    text,
  ];
  // Whole: what is cut off may tell that something before it is a secret.
  return lines
    .filter((line) => line !== "")
    .map((line) => shorten(scrub(line)))
    .join("\n");
}

function shorten(text: string): string {
  return text.length <= BODY_SHOWN
    ? text
    : `${text.slice(0, BODY_SHOWN)}… (${text.length} characters)`;
}
