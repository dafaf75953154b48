/** The service's data: one SQLite file, so that SIGKILL loses nothing that was answered. */
import { DatabaseSync } from "node:sqlite";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS models (
  model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL,
  grant_id TEXT, user_code TEXT, uid TEXT, expires_at INTEGER,
  PRIMARY KEY (model, id)
) STRICT;
CREATE INDEX IF NOT EXISTS models_grant ON models (grant_id);
CREATE INDEX IF NOT EXISTS models_user_code ON models (user_code);
CREATE INDEX IF NOT EXISTS models_uid ON models (uid);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS accounts (
  localpart TEXT PRIMARY KEY, password TEXT, is_admin INTEGER NOT NULL,
  is_locked INTEGER NOT NULL, is_deactivated INTEGER NOT NULL,
  owes_state INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, localpart TEXT NOT NULL, client_id TEXT,
  device_id TEXT, scope TEXT NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER,
  owes_device INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_localpart ON sessions (localpart);
CREATE TABLE IF NOT EXISTS pairs (
  id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, parent INTEGER,
  access_token TEXT NOT NULL UNIQUE, refresh_token TEXT UNIQUE, expires_at INTEGER,
  is_used INTEGER NOT NULL DEFAULT 0, seen_at INTEGER,
  replaced_at INTEGER, abandoned_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS pairs_session ON pairs (session_id);
CREATE TABLE IF NOT EXISTS login_tokens (
  token TEXT PRIMARY KEY, localpart TEXT NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pairs_parent ON pairs (parent);
`;

/** Opens the file, and makes it when it is not there. */
export function openDatabase(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  // A killed process leaves what it wrote to the page cache; only a machine that loses power could lose the last of it.
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;",
  );
  database.exec(SCHEMA);
  return database;
}

/** Runs the work as one transaction: all of it is kept, or none. */
export function atomically<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}
