/**
 * Loaded into every process of a command (NODE_OPTIONS=--import), for a spec: notes each secret of the clients' that goes by,
 * so that the spec can look for it in what the command has written. The product knows nothing of it.
 */
import crypto from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";
import {
  BackupDecryptionKey,
  DehydratedDeviceKey,
  OlmMachine,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { note } from "./notes.ts";

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
machine.encryptRoomEvent = function (room, type, content) {
  note("plaintext", content);
  return encryptRoomEvent.call(this, room, type, content);
};
machine.shareRoomKey = async function (...given) {
  const requests = await shareRoomKey.apply(this, given);
  const sessions = JSON.parse(await this.exportRoomKeys(() => true)) as { session_key: string }[];
  for (const { session_key } of sessions)
    note("room key", session_key.slice(RATCHET.from, RATCHET.to));
  return requests;
};
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

// Keys of secret storage and of stores, and what servers sign with: nothing public here is of as many random bytes.
const KEY_BYTES = 32;
const { randomBytes } = crypto;
crypto.randomBytes = ((size: number, ...more: []) => {
  const bytes = randomBytes(size, ...more);
  if (size === KEY_BYTES && Buffer.isBuffer(bytes)) noteBytes("random key", bytes);
  return bytes;
}) as typeof randomBytes;
syncBuiltinESMExports();

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
