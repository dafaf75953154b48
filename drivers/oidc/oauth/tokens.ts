/** Tokens as clients and the homeserver see them: refreshing, and what introspection says of one. */

import type { Accounts } from "../store/accounts.ts";
import { now } from "../store/clock.ts";
import type { AuthSessionRow, Sessions, TokenPair } from "../store/sessions.ts";

/** Access tokens that can be refreshed live as long as MAS's. */
export const ACCESS_TOKEN_TTL_S = 300;
/**
 * A replaced refresh token that comes later than this is not a client's second try, but somebody else's; so is one whose
 * successor has been replaced as well.
 */
const RETRY_GRACE_S = 15;

export type Refreshed =
  | { readonly kind: "refreshed"; readonly pair: TokenPair; readonly session: AuthSessionRow }
  | { readonly kind: "refused" }
  /** A token that was replaced long ago: the session is not safe any more. */
  | { readonly kind: "reused"; readonly session: AuthSessionRow };

export class Tokens {
  readonly #sessions: Sessions;
  readonly #accounts: Accounts;

  constructor(sessions: Sessions, accounts: Accounts) {
    this.#sessions = sessions;
    this.#accounts = accounts;
  }

  /** @param isOwn whether the session is of the client that asks */
  refresh(refreshToken: string, isOwn: (session: AuthSessionRow) => boolean): Refreshed {
    const pair = this.#sessions.byRefreshToken(refreshToken);
    const session = pair === undefined ? undefined : this.#sessions.find(pair.sessionId);
    if (pair === undefined || session === undefined || session.isEnded || !isOwn(session)) {
      return { kind: "refused" };
    }
    const retiredAt = pair.replacedAt ?? pair.abandonedAt;
    if (retiredAt !== undefined) {
      const isLate = now() - retiredAt > RETRY_GRACE_S || this.#sessions.hasMovedOn(pair);
      return isLate ? { kind: "reused", session } : { kind: "refused" };
    }
    this.#sessions.use(pair);
    const next = this.#sessions.addPair({
      sessionId: session.id,
      parent: pair.id,
      expiresInS: ACCESS_TOKEN_TTL_S,
      withRefreshToken: true,
    });
    return { kind: "refreshed", pair: next, session };
  }

  /** RFC 7662, with what Synapse reads: `username`, and `device_id` where the scope names none. */
  introspect(accessToken: string): Record<string, unknown> {
    const inactive = { active: false };
    const pair = this.#sessions.byAccessToken(accessToken);
    if (pair === undefined || pair.abandonedAt !== undefined) return inactive;
    const expiresInS = pair.expiresAt === undefined ? undefined : pair.expiresAt - now();
    if (expiresInS !== undefined && expiresInS <= 0) return inactive;
    const session = this.#sessions.find(pair.sessionId);
    if (session === undefined || session.isEnded) return inactive;
    const account = this.#accounts.find(session.localpart);
    if (account === undefined || account.isLocked || account.isDeactivated) return inactive;
    this.#sessions.use(pair);
    this.#sessions.see(pair);
    return {
      active: true,
      scope: session.scope,
      username: session.localpart,
      sub: session.localpart,
      token_type: "Bearer",
      ...(session.clientId === undefined ? {} : { client_id: session.clientId }),
      ...(session.kind === "oauth" || session.deviceId === undefined
        ? {}
        : { device_id: session.deviceId }),
      ...(expiresInS === undefined ? {} : { expires_in: expiresInS, exp: pair.expiresAt }),
    };
  }
}
