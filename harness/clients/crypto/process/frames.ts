/**
 * What a client in a process of its own is asked and answers: one JSON object a line, over its standard input and output.
 * `{"id":1,"method":"send","parameters":[…]}` is answered by `{"id":1,"result":…}` or `{"id":1,"error":{…}}`, in any order.
 * Bytes travel as `{"$bytes":"<base64>"}`, secrets as `{"$secret":"…"}`.
 */
import {
  CheckFailure,
  describe,
  HarnessError,
  type HarnessErrorCode,
  Unsupported,
} from "#harness/errors";
import { isObject } from "#harness/match/json";
import { isSecret, secret } from "../secret.ts";

export interface Question {
  readonly id: number;
  readonly method: string;
  readonly parameters: readonly unknown[];
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: ThrownThere;
}

/** What was thrown in the other process: whose trouble it is has to survive the way. */
export interface ThrownThere {
  readonly kind: "check" | "harness" | "unsupported" | "other";
  readonly what: string;
  readonly code?: string;
  readonly facts?: readonly string[];
  readonly next?: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly exchange?: string;
}

export function encode(frame: Question | Answer): string {
  return `${JSON.stringify(packed(frame))}\n`;
}

export function decode(line: string): unknown {
  return unpacked(JSON.parse(line));
}

function packed(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (isSecret(value)) return { $secret: value.reveal() };
  if (Array.isArray(value)) return value.map(packed);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, packed(each)]));
}

function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked);
  if (!isObject(value)) return value;
  const { $bytes, $secret } = value;
  if (typeof $bytes === "string") return new Uint8Array(Buffer.from($bytes, "base64"));
  if (typeof $secret === "string") return secret($secret);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unpacked(each)]));
}

export function thrownThere(error: unknown): ThrownThere {
  if (error instanceof CheckFailure) {
    const { expected, actual, exchange, message } = error;
    return { kind: "check", what: message, expected, actual, ...(exchange && { exchange }) };
  }
  if (error instanceof HarnessError) {
    const { code, what, facts, next } = error;
    return { kind: "harness", what, code, facts, ...(next && { next }) };
  }
  if (error instanceof Unsupported) {
    const { need, message } = error;
    const prefix = `${need}: `;
    const detail = message.startsWith(prefix) ? message.slice(prefix.length) : message;
    return { kind: "unsupported", what: detail, code: need };
  }
  return { kind: "other", what: describe(error) };
}

/** @param who the client, for the message of an error that has no class here */
export function thrownHere(error: ThrownThere, who: string): Error {
  const { kind, what, code = "INTERNAL", facts = [], next, expected, actual, exchange } = error;
  switch (kind) {
    case "check":
      return new CheckFailure(expected ?? what, actual ?? "something else", exchange);
    case "unsupported":
      return new Unsupported(code, what);
    case "harness":
      return new HarnessError(code as HarnessErrorCode, { what, facts, ...(next && { next }) });
    case "other":
      return new Error(`${who}: ${what}`);
  }
}
