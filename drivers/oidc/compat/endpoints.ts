/**
 * The legacy API of a homeserver whose accounts are here: what a reverse proxy hands to the auth service, as it does to MAS.
 * Sessions of the two APIs are kept apart: neither ends or refreshes one of the other.
 */
import { HomeserverTrouble } from "../homeserver.ts";
import { answersCors, BadRequest, bearerOf, type Context, type Next, readBody } from "../http.ts";
import { ACCESS_TOKEN_TTL_S, type Tokens } from "../oauth/tokens.ts";
import { now } from "../store/clock.ts";
import type { AuthSessionRow, TokenPair } from "../store/sessions.ts";
import { FLOWS, type LoginParts, logIn } from "./login.ts";
import { answerMatrixError, MatrixError, missing, objectOf, textIn } from "./matrix-error.ts";
import { SSO_PATH, ssoProblem } from "./sso.ts";

export interface CompatParts extends LoginParts {
  readonly tokens: Tokens;
  readonly publicBase: string;
}

const PATHS =
  /^\/_matrix\/client\/(?:r0|v\d+|unstable)\/(login|logout|logout\/all|refresh|login\/sso\/redirect(?:\/[^/]*)?)\/?$/;

type Handler = (
  parts: CompatParts,
  context: Context,
) => Promise<Record<string, unknown> | undefined>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  "GET login": async () => FLOWS,
  "POST login": async (parts, context) =>
    await logIn(parts, objectOf(await readBody(context)), tokenOf(context)),
  "POST logout": async (parts, context) => {
    await parts.signIns.end(ownSession(parts, context));
    return {};
  },
  "POST logout/all": async (parts, context) => {
    const { localpart } = ownSession(parts, context);
    const sessions = parts.sessions.live(localpart).filter(({ kind }) => kind !== "oauth");
    await parts.signIns.endAll(sessions);
    return {};
  },
  "POST refresh": async (parts, context) => await refresh(parts, objectOf(await readBody(context))),
  "GET login/sso/redirect": async ({ publicBase }, context) => {
    const problem = ssoProblem(context.query);
    if (problem !== undefined) throw new MatrixError(400, "M_INVALID_PARAM", problem);
    // Asked at the homeserver's address, shown at ours.
    context.redirect(new URL(`${SSO_PATH}?${context.querystring}`, publicBase).href);
    return undefined;
  },
};

export function compatEndpoints(parts: CompatParts) {
  return async (context: Context, next: Next): Promise<void> => {
    if (!context.path.startsWith("/_matrix/")) return await next();
    if (answersCors(context, "GET, POST, PUT, DELETE, OPTIONS")) return;
    context.set("Cache-Control", "no-store");
    try {
      const [, name] = PATHS.exec(context.path) ?? [];
      const handler = HANDLERS[`${context.method} ${name}`];
      if (name === undefined || name.startsWith("login/sso/redirect/")) {
        throw new MatrixError(404, "M_UNRECOGNIZED", "there is nothing here");
      }
      if (handler === undefined) throw new MatrixError(405, "M_UNRECOGNIZED", "not this way");
      const answer = await handler(parts, context);
      if (answer !== undefined) context.body = answer;
    } catch (error) {
      answerMatrixError(context, matrixErrorOf(error));
    }
  };
}

function matrixErrorOf(error: unknown): MatrixError {
  if (error instanceof MatrixError) return error;
  if (error instanceof BadRequest) return new MatrixError(400, "M_NOT_JSON", error.message);
  // Of what a client has asked for, the homeserver refuses names of devices alone.
  if (error instanceof HomeserverTrouble && error.status === 400)
    return new MatrixError(400, "M_INVALID_PARAM", error.message);
  if (error instanceof HomeserverTrouble) return new MatrixError(503, "M_UNKNOWN", error.message);
  throw error;
}

/** The session of the request, which has to be one of the legacy API. */
function ownSession({ sessions }: CompatParts, context: Context): AuthSessionRow {
  const token = tokenOf(context);
  if (token === undefined) throw new MatrixError(401, "M_MISSING_TOKEN", "there is no token");
  const pair = sessions.byAccessToken(token);
  const session = pair === undefined ? undefined : sessions.find(pair.sessionId);
  if (pair === undefined || session === undefined || session.isEnded || session.kind === "oauth") {
    throw unknownToken(false);
  }
  if (pair.abandonedAt !== undefined) throw unknownToken(false);
  if (isExpired(pair)) throw unknownToken(true);
  return session;
}

function tokenOf(context: Context): string | undefined {
  const { access_token: inQuery } = context.query;
  return bearerOf(context) ?? (typeof inQuery === "string" ? inQuery : undefined);
}

function isExpired({ expiresAt }: TokenPair): boolean {
  return expiresAt !== undefined && expiresAt <= now();
}

async function refresh(
  { tokens, signIns }: CompatParts,
  body: ReadonlyMap<string, unknown>,
): Promise<Record<string, unknown>> {
  const given = textIn(body, "refresh_token");
  if (given === undefined) throw missing("refresh_token");
  const refreshed = tokens.refresh(given, ({ kind }) => kind === "compat");
  if (refreshed.kind === "reused") await signIns.end(refreshed.session);
  if (refreshed.kind !== "refreshed") throw unknownToken(false);
  return {
    access_token: refreshed.pair.accessToken,
    refresh_token: refreshed.pair.refreshToken,
    expires_in_ms: ACCESS_TOKEN_TTL_S * 1000,
  };
}

function unknownToken(isSoft: boolean): MatrixError {
  return new MatrixError(401, "M_UNKNOWN_TOKEN", "unknown token", { soft_logout: isSoft });
}
