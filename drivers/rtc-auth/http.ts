/** Small helpers for requests and answers. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";

const MAX_BODY_BYTES = 64 * 1024;

/** A request that is answered with an error; what is said of it goes to strangers. */
export class Refusal extends Error {
  readonly status: number;
  readonly errcode: string;

  constructor(status: number, errcode: string, error: string) {
    super(error);
    this.status = status;
    this.errcode = errcode;
  }
}

/** @throws Refusal when it is too large or not text */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Refusal(413, "M_TOO_LARGE", "the body is too large");
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Refusal(400, "M_NOT_JSON", "the body is not UTF-8");
  }
}

/**
 * The body, which has to fit the schema.
 *
 * @param misfit errcode for JSON that does not
 * @throws Refusal
 */
export async function readJson<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  misfit = "M_BAD_JSON",
): Promise<T> {
  const text = await readBody(request);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Refusal(400, "M_NOT_JSON", "the body is no JSON");
  }
  const { success, data, error } = schema.safeParse(json);
  if (success) return data;
  const where = error.issues[0]?.path.join(".") ?? "";
  throw new Refusal(
    400,
    misfit,
    `the body lacks ${where || "an object"}, or has it in another form`,
  );
}

export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

/** Compares in a time that tells nothing. */
export function isSame(given: string, secret: string): boolean {
  const [one, other] = [given, secret].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}
