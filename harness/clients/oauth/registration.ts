/** Clients as they register themselves (specification §Dynamic client registration, MSC2966). */
import type { HttpResponse } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { expectStatus } from "#harness/world/expect";
import type { AuthClient } from "./auth-client.ts";

export const DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

const CODE_GRANT = {
  client_name: "Crucible",
  client_uri: "https://crucible.example/",
  token_endpoint_auth_method: "none",
  response_types: ["code"],
  grant_types: ["authorization_code", "refresh_token"],
};

export const WEB_CLIENT = {
  ...CODE_GRANT,
  application_type: "web",
  redirect_uris: ["https://app.crucible.example/callback"],
} satisfies JsonObject;

/** With a private-use scheme, and with a loopback address whose port is decided later. */
export const NATIVE_CLIENT = {
  ...CODE_GRANT,
  application_type: "native",
  redirect_uris: ["example.crucible.app:/callback", "http://localhost/callback"],
} satisfies JsonObject;

export interface RegisteredClient {
  readonly auth: AuthClient;
  readonly clientId: string;
  readonly redirectUri: string;
}

/** @throws CheckFailure unless the server registers it */
export async function registerClient(
  auth: AuthClient,
  metadata: JsonObject & { readonly redirect_uris: readonly string[] } = WEB_CLIENT,
): Promise<RegisteredClient> {
  const response = await auth.register(metadata);
  return {
    auth,
    clientId: clientIdIn(response),
    redirectUri: metadata.redirect_uris[0] ?? "",
  };
}

/** @throws CheckFailure unless it is a registration */
export function clientIdIn(response: HttpResponse): string {
  expectStatus(response, 201);
  return textAt(response.json, "client_id");
}
