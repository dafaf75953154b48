/** For specs: small records, written by hand. Ciphertexts are names; times are seconds. */
import type { Entry } from "#harness/clients/crypto/client-log";
import { digest } from "#harness/clients/crypto/parcel";
import type { Exchange } from "#harness/gateway/exchange";
import { Evidence } from "./evidence.ts";
import { explain, type Question, type Utd } from "./explain.ts";
import type { Root } from "./roots.ts";

type Given = Partial<Omit<Exchange, "request" | "response" | "server">> & {
  readonly request?: unknown;
  readonly response?: unknown;
  /** As the server saw it, when a rule made a difference. */
  readonly got?: unknown;
  readonly said?: unknown;
};

export const [ALICE, BOB] = [
  { user: "@alice:hs1", device: "ALICE" },
  { user: "@bob:hs1", device: "BOB" },
] as const;
export const BOB2 = { user: "@bob:hs2", device: "BOB" } as const;
export const ROOM = "!room:hs1";
export const EVENT = "$event";
export const SESSION = "session";
export const PARCEL = digest("parcel");
/** Sending the event, in seconds of the story. */
export const SENT = 50;

const C = "/_matrix/client/v3";
const message = (body: unknown) => ({
  headers: {},
  bytes: 1,
  ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
});

/** A story in the order in which it is written. */
export class Story {
  readonly exchanges: Exchange[] = [];
  readonly entries: Entry[] = [];

  /** @param at seconds */
  exchange(at: number, method: string, path: string, given: Given = {}): this {
    const { request, response, got, said, rules, status = 200, ...rest } = given;
    const hasServer = got !== undefined || said !== undefined || rules?.includes("seen");
    this.exchanges.push({
      id: `t#${this.exchanges.length + 1}`,
      at: at * 1000,
      durationMs: 10,
      from: "client",
      to: "hs1",
      method,
      path,
      request: message(request ?? {}),
      ...(status === 0 ? { error: "reset" } : { status, response: message(response ?? {}) }),
      ...(rules === undefined ? {} : { rules }),
      ...(hasServer
        ? {
            server: {
              ...(got === undefined ? {} : { request: message(got) }),
              ...(said === undefined ? {} : { status: 200, response: message(said) }),
            },
          }
        : {}),
      ...rest,
    });
    return this;
  }

  tell(at: number, who: { user: string; device: string }, t: Entry["t"], told: object): this {
    const seq = this.entries.length;
    this.entries.push({ t, seq, at: at * 1000, ...who, ...told } as unknown as Entry);
    return this;
  }

  upload(
    at: number,
    who: { user: string; device: string },
    given: Given & { keys?: readonly string[]; fallback?: string; signed?: boolean } = {},
  ): this {
    const { keys = [], fallback, signed = false, ...rest } = given;
    const signatures = {
      [who.user]: { "ed25519:own": "s", ...(signed ? { "ed25519:ssk": "s" } : {}) },
    };
    return this.exchange(at, "POST", `${C}/keys/upload`, {
      client: who.device,
      request: {
        device_keys: deviceKeys(who, signatures),
        one_time_keys: Object.fromEntries(keys.map((key) => [`signed_curve25519:${key}`, { key }])),
        ...(fallback === undefined
          ? {}
          : {
              fallback_keys: {
                [`signed_curve25519:${fallback}`]: { key: fallback, fallback: true },
              },
            }),
      },
      ...rest,
    });
  }

  join(at: number, who: { user: string; device: string }, given: Given = {}): this {
    return this.exchange(at, "POST", `${C}/join/${encodeURIComponent(ROOM)}`, {
      client: who.device,
      response: { room_id: ROOM },
      ...given,
    });
  }

  query(
    at: number,
    who: { device: string },
    devices: readonly { user: string; device: string; signed?: boolean }[],
    given: Given = {},
  ): this {
    return this.exchange(at, "POST", `${C}/keys/query`, {
      client: who.device,
      request: { device_keys: { [BOB.user]: [], [BOB2.user]: [], [ALICE.user]: [] } },
      response: queried(devices),
      ...given,
    });
  }

  sync(
    at: number,
    who: { device: string },
    response: object,
    given: Given & { since?: string } = {},
  ): this {
    const { since, ...rest } = given;
    return this.exchange(at, "GET", `${C}/sync${since === undefined ? "" : `?since=${since}`}`, {
      client: who.device,
      response: { next_batch: `s${at}`, ...response },
      ...rest,
    });
  }

  put(
    at: number,
    who: { device: string },
    given: Given & { for?: { user: string; device: string }; content?: object; type?: string } = {},
  ): this {
    const { for: target = BOB, content = OLM, type = "m.room.encrypted", ...rest } = given;
    return this.exchange(at, "PUT", `${C}/sendToDevice/${type}/t${at}`, {
      client: who.device,
      request: { messages: { [target.user]: { [target.device]: content } } },
      ...rest,
    });
  }

