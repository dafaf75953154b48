/** Logging in by the legacy API (specification, Login; MSC3824 for clients that know both APIs). */
import { randomUUID } from "node:crypto";
import { randomDeviceId } from "../device-id.ts";
import { scopeFor } from "../oauth/scope.ts";
import { ACCESS_TOKEN_TTL_S } from "../oauth/tokens.ts";
import type { SignIns } from "../sign-ins.ts";
import { type Account, type Accounts, localpartOf } from "../store/accounts.ts";
import type { LoginTokens } from "../store/login-tokens.ts";
import type { Sessions } from "../store/sessions.ts";
import { MatrixError, missing, textIn } from "./matrix-error.ts";

export interface LoginParts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly signIns: SignIns;
  readonly loginTokens: LoginTokens;
  readonly serverName: string;
}

type Body = ReadonlyMap<string, unknown>;

export const FLOWS = {
  flows: [
    { type: "m.login.password" },
    {
      type: "m.login.sso",
      oauth_aware_preferred: true,
      "org.matrix.msc3824.delegated_oidc_compatibility": true,
    },
    { type: "m.login.token" },
  ],
};

/**
 * @param bearer as an application service has one
 * @throws MatrixError
 */
export async function logIn(
  parts: LoginParts,
  body: Body,
  bearer: string | undefined,
): Promise<Record<string, unknown>> {
  const account = usable(accountOf(parts, body, bearer));
  const { localpart, isAdmin } = account;
  const deviceId = textIn(body, "device_id") ?? randomDeviceId();
  if (deviceId === "" || deviceId.length > 255) {
    throw new MatrixError(400, "M_INVALID_PARAM", "device ids have 1 to 255 characters");
  }
  const displayName = textIn(body, "initial_device_display_name");
  const isRefreshable = body.get("refresh_token") === true;
  const isKnown = parts.sessions.live(localpart).some((session) => session.deviceId === deviceId);
  const pair = await parts.signIns.begin({
    id: randomUUID(),
    kind: "compat",
    localpart,
    deviceId,
    scope: scopeFor({ isAdmin }),
    // Names a device only at its first login.
    displayName: isKnown ? undefined : displayName,
    expiresInS: isRefreshable ? ACCESS_TOKEN_TTL_S : undefined,
    withRefreshToken: isRefreshable,
  });
  return {
    user_id: `@${localpart}:${parts.serverName}`,
    device_id: deviceId,
    access_token: pair.accessToken,
    home_server: parts.serverName,
    ...(isRefreshable
      ? { refresh_token: pair.refreshToken, expires_in_ms: ACCESS_TOKEN_TTL_S * 1000 }
      : {}),
  };
}

function accountOf(parts: LoginParts, body: Body, bearer: string | undefined): Account {
  const type = textIn(body, "type");
  switch (type) {
    case undefined:
      throw missing("type");
    case "m.login.password":
      return byPassword(parts, body);
    case "m.login.token":
      return byToken(parts, body);
    case "m.login.application_service":
      throw appserviceProblem(parts, bearer);
    default:
      throw new MatrixError(400, "M_UNKNOWN", "unknown login type");
  }
}

/** Who the application services are is known to the homeserver only; that a token is a user's, here too. */
function appserviceProblem({ sessions }: LoginParts, bearer: string | undefined): MatrixError {
  if (bearer === undefined) return new MatrixError(401, "M_MISSING_TOKEN", "there is no token");
  if (sessions.byAccessToken(bearer) !== undefined) {
    return new MatrixError(403, "M_FORBIDDEN", "this is no token of an application service");
  }
  return new MatrixError(
    400,
    "M_APPSERVICE_LOGIN_UNSUPPORTED",
    "application services make devices with PUT /devices here",
  );
}

function byPassword({ accounts, serverName }: LoginParts, body: Body): Account {
  const user = userOf(body);
  const password = textIn(body, "password");
  if (password === undefined) throw missing("password");
  const account = accounts.withPassword(localpartOf(user, serverName), password);
  if (account === undefined) {
    throw new MatrixError(403, "M_FORBIDDEN", "wrong user name or password");
  }
  return account;
}

function userOf(body: Body): string {
  const identifier = body.get("identifier");
  if (identifier === undefined) {
    const user = textIn(body, "user");
    if (user === undefined) throw missing("identifier");
    return user;
  }
  if (typeof identifier !== "object" || identifier === null || Array.isArray(identifier)) {
    throw new MatrixError(400, "M_BAD_JSON", "identifier has to be an object");
  }
  const fields = new Map<string, unknown>(Object.entries(identifier));
  const type = textIn(fields, "type");
  if (type === undefined) throw missing("identifier.type");
  if (type !== "m.id.user") throw new MatrixError(400, "M_UNKNOWN", "unknown identifier type");
  const user = textIn(fields, "user");
  if (user === undefined) throw missing("identifier.user");
  return user;
}

function byToken({ accounts, loginTokens }: LoginParts, body: Body): Account {
  const token = textIn(body, "token");
  if (token === undefined) throw missing("token");
  const localpart = loginTokens.take(token);
  const account = localpart === undefined ? undefined : accounts.find(localpart);
  if (account === undefined) throw new MatrixError(403, "M_FORBIDDEN", "invalid login token");
  return account;
}

/** Only who has proved to be the owner hears of the state of an account. */
function usable(account: Account): Account {
  if (account.isDeactivated) {
    throw new MatrixError(403, "M_USER_DEACTIVATED", "this account has been deactivated");
  }
  if (account.isLocked) {
    throw new MatrixError(401, "M_USER_LOCKED", "this account has been locked", {
      soft_logout: true,
    });
  }
  return account;
}
