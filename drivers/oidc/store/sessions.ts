/**
 * Sessions and their tokens. A session is what one sign-in gave to one client on one device; it holds pairs of an access
 * and a refresh token, of which each but the first came of a refresh of its parent.
 *
 * A refresh can be repeated while what it gave is unused (specification, Refresh token grant): a pair lives beside its
 * siblings until one of them is used. That one then replaces the parent, and the others are abandoned.
 */
import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { now } from "./clock.ts";
import { atomically } from "./database.ts";

/** `oauth`: by the OAuth API; `compat`: by the legacy API; `personal`: by the admin side. */
export type SessionKind = "oauth" | "compat" | "personal";

export interface AuthSessionRow {
  readonly id: string;
  readonly kind: SessionKind;
  readonly localpart: string;
  readonly clientId: string | undefined;
  readonly deviceId: string | undefined;
  readonly scope: string;
  readonly createdAt: number;
  readonly isEnded: boolean;
}

export interface TokenPair {
  readonly id: number;
  readonly sessionId: string;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly expiresAt: number | undefined;
  /** Since when a used child stands in for it. */
  readonly replacedAt: number | undefined;
  /** Since when a sibling was used in its stead. */
  readonly abandonedAt: number | undefined;
}

export interface PairOrder {
  readonly sessionId: string;
  readonly parent?: number;
  /** Does not expire unless given. */
  readonly expiresInS?: number | undefined;
  readonly withRefreshToken: boolean;
}

export class Sessions {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Notes a session that is about to begin. Until it is opened it counts as one that has ended and owes its device: whoever
   * is killed in between leaves none behind at the homeserver.
   */
  add(session: Omit<AuthSessionRow, "isEnded" | "createdAt">): void {
    const { id, kind, localpart, clientId, deviceId, scope } = session;
    this.#database
      .prepare("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run(
        id,
        kind,
        localpart,
        clientId ?? null,
        deviceId ?? null,
        scope,
        now(),
        now(),
        deviceId === undefined ? 0 : 1,
      );
  }

  open(id: string): void {
    this.#database
      .prepare("UPDATE sessions SET ended_at = NULL, owes_device = 0 WHERE id = ?")
      .run(id);
  }

  find(id: string): AuthSessionRow | undefined {
    const row = this.#database.prepare("SELECT * FROM sessions WHERE id = ?").get(id);
    return row === undefined ? undefined : sessionOf(row);
  }

  /** Those that have not ended, oldest first. */
  live(localpart: string): readonly AuthSessionRow[] {
    return this.#database
      .prepare("SELECT * FROM sessions WHERE localpart = ? AND ended_at IS NULL ORDER BY rowid")
      .all(localpart)
      .map(sessionOf);
  }

  /** @param owesDevice whether the homeserver has yet to be told that the device is gone */
  end(id: string, owesDevice: boolean): void {
    this.#database
      .prepare(
        "UPDATE sessions SET ended_at = ?, owes_device = ? WHERE id = ? AND ended_at IS NULL",
      )
      .run(now(), owesDevice ? 1 : 0, id);
  }

  /** The homeserver knows, or need not: the device is another session's. */
  settleDevice(localpart: string, deviceId: string): void {
    this.#database
      .prepare("UPDATE sessions SET owes_device = 0 WHERE localpart = ? AND device_id = ?")
      .run(localpart, deviceId);
  }

  /** Ended ones whose device the homeserver still has, because it gave no answer. */
  owingDevices(): readonly AuthSessionRow[] {
    return this.#database
      .prepare("SELECT * FROM sessions WHERE owes_device = 1")
      .all()
      .map(sessionOf);
  }

  addPair({ sessionId, parent, expiresInS, withRefreshToken }: PairOrder): TokenPair {
    const { lastInsertRowid } = this.#database
      .prepare(
        "INSERT INTO pairs (session_id, parent, access_token, refresh_token, expires_at) VALUES (?, ?, ?, ?, ?)",
      )
      .run(
        sessionId,
        parent ?? null,
        token("cat"),
        withRefreshToken ? token("crt") : null,
        expiresInS === undefined ? null : now() + expiresInS,
      );
    return this.#pair("id", Number(lastInsertRowid)) as TokenPair;
  }

  byAccessToken(accessToken: string): TokenPair | undefined {
    return this.#pair("access_token", accessToken);
  }

  byRefreshToken(refreshToken: string): TokenPair | undefined {
    return this.#pair("refresh_token", refreshToken);
  }

  /** Notes that one of its tokens was used: it stands in for its parent from now on, and its siblings are abandoned. */
  use({ id }: TokenPair): void {
    atomically(this.#database, () => {
      const { changes } = this.#database
        .prepare("UPDATE pairs SET is_used = 1 WHERE id = ? AND is_used = 0")
        .run(id);
      if (changes === 0) return;
      const parent = this.#database
        .prepare("SELECT parent FROM pairs WHERE id = ?")
        .get(id)?.parent;
      if (typeof parent !== "number") return;
      this.#database
        .prepare("UPDATE pairs SET replaced_at = ? WHERE id = ? AND replaced_at IS NULL")
        .run(now(), parent);
      this.#database
        .prepare("UPDATE pairs SET abandoned_at = ? WHERE parent = ? AND id != ?")
        .run(now(), parent, id);
    });
  }

  /** Whether the pair that stands in for this one has been replaced too. */
  hasMovedOn({ id }: TokenPair): boolean {
    const row = this.#database
      .prepare("SELECT 1 FROM pairs WHERE parent = ? AND replaced_at IS NOT NULL")
      .get(id);
    return row !== undefined;
  }

  /** Notes that the homeserver was told that the access token is good, which it remembers for a while. */
  see({ id }: TokenPair): void {
    this.#database.prepare("UPDATE pairs SET seen_at = ? WHERE id = ?").run(now(), id);
  }

  /** Access tokens of the session that the homeserver was told to be good within the last seconds. */
  seenWithin(sessionId: string, seconds: number): readonly string[] {
    return this.#database
      .prepare("SELECT access_token FROM pairs WHERE session_id = ? AND seen_at >= ?")
      .all(sessionId, now() - seconds)
      .map((row) => String(row.access_token));
  }

  #pair(column: "id" | "access_token" | "refresh_token", value: string | number) {
    const row = this.#database.prepare(`SELECT * FROM pairs WHERE ${column} = ?`).get(value);
    return row === undefined ? undefined : pairOf(row);
  }
}

type Row = Record<string, unknown>;

function sessionOf(row: Row): AuthSessionRow {
  return {
    id: String(row.id),
    kind: String(row.kind) as SessionKind,
    localpart: String(row.localpart),
    clientId: textOf(row.client_id),
    deviceId: textOf(row.device_id),
    scope: String(row.scope),
    createdAt: Number(row.created_at),
    isEnded: row.ended_at !== null,
  };
}

function pairOf(row: Row): TokenPair {
  return {
    id: Number(row.id),
    sessionId: String(row.session_id),
    accessToken: String(row.access_token),
    refreshToken: textOf(row.refresh_token),
    expiresAt: numberOf(row.expires_at),
    replacedAt: numberOf(row.replaced_at),
    abandonedAt: numberOf(row.abandoned_at),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function token(prefix: string): string {
  return `${prefix}_${randomBytes(24).toString("base64url")}`;
}
