/** Clients of the legacy API at a server whose accounts are in the hands of an authorization server (MSC3824). */
import type { Landing } from "#harness/clients/oauth/browser";
import { type Callback, parameterOf, readCallback } from "#harness/clients/oauth/callback";
import { authClient, type Person, userAgent } from "#harness/clients/oauth/sign-in";
import { summary, type UserAgent } from "#harness/clients/oauth/user-agent";
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, type JsonObject, listAt, textAt } from "#harness/match/json";
import { expectThat, fail, ok } from "#harness/world/expect";
import type { Account, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const LOGIN = "/_matrix/client/v3/login";
export const LOGOUT = "/_matrix/client/v3/logout";
export const SSO = "/_matrix/client/v3/login/sso/redirect";

/** What the server offers. @throws Unsupported when it has no legacy login */
async function flowsOf(world: World): Promise<readonly unknown[]> {
  const response = await world.anonymous().get(LOGIN);
  if (response.status === 404) throw new Unsupported("compat", "the server has no legacy login");
  return listAt(ok(response), "flows");
}

/** @throws Unsupported unless the server offers it */
export async function needsFlow(world: World, type: string): Promise<void> {
  const flows = await flowsOf(world);
  if (!flows.some((flow) => at(flow, "type") === type))
    throw new Unsupported("compat", `the server has no login by ${type}`);
}

/**
 * Servers that have the legacy login for nothing but old clients support those that know both APIs; one that offers both
 * APIs for good does when it says so.
 *
 * @throws Unsupported when it makes no such claim
 */
export async function needsAwareness(world: World): Promise<readonly unknown[]> {
  const flows = await flowsOf(world);
  const says = flows.some((flow) => at(flow, "oauth_aware_preferred") === true);
  if (world.has("legacy-auth") && !says)
    throw new Unsupported("oauth-aware", "the server does not claim to support such clients");
  return flows;
}

/** POST /login with a password, with any answer. @param changes replaces keys of the body. */
export function tryLogin(
  world: World,
  account: Account,
  changes: JsonObject = {},
): Promise<HttpResponse> {
  return world.anonymous().post(LOGIN, {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: account.userId },
    password: account.password,
    ...changes,
  });
}

/** The session of a login's answer, which has to be a success. */
export function loggedIn(world: World, account: Person, response: HttpResponse): Session {
  const body = ok(response);
  return world.session(account.server.role, account, {
    accessToken: textAt(body, "access_token"),
    deviceId: textAt(body, "device_id"),
  });
}

/** A browser before the login of a client of the legacy API. */
export interface SsoStart {
  readonly agent: UserAgent;
  readonly response: HttpResponse;
  /** Where the browser is sent to; undefined: nowhere. */
  readonly location: string | undefined;
}

export async function startSso(
  world: World,
  query: Readonly<Record<string, string>>,
): Promise<SsoStart> {
  const agent = userAgent(world, await authClient(world));
  const target = `${world.server().clientUrl}${SSO}?${new URLSearchParams(query)}`;
  const response = await agent.browser.request("GET", target);
  const { location } = response.headers;
  const isRedirect = response.status >= 300 && response.status < 400;
  return {
    agent,
    response,
    location: isRedirect && typeof location === "string" ? location : undefined,
  };
}

/** @throws CheckFailure unless the server sends the browser on */
export function locationOf({ location, response }: SsoStart): string {
  expectThat(location !== undefined, "a redirect to a page", response.status, response);
  return location;
}

/** Where a client of the legacy API is called back. */
export const APP = "https://app.crucible.example/sso?kept=1";

/** Goes through the pages until the client is called back. */
export async function callbackOfSso(
  world: World,
  person: Person,
): Promise<{ readonly callback: Callback; readonly token: string }> {
  const start = await startSso(world, { redirectUrl: APP });
  const landing = await start.agent.visit(locationOf(start), { account: person });
  const callback = readCallback(departure(landing));
  return { callback, token: textAt({ token: parameterOf(callback, "loginToken") }, "token") };
}

function departure(landing: Landing): string {
  if (landing.kind === "left") return landing.url;
  fail("the browser to be sent back to the client", summary(landing), landing.response);
}
