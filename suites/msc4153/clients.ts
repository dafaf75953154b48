/**
 * What checks of client libraries share: clients with a crypto engine, the rooms they meet in, and verdicts that name the
 * library. What was said in a room is in no message of theirs.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type {
  ClientOptions,
  CryptoClient,
  ReadResult,
  SyncReport,
} from "#harness/clients/crypto/crypto-client";
import { startClient } from "#harness/clients/crypto/start-client";
import { CheckFailure } from "#harness/errors";
import { eventsAt, type JsonObject, type MatrixEvent } from "#harness/match/json";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectContains, expectEqual } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

const ENGINE = "@matrix-org/matrix-sdk-crypto-wasm";
const SYNC = { method: "GET", path: "/_matrix/client/v3/sync" };
const ROOM_EVENT = { method: "GET", path: "/_matrix/client/v3/rooms/*/event/*" };
const QUERY = { method: "POST", path: "/_matrix/client/v3/keys/query" };
const LONG_POLL_MS = 2_000;
const SYNCS_AT_MOST = 10;

/** Name and version of the library that is judged. */
function library(name: string): string {
  const { resolve } = createRequire(import.meta.url);
  const folders = resolve.paths(name)?.map((folder) => path.join(folder, name)) ?? [];
  const file = folders.map((folder) => path.join(folder, "package.json")).find(existsSync) ?? "";
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return `${name} ${version}`;
}

/** A user's device with a client on it. */
export interface Actor {
  readonly session: Session;
  readonly client: CryptoClient;
}

export interface Role extends ClientOptions {
  /** Without a cross-signing identity, its device is signed by nobody. Signed unless given. */
  readonly isSigned?: boolean;
}

/** Who plays in a check of a client library. */
export class Cast implements AsyncDisposable {
  readonly world: World;
  readonly #clients: CryptoClient[] = [];

  constructor(world: World) {
    this.world = world;
  }

  /** A new user with one device. */
  async user(name: string, role: Role = {}): Promise<Actor> {
    return this.device(await this.world.user(name), role);
  }

