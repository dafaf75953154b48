/** Tokens that a browser carries from our pages to a client of the legacy API: for one login, soon. */
import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { now } from "./clock.ts";

/** Long enough for a browser that is slow to hand it over. */
const TTL_S = 30;

export class LoginTokens {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  make(localpart: string): string {
    const token = `clt_${randomBytes(24).toString("base64url")}`;
    this.#database
      .prepare("INSERT INTO login_tokens VALUES (?, ?, ?)")
      .run(token, localpart, now() + TTL_S);
    return token;
  }

  /** Whose it is, once. */
  take(token: string): string | undefined {
    const row = this.#database
      .prepare("DELETE FROM login_tokens WHERE token = ? RETURNING localpart, expires_at")
      .get(token);
    return row === undefined || Number(row.expires_at) <= now() ? undefined : String(row.localpart);
  }
}
