/** The endpoints of the OAuth API that are ours, in front of oidc-provider's. */
import { errors, type Provider } from "oidc-provider";
import { HomeserverTrouble } from "../homeserver.ts";
import {
  answerOauthError,
  answersCors,
  BadRequest,
  basicPasswordOf,
  bearerOf,
  type Context,
  isSame,
  type Next,
  readBody,
  readForm,
} from "../http.ts";
import type { SignIns } from "../sign-ins.ts";
import { now } from "../store/clock.ts";
import type { AuthSessionRow, Sessions, TokenPair } from "../store/sessions.ts";
import { Turns } from "../turns.ts";
import { INTERVAL_S, Polls } from "./polls.ts";
import { DEVICE_GRANT, INTROSPECTION, ROUTES } from "./provider.ts";
import { isRefusal, readRegistration } from "./registration.ts";
import { deviceOf, withUnstableNames } from "./scope.ts";
import { ACCESS_TOKEN_TTL_S, type Tokens } from "./tokens.ts";

export interface OauthParts {
  readonly provider: Provider;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  readonly signIns: SignIns;
  readonly secret: string;
}

export function oauthEndpoints(parts: OauthParts) {
  useOwnRefresh(parts);
  const polls = new Polls();
  const turns = new Turns();
  return async (context: Context, next: Next): Promise<void> => {
    switch (context.path) {
      case ROUTES.registration:
        return await register(context, next);
      case ROUTES.token:
        return await takeToken(context, next, turns, () => issue(parts, polls, context, next));
      case ROUTES.device_authorization:
        return await startDevice(context, next);
      case ROUTES.revocation:
        return await revoke(parts, context);
      case INTROSPECTION:
        return await introspect(parts, context);
      default:
        return await next();
    }
  };
}

/** Registration: only what passes our rules goes on to oidc-provider. */
async function register(context: Context, next: Next): Promise<void> {
  if (answersCors(context, "POST")) return;
  if (context.method !== "POST") return await next();
  let body: unknown;
  try {
    body = JSON.parse(await readBody(context));
  } catch {
    answerOauthError(context, 400, "invalid_client_metadata", "the body is not JSON");
    return;
  }
  const registration = readRegistration(body);
  if (isRefusal(registration)) {
    answerOauthError(context, 400, registration.error, registration.description);
    return;
  }
  const { metadata, localised } = registration;
  Object.assign(context.req, { body: { ...metadata, localised } });
  context.req.headers["content-type"] = "application/json";
  await next();
  if (context.status === 201) {
    const { localised: _, ...registered } = context.body as Record<string, unknown>;
    context.body = { ...registered, ...localised };
  }
}

/**
 * The token endpoint. A code that comes several times at once is looked at one by one: the first gets tokens, and the next
 * ends what the first has got.
 */
async function takeToken(
  context: Context,
  next: Next,
  turns: Turns,
  work: () => Promise<void>,
): Promise<void> {
  if (context.method === "OPTIONS") return await next();
  const form = await formOr400(context);
  if (form === undefined) return context.set("Access-Control-Allow-Origin", "*");
  Object.assign(context.req, { body: Object.fromEntries(form) });
  const code = form.get("code") ?? form.get("device_code");
  await (code === undefined ? work() : turns.take(code, work));
}

/** What oidc-provider has granted becomes a session of ours. */
async function issue(parts: OauthParts, polls: Polls, context: Context, next: Next): Promise<void> {
  await next();
  const { AccessToken: granted, AuthorizationCode, DeviceCode } = context.oidc?.entities ?? {};
  const source = AuthorizationCode ?? DeviceCode;
  slowDown(context, polls);
  if (context.status !== 200 || granted?.grantId === undefined || source === undefined) return;
  const { grantId } = granted;
  const scope = granted.scope ?? "";
  const answer = context.body as Record<string, unknown>;
  try {
    const pair = await parts.signIns.begin({
      id: grantId,
      kind: "oauth",
      localpart: granted.accountId,
      clientId: granted.clientId,
      deviceId: deviceOf(scope),
      scope,
      displayName: context.oidc.client?.clientName,
      expiresInS: ACCESS_TOKEN_TTL_S,
      withRefreshToken: true,
    });
    const { id_token } = answer;
    context.body = { ...tokenAnswer(pair, scope), ...(id_token === undefined ? {} : { id_token }) };
  } catch (error) {
    if (!(error instanceof HomeserverTrouble)) throw error;
    // Nobody has got anything for it: the client may try again.
    Object.assign(source, { consumed: undefined });
    await source.save();
    answerOauthError(context, 503, "temporarily_unavailable", error.message);
  }
}

