/**
 * Loaded into every process of a command (NODE_OPTIONS=--import), for a spec: notes each secret of the clients' that goes by,
 * so that the spec can look for it in what the command has written. The product knows nothing of it.
 */
import childProcess, { type SpawnOptions } from "node:child_process";
import crypto from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";
import {
  BackupDecryptionKey,
  DecryptedToDeviceEvent,
  DehydratedDeviceKey,
  OlmMachine,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import * as notes from "./notes.ts";

/** Clients in processes of their own are told apart: what is seen there alone has to be looked for as well. */
const isOwn = /\bchild\.m?[jt]s$/.test(process.argv[1] ?? "");

function note(kind: string, text: string): void {
  notes.note(isOwn ? `${kind} in a process of its own` : kind, text);
}

// Clients' processes get no environment but what they need: a witness goes with them all the same.
const { spawn } = childProcess;
const { NODE_OPTIONS, SECRETS_SEEN } = process.env;
childProcess.spawn = ((command: string, args: readonly string[], options: SpawnOptions = {}) => {
  const env = { ...(options.env ?? process.env), NODE_OPTIONS, SECRETS_SEEN };
  return spawn(command, args, { ...options, env });
}) as typeof spawn;

/** As base64 without what depends on its length, and as hex. */
function noteBytes(kind: string, bytes: Buffer): void {
  note(kind, bytes.toString("base64").replace(/=+$/, ""));
  note(kind, bytes.toString("base64url"));
  note(kind, bytes.toString("hex"));
}

// Exported keys and those in m.room_key differ in their first bytes and in what follows the ratchet.
const RATCHET = { from: 12, to: 60 };

const machine = OlmMachine.prototype;
const { encryptRoomEvent, shareRoomKey, exportCrossSigningKeys, buildRoomKeyBundle } = machine;
const { decryptRoomEvent, receiveSyncChanges } = machine;
machine.encryptRoomEvent = function (room, type, content) {
  note("plaintext", content);
  return encryptRoomEvent.call(this, room, type, content);
};
machine.shareRoomKey = async function (...given) {
  const requests = await shareRoomKey.apply(this, given);
  await noteKeys(this, "room key");
  return requests;
};
// What others have made, also such as no witness can look into (matrix-nio).
machine.receiveSyncChanges = async function (...given) {
  const processed = await receiveSyncChanges.apply(this, given);
  if (processed.some((event) => event instanceof DecryptedToDeviceEvent))
    await noteKeys(this, "received room key");
  return processed;
};
machine.decryptRoomEvent = async function (...given) {
  const decrypted = await decryptRoomEvent.apply(this, given);
  const { content } = JSON.parse(decrypted.event) as { content: { body?: unknown } };
  if (typeof content.body === "string") note("received plaintext", JSON.stringify(content));
  return decrypted;
};
async function noteKeys(of: OlmMachine, kind: string): Promise<void> {
  const sessions = JSON.parse(await of.exportRoomKeys(() => true)) as { session_key: string }[];
  for (const { session_key } of sessions) note(kind, session_key.slice(RATCHET.from, RATCHET.to));
}
machine.exportCrossSigningKeys = async function () {
  const keys = await exportCrossSigningKeys.call(this);
  for (const key of [keys?.masterKey, keys?.self_signing_key, keys?.userSigningKey])
    note("cross-signing key", key ?? "");
  return keys;
};
machine.buildRoomKeyBundle = async function (room) {
  const bundle = await buildRoomKeyBundle.call(this, room);
  const info = JSON.parse(bundle?.mediaEncryptionInfo ?? "{}") as { key?: { k?: string } };
  note("media key", info.key?.k ?? "");
  return bundle;
};
for (const [kind, { prototype }] of [
  ["backup key", BackupDecryptionKey],
  ["dehydration key", DehydratedDeviceKey],
] as const) {
  const { toBase64 } = prototype;
  prototype.toBase64 = function (this: never) {
    const text = toBase64.call(this);
    note(kind, text.replace(/=+$/, ""));
    return text;
  };
}

const { createRandomKey } = BackupDecryptionKey;
BackupDecryptionKey.createRandomKey = () => {
  const key = createRandomKey.call(BackupDecryptionKey);
  key.toBase64();
  return key;
};

// Keys of secret storage and of stores, and what servers sign with: nothing public here is of as many random bytes.
const KEY_BYTES = 32;
const { randomBytes } = crypto;
crypto.randomBytes = ((size: number, ...more: []) => {
  const bytes = randomBytes(size, ...more);
  if (size === KEY_BYTES && Buffer.isBuffer(bytes)) noteBytes("random key", bytes);
  return bytes;
}) as typeof randomBytes;
syncBuiltinESMExports();

// Passphrases of secret storage and of key exports (client-server API, "Key storage", "Key exports"), and what comes of them.
const subtle = SubtleCrypto.prototype;
const { importKey, deriveBits } = subtle;
subtle.importKey = async function (this: typeof subtle, ...given: unknown[]) {
  const [, data, algorithm] = given as [string, Uint8Array, { name?: string }];
  if (algorithm.name === "PBKDF2") note("passphrase", Buffer.from(data).toString());
  return Reflect.apply(importKey, this, given);
} as typeof importKey;
subtle.deriveBits = async function (this: typeof subtle, ...given: unknown[]) {
  const bits: ArrayBuffer = await Reflect.apply(deriveBits, this, given);
  const [{ name }] = given as [{ name?: string }];
  if (name === "PBKDF2") noteBytes("key of a passphrase", Buffer.from(bits));
  return bits;
} as typeof deriveBits;

channel("undici:request:create").subscribe((message) => {
  const { request } = message as { request: { headers: unknown; body: unknown } };
  const headers = String(request.headers);
  for (const [, token = ""] of headers.matchAll(/Bearer[ ,]*([\w.~+/=-]+)/gi))
    note("access token", token);
  const { body } = request;
  const text = typeof body === "string" || body instanceof Uint8Array ? Buffer.from(body) : "";
  for (const [, password = ""] of String(text).matchAll(/"password":"([^"]+)"/g))
    note("password", password);
});
