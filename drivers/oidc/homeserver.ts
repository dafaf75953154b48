/** What the service tells its homeserver: accounts and devices, by the calls that MAS makes too. */
import { request } from "undici";

/** Longer than a homeserver that works takes, shorter than clients wait. */
const TIMEOUT_MS = 15_000;

/** The homeserver gave no answer, or one that the service can not go on with. */
export class HomeserverTrouble extends Error {
  /** 0: no answer. */
  readonly status: number;

  constructor(what: string, status: number, options?: ErrorOptions) {
    super(what, options);
    this.name = "HomeserverTrouble";
    this.status = status;
  }
}

export interface ProvisionedUser {
  readonly localpart: string;
  readonly locked?: boolean;
}

export class Homeserver {
  readonly #base: string;
  readonly #secret: string;

  /** @param base ends in a slash */
  constructor(base: string, secret: string) {
    this.#base = base;
    this.#secret = secret;
  }

  /** Whether somebody could be registered by this name. */
  async isAvailable(localpart: string): Promise<boolean> {
    const query = new URLSearchParams({ localpart });
    const status = await this.#call("GET", `is_localpart_available?${query}`);
    return status === 200;
  }

  async provisionUser(user: ProvisionedUser): Promise<void> {
    await this.#post("provision_user", user);
  }

  async deleteUser(localpart: string, erase: boolean): Promise<void> {
    await this.#post("delete_user", { localpart, erase });
  }

  async reactivateUser(localpart: string): Promise<void> {
    await this.#post("reactivate_user", { localpart });
  }

  async upsertDevice(localpart: string, deviceId: string, displayName?: string): Promise<void> {
    await this.#post("upsert_device", {
      localpart,
      device_id: deviceId,
      ...(displayName === undefined ? {} : { display_name: displayName }),
    });
  }

  async deleteDevice(localpart: string, deviceId: string): Promise<void> {
    // One that is not there is gone.
    await this.#post("delete_device", { localpart, device_id: deviceId }, [404]);
  }

  async allowCrossSigningReset(localpart: string): Promise<void> {
    await this.#post("allow_cross_signing_reset", { localpart });
  }

  /**
   * Uses the token once. Synapse remembers for two minutes that a token was good; one whose device is gone is forgotten
   * when it is used.
   */
  async knock(accessToken: string): Promise<void> {
    await this.#send("GET", "_matrix/client/v3/account/whoami", accessToken);
  }

  async #post(name: string, body: unknown, accepted: readonly number[] = []): Promise<void> {
    const status = await this.#call("POST", name, body);
    if (status >= 300 && !accepted.includes(status))
      throw new HomeserverTrouble(`${name}: the homeserver said ${status}`, status);
  }

  #call(method: "GET" | "POST", name: string, body?: unknown): Promise<number> {
    return this.#send(method, `_synapse/mas/${name}`, this.#secret, body);
  }

  async #send(method: "GET" | "POST", path: string, bearer: string, body?: unknown) {
    try {
      const answer = await request(`${this.#base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${bearer}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await answer.body.dump();
      return answer.statusCode;
    } catch (cause) {
      const [name] = path.split("?");
      throw new HomeserverTrouble(`${name}: no answer of the homeserver`, 0, { cause });
    }
  }
}
