/** A peer's signing keys and what it publishes of them (server-server API §Publishing Keys). */
import { createHash } from "node:crypto";
import type { JsonObject } from "#protocol/events/event";
import { publicKeyOf, signJson } from "#protocol/events/signatures";

export interface SigningKey {
  /** With its algorithm: `ed25519:a_1`. */
  readonly id: string;
  /** 32 bytes (RFC 8032). */
  readonly secret: Uint8Array;
}

/** A server's name with the key that it signs by. */
export interface Signer {
  readonly serverName: string;
  readonly key: SigningKey;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** The key that a text decides: the same one for the same seed. */
function signingKey(seed: string, id = "ed25519:peer_1"): SigningKey {
  return { id, secret: createHash("sha256").update(seed).digest() };
}

export class PeerKeys implements Signer {
  readonly serverName: string;
  readonly #seed: string;
  /** Signs events and requests, and is published. */
  key: SigningKey;
  /** Published until when `key` is valid; milliseconds since 1970. */
  validUntilTs: number = Date.now() + DAY_MS;
  /** Published under old_verify_keys. */
  readonly old: { readonly key: SigningKey; readonly expiredTs: number }[] = [];
  #count = 1;

  constructor(serverName: string, seed: string) {
    this.serverName = serverName;
    this.#seed = seed;
    this.key = signingKey(seed);
  }

  /** Signs by a new key from now on, and publishes the former one as old. Returns the former one. */
  rotate(expiredTs: number = Date.now()): SigningKey {
    const former = this.key;
    this.old.push({ key: former, expiredTs });
    this.key = this.another();
    return former;
  }

  /** A key that is published nowhere, with an id that no other one has. */
  another(): SigningKey {
    this.#count++;
    return signingKey(`${this.#seed}/${this.#count}`, `ed25519:peer_${this.#count}`);
  }

  /** Body of GET /_matrix/key/v2/server, signed by `key`. */
  document(): JsonObject {
    const { serverName, key, old, validUntilTs } = this;
    const document = {
      server_name: serverName,
      verify_keys: { [key.id]: { key: publicKeyOf(key.secret) } },
      old_verify_keys: Object.fromEntries(
        old.map(({ key: { id, secret }, expiredTs }) => [
          id,
          { key: publicKeyOf(secret), expired_ts: expiredTs },
        ]),
      ),
      valid_until_ts: validUntilTs,
    };
    return signJson(document, serverName, key.id, key.secret);
  }
}