  /** A client on a device that is there. */
  async device(session: Session, { isSigned = true, ...options }: Role = {}): Promise<Actor> {
    const client = await startClient("wasm", session, options);
    this.#clients.push(client);
    if (isSigned) await client.bootstrapIdentity();
    // From now on it hears of changes.
    await client.syncOnce();
    return { session, client };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

/** Runs the body with a cast; what fails in it is the library's, by name. @param name of its package */
export async function judged(
  world: World,
  body: (cast: Cast) => Promise<void>,
  name = ENGINE,
): Promise<void> {
  await using cast = new Cast(world);
  try {
    await body(cast);
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    const expected = `${error.expected}, by the client library ${library(name)}`;
    throw new CheckFailure(expected, error.actual, error.exchange);
  }
}

export const TEXT = { msgtype: "m.text", body: "said" };

/** Two clients in a room, of which the first has sent a message whose key the second has not fetched yet. */
export async function sent(cast: Cast, role: Role = {}) {
  const [alice, bob] = [await cast.user("alice"), await cast.user("bob", role)];
  const roomId = await encryptedRoom(alice.session, bob.session);
  await bob.client.syncOnce();
  const { eventId } = await alice.client.send(roomId, TEXT);
  return { alice, bob, roomId, eventId };
}

/** What a check says of a reading: all but the text. */
export function told(read: ReadResult): JsonObject {
  if (read.isReadable) return { isReadable: true, shield: read.shield?.code ?? read.shield?.color };
  // `code` would be taken for a secret, and be hidden in reports.
  const { code: why, withheld } = read;
  return { isReadable: false, why, ...(withheld === undefined ? {} : { withheld }) };
}

export function expectReadable(read: ReadResult, what: string): void {
  expectContains(told(read), { isReadable: true }, what);
}

export function expectUnreadable(read: ReadResult, what: string, more: JsonObject = {}): void {
  expectContains(told(read), { isReadable: false, ...more }, what);
}

/** Syncs until the client has been told that a user's devices have changed. */
export async function untilChanged(
  { client }: Actor,
  { userId }: { readonly userId: string },
): Promise<void> {
  const seen: string[] = [];
  for (let count = 0; count < SYNCS_AT_MOST; count++) {
    const { changed } = await client.syncOnce(LONG_POLL_MS);
    seen.push(...changed);
    if (changed.includes(userId)) return;
  }
  throw new CheckFailure(`a change of ${userId} in ${SYNCS_AT_MOST} syncs`, JSON.stringify(seen));
}

/** Syncs until this many to-device events have come; all reports. */
export async function untilMail({ client }: Actor, count = 1): Promise<readonly SyncReport[]> {
  const reports: SyncReport[] = [];
  for (let syncs = 0; syncs < SYNCS_AT_MOST; syncs++) {
    reports.push(await client.syncOnce(LONG_POLL_MS));
    if (reports.reduce((sum, { toDevice }) => sum + toDevice, 0) >= count) return reports;
  }
  throw new CheckFailure(
    `${count} to-device events in ${SYNCS_AT_MOST} syncs`,
    JSON.stringify(reports.map(({ toDevice }) => toDevice)),
  );
}

/** Megolm session of an event, as it is on the wire. */
export async function sessionOf(
  { session }: Actor,
  roomId: string,
  eventId: string,
): Promise<unknown> {
  return (await session.event(roomId, eventId)).content.session_id;
}

/**
 * To-device events of a device without a client, all that came so far: a marker that its own user sends it ends them.
 */
export async function mailOf(device: Session): Promise<readonly MatrixEvent[]> {
  const marker = device.context.nextName("marker");
  const target = `/_matrix/client/v3/sendToDevice/org.matrix-crucible.marker/${marker}`;
  const messages = { [device.userId]: { [device.deviceId]: { marker } } };
  await device.put(target, { messages });
  const { bodies } = await device.syncUntil(undefined, `the marker ${marker}`, (body) =>
    eventsAt(body, "to_device", "events").find(({ content }) => content.marker === marker),
  );
  return bodies
    .flatMap((body) => eventsAt(body, "to_device", "events"))
    .filter(({ type }) => type !== "org.matrix-crucible.marker");
}

/** Types of to-device events, and codes of those that say that a key is withheld. */
export function kindsOf(mail: readonly MatrixEvent[]): readonly string[] {
  return mail.map(({ type, content }) =>
    type === "m.room_key.withheld" ? `withheld ${String(content.code)}` : type,
  );
}

export async function expectMail(
  device: Session,
  kinds: readonly string[],
  what: string,
): Promise<void> {
  expectEqual(kindsOf(await mailOf(device)), kinds, what);
}

/** Clients that get no keys, or events that are of another session: by these, checks of what is read fail. */
export const LOSES_KEYS = altersAnswer("loses the key", SYNC, { remove: ["/to_device"] });
export const HIDES_CHANGES = altersAnswer("does not hear of changed devices", SYNC, {
  remove: ["/device_lists"],
});
export const ONE_SESSION = altersAnswer("goes on with the same session", ROOM_EVENT, {
  set: { "/content/session_id": "same" },
});
export const SENDS_KEYS = altersAnswer("sends the key to the device", SYNC, {
  set: {
    "/to_device": {
      events: [
        {
          type: "m.room.encrypted",
          sender: "@alice:hs1",
          content: { algorithm: "m.olm.v1.curve25519-aes-sha2", ciphertext: {}, sender_key: "" },
        },
      ],
    },
  },
});
/** By it, checks of what a client says of its own device fail: those of other devices are as they were. */
export const SHOWS_OTHER_KEYS = altersAnswer(
  "shows other device keys than were published",
  { ...QUERY, contains: "alice" },
  { set: { "/device_keys/*/*/algorithms": ["x.other"] } },
);
export const HIDES_IDENTITIES = altersAnswer("sees no identity", QUERY, {
  remove: ["/master_keys", "/self_signing_keys"],
});
