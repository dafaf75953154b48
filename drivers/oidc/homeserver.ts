/** What the service tells its homeserver: accounts and devices, by the calls that MAS makes too. */
import { request } from "undici";
import { type Call, oldCalls } from "./old-homeserver.ts";

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
  readonly #serverName: string;
  /** It does not know the calls of this kind. */
  #isOld = false;

  /** @param base ends in a slash */
  constructor(base: string, secret: string, serverName: string) {
    this.#base = base;
    this.#secret = secret;
    this.#serverName = serverName;
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
    await this.#send({ method: "GET", path: "_matrix/client/v3/account/whoami" }, accessToken);
  }

  async #post(name: string, body: unknown, accepted: readonly number[] = []): Promise<void> {
    const status = await this.#call("POST", name, body);
    if (status >= 300 && !accepted.includes(status))
      throw new HomeserverTrouble(`${name}: the homeserver said ${status}`, status);
  }

  async #call(method: "GET" | "POST", name: string, body?: unknown): Promise<number> {
    if (this.#isOld) return await this.#callOld(name, body);
    const call = { method, path: `_synapse/mas/${name}`, body };
    const { status, errcode } = await this.#send(call, this.#secret);
    if (status !== 404 || errcode !== "M_UNRECOGNIZED") return status;
    const old = await this.#callOld(name, body);
    this.#isOld = old !== 404;
    return old;
  }

  /** The first status that is no success, or the last one. */
  async #callOld(name: string, body: unknown): Promise<number> {
    let last = 404;
    for (const call of oldCalls(name, body, this.#serverName)) {
      last = (await this.#send(call, this.#secret)).status;
      if (last >= 300) break;
    }
    return last;
  }

  async #send({ method, path, body }: Call, bearer: string) {
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
      const text = await answer.body.text();
      return { status: answer.statusCode, errcode: errcodeOf(text) };
    } catch (cause) {
      const [name] = path.split("?");
      throw new HomeserverTrouble(`${name}: no answer of the homeserver`, 0, { cause });
    }
  }
}

function errcodeOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { errcode?: unknown } | null)?.errcode;
  } catch {
    return undefined;
  }
}