/** Tells a device that asks too often so (RFC 8628 §3.5). */
function slowDown(context: Context, polls: Polls): void {
  const body = context.body as Record<string, unknown> | undefined;
  const code = context.oidc?.params?.device_code;
  if (body?.error !== "authorization_pending" || typeof code !== "string") return;
  if (!polls.isTooSoon(code)) return;
  context.body = { error: "slow_down", error_description: `once every ${INTERVAL_S} s is enough` };
}

/** The library leaves the interval to RFC 8628's default, and has another error for clients without this grant. */
async function startDevice(context: Context, next: Next): Promise<void> {
  await next();
  if (context.oidc?.client?.grantTypeAllowed(DEVICE_GRANT) === false) {
    answerOauthError(
      context,
      400,
      "unauthorized_client",
      "the client has not registered this grant",
    );
    return;
  }
  if (context.method !== "POST" || context.status !== 200) return;
  context.body = { ...(context.body as Record<string, unknown>), interval: INTERVAL_S };
}

/** RFC 6749 §5.1. */
function tokenAnswer(pair: TokenPair, scope: string): Record<string, unknown> {
  return {
    access_token: pair.accessToken,
    token_type: "Bearer",
    ...(pair.expiresAt === undefined ? {} : { expires_in: pair.expiresAt - now() }),
    ...(pair.refreshToken === undefined ? {} : { refresh_token: pair.refreshToken }),
    scope,
  };
}

/** The refresh grant is ours: oidc-provider's rotation takes the session from a client whose answer was lost. */
function useOwnRefresh({ provider, tokens, signIns }: OauthParts): void {
  provider.registerGrantType(
    "refresh_token",
    async (context) => {
      const { params, client } = context.oidc;
      const given = params?.refresh_token;
      if (typeof given !== "string" || given === "") {
        throw new errors.InvalidRequest("refresh_token is missing");
      }
      const refreshed = tokens.refresh(
        given,
        ({ kind, clientId }) => kind === "oauth" && clientId === client?.clientId,
      );
      if (refreshed.kind === "reused") await signIns.end(refreshed.session);
      if (refreshed.kind !== "refreshed") {
        throw new errors.InvalidGrant("the refresh token is not valid");
      }
      const { pair, session } = refreshed;
      const asked = typeof params?.scope === "string" ? params.scope.split(" ") : [];
      const granted = session.scope.split(" ");
      if (asked.some((token) => token !== "" && !granted.includes(token))) {
        throw new errors.InvalidScope("a refresh can not widen the scope", asked.join(" "));
      }
      context.body = tokenAnswer(pair, session.scope);
    },
    ["refresh_token", "scope"],
  );
}

/** RFC 7009 with MSC4254: any client may end the session whose token it has, with any hint or none. */
async function revoke({ sessions, signIns }: OauthParts, context: Context): Promise<void> {
  if (answersCors(context, "POST")) return;
  const form = await formOr400(context);
  if (form === undefined) return;
  const token = form.get("token") ?? "";
  if (token === "") {
    answerOauthError(context, 400, "invalid_request", "token is missing");
    return;
  }
  const pair = sessions.byAccessToken(token) ?? sessions.byRefreshToken(token);
  const session = pair === undefined ? undefined : sessions.find(pair.sessionId);
  context.set("Cache-Control", "no-store");
  context.status = 200;
  context.body = "";
  if (session === undefined || !isOauth(session)) return;
  try {
    await signIns.end(session);
  } catch (error) {
    if (!(error instanceof HomeserverTrouble)) throw error;
    answerOauthError(context, 503, "temporarily_unavailable", error.message);
  }
}

/** Tokens of the legacy API are ended by the legacy API. */
function isOauth({ kind }: AuthSessionRow): boolean {
  return kind !== "compat";
}

async function introspect({ tokens, secret }: OauthParts, context: Context): Promise<void> {
  const isBearer = isSame(bearerOf(context) ?? "", secret);
  // Synapse before 1.136 asks as an OAuth client, and knows no scopes but MSC2967's.
  const isClient = isSame(basicPasswordOf(context) ?? "", secret);
  if (context.method !== "POST" || !(isBearer || isClient)) {
    context.set("WWW-Authenticate", "Bearer");
    answerOauthError(context, 401, "invalid_client", "introspection is for the homeserver");
    return;
  }
  const form = await formOr400(context);
  if (form === undefined) return;
  context.set("Cache-Control", "no-store");
  const told = tokens.introspect(form.get("token") ?? "");
  const { scope } = told;
  context.body =
    isClient && typeof scope === "string" ? { ...told, scope: withUnstableNames(scope) } : told;
}

async function formOr400(context: Context): Promise<ReadonlyMap<string, string> | undefined> {
  if (context.method !== "POST") {
    context.set("Allow", "POST");
    answerOauthError(context, 405, "invalid_request", "POST only");
    return undefined;
  }
  try {
    return await readForm(context);
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error;
    answerOauthError(context, 400, "invalid_request", error.message);
    return undefined;
  }
}
