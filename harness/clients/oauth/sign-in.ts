/** Signing in with a browser (specification §Authorization code flow, MSC2964), in one call or step by step. */
import type { HttpResponse } from "#harness/http/client";
import { at, numberAt, textAt } from "#harness/match/json";
import type { WorldAuth } from "#harness/world/auth";
import { ok } from "#harness/world/expect";
import type { Account, ServerClient, Session } from "#harness/world/session";
import { AuthClient } from "./auth-client.ts";
import { type Callback, parameterOf } from "./callback.ts";
import { makePkce, type Pkce } from "./pkce.ts";
import { type RegisteredClient, registerClient } from "./registration.ts";
import { deviceScope, devicesIn } from "./scopes.ts";
import { UserAgent, type Visit } from "./user-agent.ts";

/** Where people sign in: the world of a check, or what is like it. */
export interface Site {
  /** Unique within the run. */
  name(prefix: string): string;
  anonymous(role?: string): ServerClient;
  auth(role?: string): Pick<WorldAuth, "kind">;
  session(
    role: string,
    account: Account,
    device: { accessToken: string; deviceId: string },
  ): Session;
}

/** Somebody who can sign in, on the server of a role. */
export type Person = Account & { readonly server: { readonly role: string } };

export interface SignInOptions {
  readonly deviceId?: string;
  /** Instead of the API scope and the device. */
  readonly scope?: string;
  readonly responseMode?: "query" | "fragment";
  /** A client that is registered already. */
  readonly client?: RegisteredClient;
  /** A browser that may have a session already. */
  readonly agent?: UserAgent;
}

/** What a client has once it is signed in. */
export interface OAuthSession {
  readonly client: RegisteredClient;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: number;
  /** As granted; as asked for, when the server does not say. */
  readonly scope: string;
  readonly session: Session;
}

/** A request for authorization that has not been sent, with what the client keeps of it. */
export interface AuthorizationRequest {
  readonly client: RegisteredClient;
  readonly parameters: Readonly<Record<string, string | undefined>>;
  readonly pkce: Pkce;
  readonly state: string;
  readonly url: string;
}

/** A request that was granted. */
export interface CodeGrant extends AuthorizationRequest {
  readonly callback: Callback;
  readonly code: string;
}

export function deviceName(world: Site): string {
  return world.name("DEVICE");
}

/** The service of a server, as clients reach it. */
export function authClient(world: Site, role = "hs1"): Promise<AuthClient> {
  return AuthClient.of(world.anonymous(role));
}

/** A browser of its own, without a session. */
export function userAgent(world: Site, auth: AuthClient, role = "hs1"): UserAgent {
  return new UserAgent(auth, world.auth(role).kind);
}

/** @param changes parameters instead of the usual ones; undefined leaves one out */
export function authorizationRequest(
  world: Site,
  client: RegisteredClient,
  changes: Readonly<Record<string, string | undefined>> = {},
): AuthorizationRequest {
  const pkce = makePkce();
  const state = world.name("state");
  const parameters = {
    response_type: "code",
    response_mode: "fragment",
    client_id: client.clientId,
    redirect_uri: client.redirectUri,
    scope: deviceScope(deviceName(world)),
    state,
    code_challenge: pkce.challenge,
    code_challenge_method: "S256",
    ...changes,
  };
  const url = client.auth.authorizationUrl(parameters);
  return { client, parameters, pkce, state: parameters.state ?? "", url };
}

/** Sends somebody to the pages until the client has a code. */
export async function obtainCode(
  request: AuthorizationRequest,
  agent: UserAgent,
  visit: Visit,
): Promise<CodeGrant> {
  const callback = await agent.authorize(request.url, visit);
  return { ...request, callback, code: codeIn(callback) };
}

/** @throws CheckFailure when the client was sent an error */
function codeIn(callback: Callback): string {
  return textAt({ code: parameterOf(callback, "code") }, "code");
}

/** The parameters of the request that redeems a code. */
export function exchangeParameters({ client, code, parameters, pkce }: CodeGrant) {
  return {
    grant_type: "authorization_code",
    code,
    redirect_uri: parameters.redirect_uri,
    client_id: client.clientId,
    code_verifier: pkce.verifier,
  };
}

/** Redeems a code. @param changes parameters instead of the usual ones; undefined leaves one out */
export function exchange(
  grant: CodeGrant,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<HttpResponse> {
  return grant.client.auth.token({ ...exchangeParameters(grant), ...changes });
}

export function refresh(
  { client, refreshToken }: Pick<OAuthSession, "client" | "refreshToken">,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<HttpResponse> {
  return client.auth.token({
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    client_id: client.clientId,
    ...changes,
  });
}

/** Revokes a session by its access token. @param changes parameters instead of the usual ones; undefined leaves one out */
export function revoke(
  { client, accessToken }: OAuthSession,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<HttpResponse> {
  return client.auth.revoke({ client_id: client.clientId, token: accessToken, ...changes });
}

/** A code for a person, with a browser that nobody has used yet unless one is given. */
export async function codeFor(
  world: Site,
  person: Person,
  options: SignInOptions = {},
): Promise<CodeGrant> {
  const { role } = person.server;
  const client = options.client ?? (await registerClient(await authClient(world, role)));
  const agent = options.agent ?? userAgent(world, client.auth, role);
  const scope = options.scope ?? deviceScope(options.deviceId ?? deviceName(world));
  const request = authorizationRequest(world, client, {
    scope,
    response_mode: options.responseMode ?? "fragment",
  });
  return await obtainCode(request, agent, { account: person });
}

/** @throws CheckFailure unless the answer has tokens */
export function sessionOf(
  world: Site,
  person: Person,
  grant: { readonly client: RegisteredClient; readonly scope: string },
  response: HttpResponse,
): OAuthSession {
  const body = ok(response);
  const granted = at(body, "scope");
  const scope = typeof granted === "string" ? granted : grant.scope;
  const accessToken = textAt(body, "access_token");
  const [deviceId = ""] = devicesIn(scope);
  return {
    client: grant.client,
    accessToken,
    refreshToken: textAt(body, "refresh_token"),
    expiresIn: numberAt(body, "expires_in"),
    scope,
    session: world.session(person.server.role, person, { accessToken, deviceId }),
  };
}

/** A device of its own for a person, who consents to everything on the way. */
export async function signIn(
  world: Site,
  person: Person,
  options: SignInOptions = {},
): Promise<OAuthSession> {
  const grant = await codeFor(world, person, options);
  const { client, parameters } = grant;
  const scope = parameters.scope ?? "";
  return sessionOf(world, person, { client, scope }, await exchange(grant));
}
