/** What a client's requests and answers say, for its log: ids, public keys and digests. */
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, type JsonObject, type MatrixEvent } from "#harness/match/json";
import type { ClientLog, Told } from "./client-log.ts";
import type { ReadResult, Sent } from "./crypto-client.ts";
import { parcelsIn } from "./parcel.ts";
import { sessionPlace } from "./session-place.ts";

type Deed = Parameters<ClientLog["tell"]>[0];
type Target = Told<"shares">["requests"][number]["targets"][number];

/** A to-device request as the engine has made it. */
interface Request {
  readonly txn: string;
  readonly type: string;
  readonly body: string;
}

/** Without a log it tells nothing. */
export class Telling {
  readonly #log: ClientLog | undefined;

  constructor(log: ClientLog | undefined) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#log !== undefined;
  }

  tell<D extends Deed>(deed: D, told: Told<D>): void {
    this.#log?.tell(deed, told);
  }

  did(
    what: { readonly request: string; readonly id?: string },
    response: Pick<HttpResponse, "status" | "exchange">,
  ): void {
    this.tell("did", { ...exchangeOf(response), ...what, status: response.status });
  }

  /** @param body of `POST /keys/query` */
  knows(body: string, response: Pick<HttpResponse, "json" | "exchange">): void {
    if (!this.isOn) return;
    const asked = Object.keys(objectAt(JSON.parse(body), "device_keys"));
    const { json } = response;
    const selfSigning = objectAt(json, "self_signing_keys");
    this.tell("knows", {
      ...exchangeOf(response),
      asked,
      devices: Object.entries(objectAt(json, "device_keys")).flatMap(([user, devices]) =>
        Object.entries(isObject(devices) ? devices : {}).map(([device, keys]) => ({
          user,
          device,
          ...textField("curve25519", at(keys, "keys", `curve25519:${device}`)),
          signatures: signaturesOf(keys),
        })),
      ),
      identities: Object.entries(objectAt(json, "master_keys")).flatMap(([user, key]) => {
        const master = publicKey(key);
        if (master === undefined) return [];
        return [{ user, master, ...textField("selfSigning", publicKey(selfSigning[user])) }];
      }),
      failures: Object.keys(objectAt(json, "failures")),
    });
  }

  /** @param body of `POST /keys/claim` */
  claimed(body: string, response: Pick<HttpResponse, "json" | "exchange">): void {
    if (!this.isOn) return;
    const { json } = response;
    this.tell("claimed", {
      ...exchangeOf(response),
      asked: devicesIn(objectAt(JSON.parse(body), "one_time_keys")),
      keys: devicesIn(objectAt(json, "one_time_keys")).flatMap(({ user, device }) =>
        Object.keys(objectAt(json, "one_time_keys", user, device)).map((key) => ({
          user,
          device,
          key,
        })),
      ),
      failures: Object.keys(objectAt(json, "failures")),
    });
  }

  shares(
    room: string,
    users: readonly string[],
    requests: readonly Request[],
    session?: string,
  ): void {
    if (!this.isOn) return;
    this.tell("shares", {
      room,
      ...textField("session", session),
      users: [...users],
      requests: requests.map(withTargets),
    });
  }

  /** @param requests undefined: there is no key that may be shared */
  bundles(room: string, to: string, requests: readonly Request[] | undefined): void {
    if (!this.isOn) return;
    const isEmpty = requests === undefined;
    this.tell("bundles", { room, to, isEmpty, requests: (requests ?? []).map(withTargets) });
  }

  sent(room: string, { eventId, sessionId, index }: Sent): void {
    this.tell("sent", {
      room,
      event: eventId,
      session: sessionId,
      ...(index !== undefined && { index }),
    });
  }

  read(room: string, { event_id, content }: JsonObject, result: ReadResult): void {
    const { sessionId, index } = sessionPlace(content);
    this.tell("read", {
      room,
      event: String(event_id),
      session: sessionId,
      ...(index !== undefined && { index }),
      isReadable: result.isReadable,
      ...(!result.isReadable && {
        code: result.code,
        ...textField("withheld", result.withheld),
      }),
    });
  }

  got(toDevice: readonly MatrixEvent[], told: Omit<Told<"got">, "parcels" | "withheld">): void {
    const parcels = toDevice.flatMap(({ type, sender, content }) =>
      type === "m.room.encrypted"
        ? parcelsIn(content).map(({ id, isPreKey }) => ({ id, sender: String(sender), isPreKey }))
        : [],
    );
    const withheld = toDevice
      .filter(({ type }) => type === "m.room_key.withheld")
      .map(({ content }) => ({
        ...textField("room", content.room_id),
        ...textField("session", content.session_id),
        code: String(content.code),
      }));
    this.tell("got", { ...told, parcels, withheld });
  }
}

function exchangeOf({ exchange }: Pick<HttpResponse, "exchange">): { exchange?: string } {
  return exchange === undefined ? {} : { exchange };
}

function withTargets({ txn, type, body }: Request) {
  return { txn, type, targets: targetsIn(body) };
}

function targetsIn(body: string): Target[] {
  const messages = objectAt(JSON.parse(body), "messages");
  return devicesIn(messages).map(({ user, device }) => {
    const content = at(messages, user, device);
    const [parcel] = parcelsIn(content);
    return {
      user,
      device,
      ...(parcel === undefined ? {} : { parcel: parcel.id, isPreKey: parcel.isPreKey }),
      ...textField("withheld", at(content, "code")),
    };
  });
}

function devicesIn(byUser: JsonObject): { user: string; device: string }[] {
  return Object.entries(byUser).flatMap(([user, devices]) =>
    Object.keys(isObject(devices) ? devices : {}).map((device) => ({ user, device })),
  );
}

function signaturesOf(keys: unknown): string[] {
  return Object.entries(objectAt(keys, "signatures")).flatMap(([user, ofUser]) =>
    Object.keys(isObject(ofUser) ? ofUser : {}).map((key) => `${user}|${key}`),
  );
}

function publicKey(key: unknown): string | undefined {
  const [value] = Object.values(objectAt(key, "keys"));
  return typeof value === "string" ? value : undefined;
}

function objectAt(value: unknown, ...keys: string[]): JsonObject {
  const found = at(value, ...keys);
  return isObject(found) ? found : {};
}

function textField<Name extends string>(name: Name, value: unknown): { [N in Name]?: string } {
  return (typeof value === "string" ? { [name]: value } : {}) as { [N in Name]?: string };
}
