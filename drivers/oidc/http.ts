/** Small helpers for the routes that are ours. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { KoaContextWithOIDC } from "oidc-provider";

export type Context = KoaContextWithOIDC;
export type Next = () => Promise<void>;

const MAX_BODY_BYTES = 64 * 1024;
/** What is too large is read to its end all the same, so that its sender gets the answer; this much, at most. */
const MAX_READ_BYTES = 16 * 1024 * 1024;

/** A request that is answered with 400 and a reason. */
export class BadRequest extends Error {}

/** @throws BadRequest when it is too large or not text */
export async function readBody(context: Context): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of context.req) {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
    if (length > MAX_READ_BYTES) break;
  }
  if (length > MAX_BODY_BYTES) throw new BadRequest("the body is too large");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new BadRequest("the body is not UTF-8", { cause });
  }
}

/**
 * Fields of a form.
 *
 * @throws BadRequest when it is no form, or one that says something twice (RFC 6749 §3.2)
 */
export async function readForm(context: Context): Promise<ReadonlyMap<string, string>> {
  if (context.is("application/x-www-form-urlencoded") === false) {
    throw new BadRequest("the body has to be application/x-www-form-urlencoded");
  }
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(await readBody(context))) {
    if (fields.has(name)) throw new BadRequest(`${name} is there more than once`);
    fields.set(name, value);
  }
  return fields;
}

/** Compares in a time that tells nothing. */
export function isSame(given: string, secret: string): boolean {
  return timingSafeEqual(digest(given), digest(secret));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** The bearer token of the request. */
export function bearerOf(context: Context): string | undefined {
  return /^Bearer (\S+)$/i.exec(context.get("authorization"))?.[1];
}

/** The password of HTTP Basic authentication, in which clients show their secrets (RFC 6749 §2.3.1). */
export function basicPasswordOf(context: Context): string | undefined {
  const credentials = /^Basic (\S+)$/i.exec(context.get("authorization"))?.[1];
  if (credentials === undefined) return undefined;
  const text = Buffer.from(credentials, "base64").toString();
  return text.includes(":") ? text.slice(text.indexOf(":") + 1) : undefined;
}

/** Lets web clients of any origin use the endpoint; true when that was all that was asked for. */
export function answersCors(context: Context, methods: string): boolean {
  context.set("Access-Control-Allow-Origin", "*");
  if (context.method !== "OPTIONS") return false;
  context.set("Access-Control-Allow-Methods", methods);
  context.set("Access-Control-Allow-Headers", "content-type, authorization");
  context.status = 204;
  return true;
}

/** An answer in the form of RFC 6749 §5.2. */
export function answerOauthError(
  context: Context,
  status: number,
  error: string,
  description?: string,
): void {
  context.set("Cache-Control", "no-store");
  context.status = status;
  context.body = {
    error,
    ...(description === undefined ? {} : { error_description: description }),
  };
}