  /** Alice tells Bob that he does not get the session's key. */
  withholds(at: number, code: string): this {
    const content = { room_id: ROOM, session_id: SESSION, code };
    return this.put(at, ALICE, { type: "m.room_key.withheld", content });
  }

  send(at: number, given: Given & { id?: string; index?: number } = {}): this {
    const { id = EVENT, ...rest } = given;
    return this.exchange(
      at,
      "PUT",
      `${C}/rooms/${encodeURIComponent(ROOM)}/send/m.room.encrypted/x${at}`,
      {
        client: ALICE.device,
        request: { session_id: SESSION, ciphertext: MEGOLM },
        response: { event_id: id },
        ...rest,
      },
    );
  }

  shares(
    at: number,
    targets: readonly object[] = [{ ...BOB, parcel: PARCEL }],
    users: readonly string[] = [BOB.user, BOB2.user],
  ): this {
    return this.tell(at, ALICE, "shares", {
      room: ROOM,
      session: SESSION,
      users,
      requests: [{ txn: "t", type: "m.room.encrypted", targets }],
    });
  }

  took(
    at: number,
    outcome: "decrypted" | "failed",
    who: { user: string; device: string } = BOB,
    id = PARCEL,
  ): this {
    return this.tell(at, who, "took", {
      next: digest("x"),
      parcels: [{ id, sender: ALICE.user, isPreKey: true, outcome }],
    });
  }

  read(
    at: number,
    native: { code?: string; withheld?: string } | "readable" = { code: "MissingRoomKey" },
    who: { user: string; device: string } = BOB,
  ): this {
    const told = native === "readable" ? { isReadable: true } : { isReadable: false, ...native };
    return this.tell(at, who, "read", { room: ROOM, event: EVENT, session: SESSION, ...told });
  }

  async explain(question: Partial<Question> = {}): Promise<Utd> {
    const evidence = await Evidence.gather(this.exchanges, this.entries);
    const [utd] = explain(evidence, { event: EVENT, ...question });
    if (utd === undefined) throw new TypeError("no verdict");
    return utd;
  }
}

/** Megolm, version 3, index 1. */
const MEGOLM = Buffer.from([3, 8, 1, 18]).toString("base64");
export const OLM = { ciphertext: { bobcurve: { type: 1, body: "parcel" } } };
export const INBOX = {
  to_device: { events: [{ type: "m.room.encrypted", sender: ALICE.user, content: OLM }] },
};

/** A message of type 0 for this one-time key, and its parcel. */
export function preKeyMessage(key: string, rest = "m") {
  const head = Buffer.concat([Buffer.from([3, 0x0a, 32]), Buffer.from(key, "base64")]);
  const body = Buffer.concat([head, Buffer.from(rest)]).toString("base64");
  return { parcel: digest(body), content: { ciphertext: { bobcurve: { type: 0, body } } } };
}

/** 32 bytes, unpadded base64. */
export const keyNamed = (name: string) =>
  Buffer.alloc(32, name).toString("base64").replace(/=+$/, "");

export function queried(devices: readonly { user: string; device: string; signed?: boolean }[]) {
  const users = [...new Set(devices.map(({ user }) => user))];
  const of = (user: string) => devices.filter((one) => one.user === user);
  return {
    device_keys: Object.fromEntries(
      users.map((user) => [
        user,
        Object.fromEntries(
          of(user).map((one) => [
            one.device,
            deviceKeys(one, {
              [user]: { "ed25519:own": "s", ...(one.signed ? { "ed25519:ssk": "s" } : {}) },
            }),
          ]),
        ),
      ]),
    ),
    self_signing_keys: Object.fromEntries(
      users.map((user) => [user, { keys: { "ed25519:ssk": "ssk" } }]),
    ),
  };
}

function deviceKeys({ user, device }: { user: string; device: string }, signatures: object) {
  return {
    user_id: user,
    device_id: device,
    keys: { [`curve25519:${device}`]: "bobcurve" },
    signatures,
  };
}

/** All is well until the event is sent: both there, each known to the other, nothing shared yet. */
export function ready(target: { user: string; device: string } = BOB): Story {
  const remote = target.user === BOB2.user;
  return new Story()
    .upload(1, ALICE, { signed: true })
    .upload(2, target, { signed: true, ...(remote ? { to: "hs2" } : {}) })
    .join(3, ALICE)
    .join(4, target)
    .query(10, ALICE, [{ ...target, signed: true }])
    .query(11, target, [{ ...ALICE, signed: true }]);
}

/** Shared, sent and up at the server. */
export const shared = () => ready().shares(40).put(41, ALICE).send(SENT);
/** The same, and come to Bob. */
export const came = () => shared().sync(60, BOB, INBOX).sync(61, BOB, {}, { since: "s60" });

/** What went wrong, the root, the step, the story. */
export type Row = readonly [wrong: string, root: Root, step: number, story: () => Story];

export async function verdictOf(story: Story): Promise<{ root: Root; step: number | undefined }> {
  const { root, failedStep: step } = await story.explain();
  return { root, step };
}
