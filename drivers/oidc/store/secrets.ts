import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

/** A secret of the service that restarts keep; made when it is first asked for. */
export function keptSecret(
  database: DatabaseSync,
  name: string,
  make: () => string = () => randomBytes(32).toString("base64url"),
): string {
  database.prepare("INSERT OR IGNORE INTO secrets VALUES (?, ?)").run(name, make());
  return String(database.prepare("SELECT value FROM secrets WHERE name = ?").get(name)?.value);
}
