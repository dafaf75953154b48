/** From what came over the wire to a request of a server that is who it says. */
import type { JsonValue } from "#protocol/events/event";
import type { RawRequest } from "./listener.ts";
import type { RemoteKeys } from "./remote-keys.ts";
import { isSignedRequest, parseAuthorization } from "./request-auth.ts";
import type { PeerRequest } from "./routes.ts";

/**
 * Requests that need no authorization (server-server API: "Requires authentication: No"),
 * the media API of before v1.11, and what is asked of identity servers.
 */
const OPEN =
  /^\/(?:\.well-known\/|_matrix\/(?:identity|key|media)\/|_matrix\/federation\/v1\/(?:version|openid\/))/;

export async function readRequest(
  { method, uri, headers, text }: RawRequest,
  keys: RemoteKeys,
  ownName: string,
): Promise<PeerRequest> {
  const url = new URL(`http://peer${uri}`);
  const authorization = parseAuthorization(headers.authorization ?? "");
  const request: PeerRequest = {
    method,
    path: uri.split("?")[0] ?? uri,
    uri,
    query: url.searchParams,
    headers,
    text,
    json: parseJson(text),
    authorization,
    authProblem: undefined,
  };
  if (OPEN.test(request.path)) return request;
  return { ...request, authProblem: await problemOf(request, keys, ownName) };
}

/** The destination may be missing, as before v1.3: whether it is there is for a check to ask. */
async function problemOf(
  { method, uri, json, text, authorization }: PeerRequest,
  keys: RemoteKeys,
  ownName: string,
): Promise<string | undefined> {
  if (authorization === undefined) return "no X-Matrix authorization";
  const { origin, destination, key } = authorization;
  if (destination !== undefined && destination !== ownName) {
    return `an authorization for ${destination}`;
  }
  const known = (await keys.of(origin)).get(key);
  if (known === undefined) return `an authorization by ${key}, which ${origin} does not publish`;
  const content = text === "" ? undefined : (json as JsonValue);
  const isSigned = isSignedRequest(
    { method, uri, origin, destination, content },
    authorization,
    known.publicKey,
  );
  return isSigned ? undefined : `an authorization whose signature by ${key} is wrong`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
