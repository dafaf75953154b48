/** For a spec: faults of many roots, on real servers with real clients; each tells of the message that nobody should be able to read. */

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
const C = "/_matrix/client/v3";
const HELLO = { msgtype: "m.text", body: "hello" };

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

const SYNC = { method: "GET", path: `${C}/sync` };
const QUERY = { method: "POST", path: `${C}/keys/query` };
const CLAIM = { method: "POST", path: `${C}/keys/claim` };
const PUT = { method: "PUT", path: `${C}/sendToDevice/m.room.encrypted/*` };
const EVENT = { method: "GET", path: `${C}/rooms/*/event/*` };

/** Without a device of theirs, as deep as that stands. */
function without(answer: JsonObject, user: string, device: string): JsonObject {
  const copy = structuredClone(answer) as { device_keys?: Record<string, Record<string, unknown>> };
  delete copy.device_keys?.[user]?.[device];
  return copy as JsonObject;
}

/** All signatures of self-signing keys taken away. */
function unsigned(answer: JsonObject, user: string): JsonObject {
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

async function said(alice: CryptoClient, room: string, reader: CryptoClient, { sync = true } = {}) {
  const { eventId: event } = await alice.send(room, HELLO);
  if (sync) await reader.syncOnce();
  return { event, reader };
}

export const FAULTS: Readonly<Record<string, Seeded>> = {
  "the reader was out of the room": {
    root: "expected.not-member",
    step: 1,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.session(bob).leave(room);
      const { eventId: event } = await alice.send(room, HELLO);
      await scene.session(alice).invite(room, scene.session(bob));
      await scene.session(bob).join(room);
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader's device is of later": {
    root: "expected.device-historical",
    step: 1,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      const { eventId: event } = await alice.send(room, HELLO);
      const later = await scene.second(bob);
      await later.syncOnce();
      return { event, reader: later };
    },
  },
  "the sender was told of too few members": {
    root: "missing-key.sender-stale-membership",
    step: 1,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer({ method: "GET", path: `${C}/rooms/*/members` }, (answer) => ({
        chunk: (answer.chunk as JsonObject[]).filter(({ state_key }) => state_key !== bob.userId),
      }));
      return said(alice, room, bob);
    },
  },
  "the reader joined between the look and the event": {
    root: "missing-key.membership-race",
    step: 1,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      const bob = await scene.client(await scene.world.user("bob"));
      const room = await scene.room(alice);
      const open = { join_rule: "public" };
      await scene.session(alice).setState(room, "m.room.join_rules", open);
      const members = { method: "GET", path: `${C}/rooms/*/members` };
      const gate = await scene.rule(members, "processed", { kind: "gate" });
      const sending = alice.send(room, HELLO);
      await scene.world.eventually(async () => {
        if ((await gate.fired()) === 0) throw notYet("the answer is held");
      });
      await scene.session(bob).join(room);
      await gate.release();
      const { eventId: event } = await sending;
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the news of a device was taken out of a sync": {
    root: "devicelist.stale",
    step: 2,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await alice.send(room, HELLO);
      await scene.answer(SYNC, ({ device_lists, ...rest }) =>
        device_lists === undefined ? undefined : rest,
      );
      const later = await scene.second(bob);
      await alice.syncOnce();
      return said(alice, room, later);
    },
  },
  "a device was taken out of the answer to a query": {
    root: "devicelist.stale",
    step: 2,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await alice.send(room, HELLO);
      const later = await scene.second(bob);
      await scene.answer(QUERY, (answer) => without(answer, bob.userId, later.deviceId));
      await alice.syncOnce();
      return said(alice, room, later);
    },
  },
  "a device came without a sync in between": {
    root: "devicelist.race",
    step: 2,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await alice.send(room, HELLO);
      const later = await scene.second(bob);
      return said(alice, room, later);
    },
  },
  "the reader is not signed": {
    root: "withheld.unverified",
    step: 3,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { isUnsigned: true } });
      return said(alice, room, bob);
    },
  },
  "the reader's signature was taken out of the answer to a query": {
    root: "devicelist.stale",
    step: 3,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      const bob = await scene.client(await scene.world.user("bob"));
      await scene.answer(QUERY, (answer) => unsigned(answer, bob.userId));
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "the reader's signature was taken out on its way up": {
    root: "withheld.unverified",
    step: 3,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      await scene.rule({ method: "POST", path: `${C}/keys/signatures/upload` }, "before", {
        kind: "answer",
        status: 200,
        body: { failures: {} },
      });
      const bob = await scene.client(await scene.world.user("bob"));
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "the reader is blacklisted": {
    root: "withheld.blacklisted",
    step: 3,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({
        alice: { policy: { share: "all", read: "untrusted" } },
      });
      await alice.trust(bob.userId, bob.deviceId, "blacklisted");
      return said(alice, room, bob);
    },
  },
  "the answer to a claim was emptied": {
    root: "withheld.no-olm",
    step: 4,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer(CLAIM, () => ({ one_time_keys: {}, failures: {} }));
      return said(alice, room, bob);
    },
  },
  "the reader's keys did not come to the server": {
    root: "olm.no-otk",
    step: 4,
    act: async (scene) => {
      const alice = await scene.client(await scene.world.user("alice"));
      const upload = { method: "POST", path: `${C}/keys/upload` };
      const remove = ["/one_time_keys", "/fallback_keys"];
      const full = { "/one_time_key_counts": { signed_curve25519: 50 } };
      await scene.rule(upload, "before", { kind: "rewrite", remove });
      await scene.rule(upload, "processed", { kind: "rewrite", set: full });
      const bob = await scene.client(await scene.world.user("bob"));
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "a claim's answer was given twice": {
    root: "olm.otk-reused",
    step: 4,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      const carol = await scene.client(await scene.world.user("carol"));
      const other = await scene.room(carol, bob);
      let first: JsonObject | undefined;
      await scene.answer(CLAIM, (answer) => {
        first ??= answer;
        return first;
      });
      await carol.send(other, HELLO);
      await bob.syncOnce();
      return said(alice, room, bob);
    },
  },
  "the reader's store was set back to before its keys": {
    root: "olm.otk-desync",
    step: 4,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      const before = await bob.snapshot();
      const carol = await scene.world.user("carol");
      const claim = { one_time_keys: { [bob.userId]: { [bob.deviceId]: "signed_curve25519" } } };
      await Promise.all(Array.from({ length: 50 }, () => carol.post(`${C}/keys/claim`, claim)));
      await bob.syncOnce();
      await bob.restore(before);
      const { eventId: event } = await alice.send(room, HELLO);
      // It takes in what came, and then is refused new keys: the server has others under these ids.
      await bob.syncOnce().catch((error: unknown) => {
        if (!String(error).includes("already exists")) throw error;
      });
      return { event, reader: bob };
    },
  },
  "the message was answered in the server's place": {
    root: "todevice.lost-upstream",
    step: 5,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(PUT, "before", { kind: "answer", status: 200 });
      return said(alice, room, bob);
    },
  },
  "the message was taken out of the request": {
    root: "todevice.lost-upstream",
    step: 5,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(PUT, "before", { kind: "rewrite", set: { "/messages": {} } });
      return said(alice, room, bob);
    },
  },
  "the message was changed in the request": {
    root: "tampering",
    step: 5,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(PUT, "before", {
        kind: "rewrite",
        set: { "/messages/*/*/ciphertext/*/body": "AwogAAAA" },
      });
      return said(alice, room, bob);
    },
  },
  "the transaction was answered in the other server's place": {
    root: "todevice.lost-federation",
    step: 6,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bobOn: "hs2" });
      const match = {
        from: "hs1",
        to: "hs2",
        method: "PUT",
        path: "/_matrix/federation/v1/send/*",
        contains: "m.direct_to_device",
      };
      const rule = await scene.link(match, "before", {
        kind: "answer",
        status: 200,
        body: { pdus: {} },
      });
      const { eventId: event } = await alice.send(room, HELLO);
      await scene.world.eventually(async () => {
        if ((await rule.fired()) === 0) throw notYet("the rule acts");
      });
      await arrived(scene, bob, room, event);
      return { event, reader: bob };
    },
  },
  "the server lost it from its database": {
    root: "todevice.lost-server",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      const { eventId: event } = await alice.send(room, HELLO);
      using database = opened(scene.databases.get("hs1"));
      database.prepare("DELETE FROM device_inbox WHERE user_id = ?").run(bob.userId);
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the other server lost it from its database": {
    root: "todevice.lost-server",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bobOn: "hs2" });
      const { eventId: event } = await alice.send(room, HELLO);
      using database = opened(scene.databases.get("hs2"));
      const lose = database.prepare("DELETE FROM device_inbox WHERE user_id = ?");
      await scene.world.eventually(() => {
        if (lose.run(bob.userId).changes === 0) throw notYet("the message comes to hs2");
      });
      await arrived(scene, bob, room, event);
      return { event, reader: bob };
    },
  },
  "the messages were taken out of the reader's sync": {
    root: "todevice.lost-downstream",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer(SYNC, ({ to_device, ...rest }) =>
        to_device === undefined ? undefined : rest,
      );
      return said(alice, room, bob);
    },
  },
  "the message was changed in the reader's sync": {
    root: "tampering",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.rule(SYNC, "processed", {
        kind: "rewrite",
        set: { "/to_device/events/*/content/ciphertext/*/body": "AwogAAAA" },
      });
      return said(alice, room, bob);
    },
  },
  "the reader has not synced": {
    root: "todevice.late",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      return said(alice, room, bob, { sync: false });
    },
  },
  "another loop of the same device took the message": {
    root: "todevice.stolen",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await bob.syncOnce();
      const { eventId: event } = await alice.send(room, HELLO);
      const thief = scene.session(bob);
      const { next_batch: since } = await thief.sync();
      await thief.sync({ since });
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader acknowledged and died before it took the message in": {
    root: "todevice.acked-not-processed",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      await bob.syncOnce();
      const { eventId: event } = await alice.send(room, HELLO);
      await bob.syncOnce(0, { acknowledgesEarly: true, diesAt: "got" }).catch(() => undefined);
      await bob.start();
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader's store was set back to before the message": {
    root: "todevice.acked-not-processed",
    step: 7,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      const before = await bob.snapshot();
      const { eventId: event } = await alice.send(room, HELLO);
      await bob.syncOnce();
      await bob.syncOnce();
      await bob.restore(before);
      await bob.syncOnce();
      return { event, reader: bob };
    },
  },
  "the reader's store was set back to before the Olm session": {
    root: "olm.wedged",
    step: 8,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({ bob: { store: "durable", process: "own" } });
      const before = await bob.snapshot();
      await alice.send(room, HELLO);
      await bob.syncOnce();
      await bob.send(room, HELLO);
      await alice.syncOnce();
      await bob.restore(before);
      await alice.rotate(room);
      return said(alice, room, bob);
    },
  },
  "the event was changed on its way to the reader": {
    root: "tampering",
    step: 9,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await scene.answer(EVENT, (answer) => {
        const content = { ...(answer.content as JsonObject) };
        const text = String(content.ciphertext);
        content.ciphertext = `${text.slice(0, -4)}${text.endsWith("AAAA") ? "BBBB" : "AAAA"}`;
        return { ...answer, content };
      });
      return said(alice, room, bob);
    },
  },
  "the sender's device is not signed": {
    root: "trust.unsigned-device",
    step: 10,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair({
        alice: { isUnsigned: true, policy: { share: "all", read: "untrusted" } },
      });
      return said(alice, room, bob);
    },
  },
  "the sender's signature was taken out of all answers": {
    root: "devicelist.stale",
    step: 10,
    act: async (scene) => {
      const policy = { share: "all", read: "untrusted" } as const;
      const alice = await scene.client(await scene.world.user("alice"), { policy });
      const bob = await scene.client(await scene.world.user("bob"));
      await scene.answer(QUERY, (answer) => unsigned(answer, alice.userId));
      await alice.bootstrapIdentity({ reset: true });
      const room = await scene.room(alice, bob);
      return said(alice, room, bob);
    },
  },
  "the sender has a new identity since it was verified": {
    root: "trust.verification-violation",
    step: 10,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await bob.syncOnce();
      await bob.verify(alice, "local-sign");
      // The signature comes back with the next answer about her.
      await bob.syncOnce();
      await alice.bootstrapIdentity({ reset: true });
      await bob.syncOnce();
      return said(alice, room, bob);
    },
  },
  "the event names another sender": {
    root: "trust.mismatched-sender",
    step: 10,
    act: async (scene) => {
      const { alice, bob, room } = await scene.pair();
      await bob.syncOnce();
      await scene.answer(EVENT, (answer) => ({ ...answer, sender: bob.userId }));
      return said(alice, room, bob);
    },
  },
};

function notYet(what: string): Error {
  return new CheckFailure(what, "not yet");
}

async function arrived(
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

function opened(file: string | undefined): DatabaseSync & Disposable {
  if (file === undefined) throw new TypeError("no database");
  const database = new DatabaseSync(file, { timeout: 5_000 });
  return Object.assign(database, { [Symbol.dispose]: () => database.close() });
}
