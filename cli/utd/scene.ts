/** For a spec: users, clients and rules of one seeded fault, on real servers. */

import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ClientOptions, CryptoClient } from "#harness/clients/crypto/crypto-client";
import { startClient } from "#harness/clients/crypto/start-client";
import { CheckFailure } from "#harness/errors";
import type { Root } from "#harness/forensics/roots";

import type { Rule, RuleMatch, ScriptExchange } from "#harness/gateway/rule";
import { isObject, type JsonObject } from "#harness/match/json";
import type { Session } from "#harness/world/session";
import type { RuleHandle, World } from "#harness/world/world";

export interface Seeded {
  readonly root: Root;
  readonly step: number;
  /** Returns who can not read which event. */
  readonly act: (
    scene: Scene,
  ) => Promise<{ readonly event: string; readonly reader: CryptoClient }>;
}

const ENCRYPTED = {
  preset: "private_chat",
  initial_state: [
    { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } },
  ],
};
export const C = "/_matrix/client/v3";
export const HELLO = { msgtype: "m.text", body: "plain words that nobody may log" };

/** One story's users and rules. */
export class Scene {
  readonly world: World;
  readonly logs: string[] = [];
  readonly clients: CryptoClient[] = [];
  readonly sessions = new Map<CryptoClient, Session>();
  readonly #folder: string;
  readonly databases: ReadonlyMap<string, string>;

  constructor(world: World, folder: string, databases: ReadonlyMap<string, string>) {
    this.world = world;
    this.#folder = path.join(folder, world.name("clients"));
    this.databases = databases;
    mkdirSync(this.#folder, { recursive: true });
  }

  async client(
    session: Session,
    options: ClientOptions & { readonly isUnsigned?: boolean } = {},
  ): Promise<CryptoClient> {
    const { isUnsigned = false, ...rest } = options;
    const log = path.join(this.#folder, `${this.logs.length}.ndjson`);
    this.logs.push(log);
    const client = await startClient("wasm", session, { log, ...rest });
    this.clients.push(client);
    this.sessions.set(client, session);
    if (!isUnsigned) await client.bootstrapIdentity();
    return client;
  }

  session(client: CryptoClient): Session {
    const session = this.sessions.get(client);
    if (session === undefined) throw new TypeError("no client of this scene");
    return session;
  }

  /** Alice and Bob in an encrypted room, whose key Bob does not have yet. */
  async pair({
    bobOn = "hs1",
    alice: ofAlice = {},
    bob: ofBob = {},
  }: {
    readonly bobOn?: string;
    readonly alice?: Parameters<Scene["client"]>[1];
    readonly bob?: Parameters<Scene["client"]>[1];
  } = {}) {
    const alice = await this.client(await this.world.user("alice"), ofAlice);
    const bob = await this.client(await this.world.user("bob", bobOn), ofBob);
    const room = await this.room(alice, bob);
    return { alice, bob, room };
  }

  async room(alice: CryptoClient, ...others: readonly CryptoClient[]): Promise<string> {
    const own = this.session(alice);
    const room = await own.createRoom({
      ...ENCRYPTED,
      initial_state: [
        ...ENCRYPTED.initial_state,
        {
          type: "m.room.history_visibility",
          state_key: "",
          content: { history_visibility: "shared" },
        },
      ],
    });
    for (const other of others) {
      const session = this.session(other);
      await own.invite(room, session);
      await this.world.eventually(() => session.join(room, own));
    }
    await alice.syncOnce();
    return room;
  }

  /** A further device of a client's user, signed by nobody. */
  async second(client: CryptoClient, options: ClientOptions = {}): Promise<CryptoClient> {
    return this.client(await this.world.login(this.session(client)), {
      ...options,
      isUnsigned: true,
    });
  }

  /** Puts a rule in force for this scene's clients. */
  rule(
    match: RuleMatch,
    phase: Rule["phase"],
    action: Rule["action"],
    times?: number,
  ): Promise<RuleHandle> {
    const { check } = this.session(this.clients[0] as CryptoClient).context;
    return this.world.rule({
      name: `fault: ${match.path}`,
      match: { from: "client", check, ...match },
      phase,
      action,
      ...(times === undefined ? {} : { times }),
    });
  }

  /** Changes what the server answered; undefined leaves it. */
  answer(
    match: RuleMatch,
    change: (answer: JsonObject, exchange: ScriptExchange) => JsonObject | undefined,
  ): Promise<RuleHandle> {
    const script = {
      kind: "script",
      run: (exchange: ScriptExchange) => {
        if (exchange.status !== 200 || !isObject(exchange.answer)) return undefined;
        const body = change(exchange.answer, exchange);
        return body === undefined ? undefined : { status: 200, body };
      },
    };
    // The gateway is in this process, so that a script gets there.
    return this.rule(match, "processed", script as unknown as Rule["action"]);
  }

  /** The way from one server to the other: not a client's exchange. */
  link(match: RuleMatch, phase: Rule["phase"], action: Rule["action"]): Promise<RuleHandle> {
    return this.world.rule({ name: `fault: ${match.path}`, match, phase, action });
  }
}

export const SYNC = { method: "GET", path: `${C}/sync` };
export const QUERY = { method: "POST", path: `${C}/keys/query` };
export const CLAIM = { method: "POST", path: `${C}/keys/claim` };
export const PUT = { method: "PUT", path: `${C}/sendToDevice/m.room.encrypted/*` };
export const EVENT = { method: "GET", path: `${C}/rooms/*/event/*` };

/** Without a device of theirs, as deep as that stands. */
export function without(answer: JsonObject, user: string, device: string): JsonObject {
  const copy = structuredClone(answer) as { device_keys?: Record<string, Record<string, unknown>> };
  delete copy.device_keys?.[user]?.[device];
  return copy as JsonObject;
}

/** All signatures of self-signing keys taken away. */
export function unsigned(answer: JsonObject, user: string): JsonObject {
  const copy = structuredClone(answer) as {
    device_keys?: Record<
      string,
      Record<string, { signatures?: Record<string, Record<string, string>> }>
    >;
  };
  for (const [device, keys] of Object.entries(copy.device_keys?.[user] ?? {})) {
    const own = keys.signatures?.[user] ?? {};
    for (const key of Object.keys(own)) if (key !== `ed25519:${device}`) delete own[key];
  }
  return copy as JsonObject;
}

export async function said(
  alice: CryptoClient,
  room: string,
  reader: CryptoClient,
  { sync = true } = {},
) {
  const { eventId: event } = await alice.send(room, HELLO);
  if (sync) await reader.syncOnce();
  return { event, reader };
}

export function notYet(what: string): Error {
  return new CheckFailure(what, "not yet");
}

export async function arrived(
  scene: Scene,
  reader: CryptoClient,
  room: string,
  event: string,
): Promise<void> {
  await scene.world.eventually(async () => {
    const response = await scene
      .session(reader)
      .get(`${C}/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(event)}`);
    if (response.status !== 200) throw notYet("the event comes to the other server");
  });
  await reader.syncOnce();
}

export function opened(file: string | undefined): DatabaseSync & Disposable {
  if (file === undefined) throw new TypeError("no database");
  const database = new DatabaseSync(file, { timeout: 5_000 });
  return Object.assign(database, { [Symbol.dispose]: () => database.close() });
}
