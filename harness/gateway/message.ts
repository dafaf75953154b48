/** Heads and bodies of messages on their way through the gateway. */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { BodyTap } from "./body-tap.ts";
import { rewriteBody } from "./rewrite.ts";
import type { RuleAction } from "./rule.ts";

/** Bytes of a body that a rule buffers. */
const MAX_BUFFERED = 64 * 1024 * 1024;
/** Headers that belong to one connection (RFC 9110 §7.6.1), and ours. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "x-crucible-check",
]);

export type Headers = Record<string, string | string[]>;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

export function answerOf(action: Extract<RuleAction, { kind: "answer" }>): Answer {
  const text = action.text ?? JSON.stringify(action.body ?? {});
  return {
    status: action.status,
    headers: { "content-type": "application/json", ...action.headers },
    body: Buffer.from(text),
  };
}

/** The answer as a rewrite leaves it. */
export function rewrittenAnswer(
  { status, headers, body }: Answer,
  action: Extract<RuleAction, { kind: "rewrite" }>,
): Answer {
  const text = body.toString("utf8");
  const changed = rewriteBody(text, action);
  const changedHeaders = { ...headers };
  changeHeaders(changedHeaders, action.headers);
  replaceInHeaders(changedHeaders, action.head);
  return {
    status: action.status ?? status,
    headers: changedHeaders,
    body: changed === text ? body : Buffer.from(changed),
  };
}

/** Undefined when it is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function withoutHopByHop(headers: NodeJS.Dict<string | string[]>): Headers {
  const kept: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = value;
  }
  return kept;
}

export function changeHeaders(
  headers: Headers,
  changes: Readonly<Record<string, string | null>> = {},
): void {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete headers[name.toLowerCase()];
    else headers[name.toLowerCase()] = value;
  }
}

export function replaceAll(
  text: string,
  pairs: readonly (readonly [string, string])[] = [],
): string {
  return pairs.reduce((changed, [pattern, by]) => changed.replaceAll(pattern, by), text);
}

export function replaceInHeaders(
  headers: Headers,
  pairs: readonly (readonly [string, string])[] = [],
): void {
  if (pairs.length === 0) return;
  for (const [name, value] of Object.entries(headers)) {
    headers[name] = Array.isArray(value)
      ? value.map((each) => replaceAll(each, pairs))
      : replaceAll(value, pairs);
  }
}

/** A reader that ends early leaves the source as it is: what else comes of it is the caller's. */
export async function* tapped(source: Readable, tap: BodyTap): AsyncGenerator<Buffer> {
  for await (const chunk of source.iterator({ destroyOnReturn: false })) {
    tap.add(chunk);
    yield chunk;
  }
}

/** A body as a whole, for rules that change or look at it. @throws Error when it is larger than any that a check sends */
export async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > MAX_BUFFERED) throw new Error(`a rule can not hold more than ${MAX_BUFFERED} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" ? value : value?.[0];
}

export function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** As `Exchange.client`. */
export function tokenDigest(token: string): string {
  return createHash("sha256").update(token).digest("hex").slice(0, 16);
}
