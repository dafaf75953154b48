/** The X-Matrix authorization of federation requests (server-server API §Request Authentication). */
import type { JsonObject, JsonValue } from "#protocol/events/event";
import { signJson, verifyJson } from "#protocol/events/signatures";
import type { SigningKey } from "./keys.ts";

/** Parameters of an X-Matrix header. */
export interface XMatrix {
  readonly origin: string;
  readonly destination?: string;
  readonly key: string;
  readonly sig: string;
}

/** What is signed. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly uri: string;
  readonly origin: string;
  readonly destination?: string | undefined;
  /** Absent without a body. */
  readonly content?: JsonValue | undefined;
}

export function signRequest(request: SignedRequest, key: SigningKey): XMatrix {
  const { origin, destination } = request;
  const { signatures } = signJson(signedObject(request), origin, key.id, key.secret);
  const sig = (signatures as { [server: string]: { [key: string]: string } })[origin]?.[key.id];
  return {
    origin,
    ...(destination === undefined ? {} : { destination }),
    key: key.id,
    sig: sig ?? "",
  };
}

/** @param publicKey 32 bytes, base64 */
export function isSignedRequest(
  request: SignedRequest,
  { key, sig }: Pick<XMatrix, "key" | "sig">,
  publicKey: string,
): boolean {
  const signatures = { [request.origin]: { [key]: sig } };
  return verifyJson({ ...signedObject(request), signatures }, request.origin, key, publicKey);
}

export function formatAuthorization(parameters: XMatrix): string {
  const { origin, destination, key, sig } = parameters;
  const named = { origin, ...(destination === undefined ? {} : { destination }), key, sig };
  const list = Object.entries(named).map(([name, value]) => `${name}="${value}"`);
  return `X-Matrix ${list.join(",")}`;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** Colons in unquoted values are not allowed, and were sent before v1.3. */
const PARAMETER = new RegExp(
  `^[ \\t]*(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^",\\s]+))[ \\t]*(?:,|$)`,
);

/** By the grammar of RFC 9110 §11.4; undefined for anything that is no X-Matrix header with all it needs. */
export function parseAuthorization(header: string): XMatrix | undefined {
  const scheme = /^x-matrix[ ]+/i.exec(header);
  if (scheme === null) return undefined;
  const found = new Map<string, string>();
  let rest = header.slice(scheme[0].length);
  while (rest.trim() !== "") {
    const match = PARAMETER.exec(rest);
    if (match === null) return undefined;
    const [whole, name = "", quoted, plain = ""] = match;
    found.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain);
    rest = rest.slice(whole.length);
  }
  const [origin, destination, key, sig] = ["origin", "destination", "key", "sig"].map((name) =>
    found.get(name),
  );
  if (origin === undefined || key === undefined || sig === undefined) return undefined;
  return { origin, ...(destination === undefined ? {} : { destination }), key, sig };
}

function signedObject({ method, uri, origin, destination, content }: SignedRequest): JsonObject {
  return {
    method,
    uri,
    origin,
    ...(destination === undefined ? {} : { destination }),
    ...(content === undefined ? {} : { content }),
  };
}
