/** What a homeserver tells of its authorization server (specification §Server metadata discovery, MSC2965). */
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, type JsonObject, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { ServerClient } from "#harness/world/session";

export const AUTH_METADATA = "/_matrix/client/v1/auth_metadata";

/** The endpoints that every server names. What else it tells is in `document`. */
export interface AuthMetadata {
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly registrationEndpoint: string;
  readonly revocationEndpoint: string;
  /** Undefined without the device grant. */
  readonly deviceAuthorizationEndpoint: string | undefined;
  readonly document: JsonObject;
}

/** Where servers from before the specification had it tell the same. */
const UNSTABLE_METADATA = "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata";

/**
 * Asks a homeserver.
 *
 * @throws Unsupported when it has no OAuth API, CheckFailure when an endpoint is missing
 */
export async function discover(client: ServerClient): Promise<AuthMetadata> {
  const response = await client.get(AUTH_METADATA);
  const isUnknown = ({ status, json }: HttpResponse) =>
    status === 404 && at(json, "errcode") === "M_UNRECOGNIZED";
  if (isUnknown(response)) {
    const older = await client.get(UNSTABLE_METADATA);
    if (!isUnknown(older)) return readMetadata(older);
    throw new Unsupported("oauth", "the server has no OAuth API");
  }
  return readMetadata(response);
}

/** @throws CheckFailure unless it is the document of an authorization server */
function readMetadata(response: HttpResponse): AuthMetadata {
  const document = ok(response);
  const device = at(document, "device_authorization_endpoint");
  return {
    issuer: textAt(document, "issuer"),
    authorizationEndpoint: textAt(document, "authorization_endpoint"),
    tokenEndpoint: textAt(document, "token_endpoint"),
    registrationEndpoint: textAt(document, "registration_endpoint"),
    revocationEndpoint: textAt(document, "revocation_endpoint"),
    deviceAuthorizationEndpoint: typeof device === "string" ? device : undefined,
    document: isObject(document) ? document : {},
  };
}

/** True when a list of the metadata has the value. */
export function lists({ document }: AuthMetadata, name: string, value: string): boolean {
  const list = at(document, name);
  return Array.isArray(list) && list.includes(value);
}
