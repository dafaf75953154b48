/** Keys of other servers as they publish them, asked for once. */
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import type { VerifyKey, VerifyKeyLookup } from "#protocol/events/signatures";

export class RemoteKeys {
  readonly #fetch: (serverName: string) => Promise<HttpResponse>;
  readonly #known = new Map<string, Promise<ReadonlyMap<string, VerifyKey>>>();

  /** @param fetch GET /_matrix/key/v2/server of a server */
  constructor(fetch: (serverName: string) => Promise<HttpResponse>) {
    this.#fetch = fetch;
  }

  /** By key id; asked for again while there are none. */
  async of(serverName: string): Promise<ReadonlyMap<string, VerifyKey>> {
    const pending = this.#known.get(serverName) ?? this.#ask(serverName);
    this.#known.set(serverName, pending);
    const keys = await pending;
    if (keys.size === 0) this.#known.delete(serverName);
    return keys;
  }

  /** A look-up in the keys of these servers, for `verifyEvent`. */
  async lookUp(serverNames: Iterable<string>): Promise<VerifyKeyLookup> {
    const names = [...new Set(serverNames)];
    const keys = await Promise.all(names.map((name) => this.of(name)));
    const byServer = new Map(names.map((name, index) => [name, keys[index]]));
    return (serverName, keyId) => byServer.get(serverName)?.get(keyId);
  }

  async #ask(serverName: string): Promise<ReadonlyMap<string, VerifyKey>> {
    const found = new Map<string, VerifyKey>();
    try {
      const { json } = await this.#fetch(serverName);
      const validUntilTs = numberOf(at(json, "valid_until_ts"));
      for (const [keyId, entry] of entriesOf(at(json, "verify_keys")))
        found.set(keyId, { publicKey: String(at(entry, "key")), validUntilTs });
      for (const [keyId, entry] of entriesOf(at(json, "old_verify_keys"))) {
        const expired = numberOf(at(entry, "expired_ts"));
        found.set(keyId, { publicKey: String(at(entry, "key")), validUntilTs: expired });
      }
    } catch {
      // A server that can not be asked has no keys.
    }
    return found;
  }
}

function entriesOf(value: unknown): [string, unknown][] {
  return Object.entries(isObject(value) ? value : {});
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
