/** Who may sign in, and with which password. */
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

export interface Account {
  readonly localpart: string;
  readonly isAdmin: boolean;
  readonly isLocked: boolean;
  readonly isDeactivated: boolean;
}

/** Cheap on purpose: what it protects lives as long as a run. */
const COST = { N: 1024, r: 8, p: 1 };
/** Compared with where there is no account, so that both take the same time. */
const NOBODY = hashed("nobody");

export class Accounts {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** False when the name is taken. */
  add(localpart: string, password: string | undefined, isAdmin = false): boolean {
    const { changes } = this.#database
      .prepare("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, 0, 0, 0)")
      .run(localpart, password === undefined ? null : hashed(password), isAdmin ? 1 : 0);
    return changes === 1;
  }

  find(localpart: string): Account | undefined {
    const row = this.#database.prepare("SELECT * FROM accounts WHERE localpart = ?").get(localpart);
    if (row === undefined) return undefined;
    return {
      localpart,
      isAdmin: row.is_admin === 1,
      isLocked: row.is_locked === 1,
      isDeactivated: row.is_deactivated === 1,
    };
  }

  /** The account when name and password belong together, whatever its state. Names in capitals mean those without. */
  withPassword(name: string, password: string): Account | undefined {
    const localpart = this.find(name) === undefined ? name.toLowerCase() : name;
    const row = this.#database
      .prepare("SELECT password FROM accounts WHERE localpart = ?")
      .get(localpart);
    const stored = typeof row?.password === "string" ? row.password : undefined;
    const isRight = isPassword(password, stored ?? NOBODY);
    return stored !== undefined && isRight ? this.find(localpart) : undefined;
  }

  /** Until it is settled, the homeserver has yet to be told. */
  setLocked(localpart: string, isLocked: boolean): void {
    this.#database
      .prepare("UPDATE accounts SET is_locked = ?, owes_state = 1 WHERE localpart = ?")
      .run(isLocked ? 1 : 0, localpart);
  }

  /** Until it is settled, the homeserver has yet to be told. */
  setDeactivated(localpart: string, isDeactivated: boolean): void {
    this.#database
      .prepare("UPDATE accounts SET is_deactivated = ?, owes_state = 1 WHERE localpart = ?")
      .run(isDeactivated ? 1 : 0, localpart);
  }

  /** The homeserver knows the state of the account. */
  settle(localpart: string): void {
    this.#database.prepare("UPDATE accounts SET owes_state = 0 WHERE localpart = ?").run(localpart);
  }

  /** Names of those whose state the homeserver has not heard of. */
  owingState(): readonly string[] {
    return this.#database
      .prepare("SELECT localpart FROM accounts WHERE owes_state = 1")
      .all()
      .map((row) => String(row.localpart));
  }
}

function hashed(password: string): string {
  const salt = randomBytes(16);
  return `${salt.toString("base64")}:${scryptSync(password, salt, 32, COST).toString("base64")}`;
}

function isPassword(password: string, stored: string): boolean {
  const [salt = "", hash = ""] = stored.split(":").map((part) => Buffer.from(part, "base64"));
  const given = scryptSync(password, salt, 32, COST);
  return timingSafeEqual(given, Buffer.from(hash));
}

/** People write a localpart or a whole user id. */
export function localpartOf(username: string, serverName: string): string {
  const suffix = `:${serverName}`;
  const whole = username.trim();
  return whole.startsWith("@") && whole.endsWith(suffix) ? whole.slice(1, -suffix.length) : whole;
}
