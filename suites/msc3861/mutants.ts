/**
 * Requests of the OAuth 2.0 API as rules at the gateway know them: by what they carry, since every server has paths of its own.
 */
import { AUTH_METADATA } from "#harness/clients/oauth/metadata";
import type { JsonValue } from "#harness/gateway/rule";
import type { Mutant } from "#harness/world/check";
import { altersAnswer, claims } from "#harness/world/mutants";

export const METADATA = { method: "GET", path: AUTH_METADATA };
export const REGISTER = { method: "POST", contains: '"client_uri"' };
export const AUTHORIZE = { method: "GET", contains: "code_challenge" };
export const EXCHANGE = { method: "POST", contains: "grant_type=authorization_code" };
export const REFRESH = { method: "POST", contains: "grant_type=refresh_token" };
/** Clients of ours write the token last, see `AuthClient.revoke`. */
export const REVOKE = { method: "POST", contains: "&token=" };
export const WHOAMI_REQUEST = { method: "GET", path: "/_matrix/client/v3/account/whoami" };
/** Every redirect of pages; what tells callbacks from others is the text that is replaced. */
const REDIRECT = { status: [302, 303] };

const REFUSALS = [400, 401, 403, 404, 405, 415];

export const LEAVES_ACCESS = altersAnswer(
  "leaves the access token alive",
  { ...WHOAMI_REQUEST, status: 401 },
  { status: 200, body: {} },
);

/** The metadata without some of what it has to tell. */
export function tells(name: string, changes: Parameters<typeof altersAnswer>[2]): Mutant {
  return altersAnswer(name, { ...METADATA, status: 200 }, changes);
}

/** A registration that should be refused, accepted; for checks in which the other way round is right as well. */
export const REGISTERS_ANYTHING = altersAnswer(
  "registers it all the same",
  { ...REGISTER, status: REFUSALS },
  { status: 201, body: { client_id: "claimed" } },
);

export const REGISTERS_NOTHING = altersAnswer(
  "refuses the registration",
  { ...REGISTER, status: [200, 201] },
  { status: 400, body: { error: "invalid_client_metadata" } },
);

export const TOKENS = {
  access_token: "claimed-access-token",
  token_type: "Bearer",
  expires_in: 300,
  refresh_token: "claimed-refresh-token",
};

export const GIVES_TOKENS = altersAnswer(
  "gives tokens all the same",
  { ...EXCHANGE, status: REFUSALS },
  { status: 200, body: TOKENS },
);

/** A request for authorization is answered with a code at once, and that code with tokens, whatever was asked. */
export const GRANTS_ANYTHING: Mutant = {
  name: "grants it all the same",
  rules: [
    {
      match: { method: "GET", contains: "response_type=" },
      phase: "processed",
      action: {
        kind: "rewrite",
        status: 303,
        headers: { location: "https://app.crucible.example/callback#code=claimed" },
      },
    },
    ...GIVES_TOKENS.rules,
  ],
};

/** As above, and the homeserver takes the tokens. @param whoami what it says about them */
export function grantsAndServes(name: string, whoami: JsonValue): Mutant {
  return {
    name,
    rules: [
      ...GRANTS_ANYTHING.rules,
      {
        match: WHOAMI_REQUEST,
        phase: "before",
        action: { kind: "answer", status: 200, body: whoami },
      },
    ],
  };
}

export const REFRESHES_ANYTHING = altersAnswer(
  "refreshes all the same",
  { ...REFRESH, status: REFUSALS },
  { status: 200, body: TOKENS },
);

export const BREAKS_ON_EXCHANGE = altersAnswer(
  "breaks instead of refusing",
  { ...EXCHANGE, status: REFUSALS },
  { status: 500, body: { error: "server_error" } },
);

/** What a client sends to end its session does not arrive. */
export const CLAIMS_TO_REVOKE: Mutant = claims(
  "says that it has revoked, and revokes nothing",
  REVOKE,
  {},
);

/** A callback that says something else, or comes where it should not. @param pairs as of `Rewrite.head` */
export function callsBack(name: string, ...pairs: readonly (readonly [string, string])[]): Mutant {
  return altersAnswer(name, REDIRECT, { head: pairs });
}

/** A client that asks for something else than it means to. */
export function asksFor(name: string, ...pairs: readonly (readonly [string, string])[]): Mutant {
  return {
    name,
    rules: [{ match: AUTHORIZE, phase: "before", action: { kind: "rewrite", head: pairs } }],
  };
}
