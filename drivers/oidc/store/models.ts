/** What oidc-provider keeps (codes, grants, browser sessions, clients), as its adapter interface asks. */
import type { DatabaseSync } from "node:sqlite";
import { type Adapter, type AdapterPayload, errors } from "oidc-provider";
import { now } from "./clock.ts";

export class ModelStore implements Adapter {
  readonly #database: DatabaseSync;
  readonly #model: string;

  constructor(database: DatabaseSync, model: string) {
    this.#database = database;
    this.#model = model;
  }

  async upsert(id: string, payload: AdapterPayload, expiresInS?: number): Promise<void> {
    this.#database
      .prepare("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(
        this.#model,
        id,
        JSON.stringify(payload),
        payload.grantId ?? null,
        payload.userCode ?? null,
        payload.uid ?? null,
        expiresInS === undefined ? null : now() + expiresInS,
      );
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#one("id", id);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#one("user_code", userCode);
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#one("uid", uid);
  }

  /** @throws InvalidGrant to all but the first: the library looks whether it was consumed some time before it consumes. */
  async consume(id: string): Promise<void> {
    const { changes } = this.#database
      .prepare(
        `UPDATE models SET payload = json_set(payload, '$.consumed', ?)
         WHERE model = ? AND id = ? AND json_extract(payload, '$.consumed') IS NULL`,
      )
      .run(now(), this.#model, id);
    if (changes === 0) throw new errors.InvalidGrant("it was used before");
  }

  async destroy(id: string): Promise<void> {
    this.#database.prepare("DELETE FROM models WHERE model = ? AND id = ?").run(this.#model, id);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    this.#database
      .prepare("DELETE FROM models WHERE model = ? AND grant_id = ?")
      .run(this.#model, grantId);
  }

  #one(column: "id" | "user_code" | "uid", value: string): AdapterPayload | undefined {
    const row = this.#database
      .prepare(`SELECT payload FROM models WHERE model = ? AND ${column} = ?`)
      .get(this.#model, value);
    return row === undefined ? undefined : JSON.parse(String(row.payload));
  }
}
