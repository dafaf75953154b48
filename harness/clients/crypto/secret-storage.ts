/** Secrets in account data, encrypted (client-server API, "Secret storage", m.secret_storage.v1.aes-hmac-sha2). */
import { createCipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { expectStatus, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { Secret } from "./crypto-client.ts";
import { secret } from "./secret.ts";

interface Encrypted {
  readonly iv: string;
  readonly ciphertext: string;
  readonly mac: string;
}

const DEFAULT_KEY = "m.secret_storage.default_key";

/** Stores these under a new key, which becomes the default one; returns it. */
export async function storeSecrets(
  session: Session,
  secrets: Readonly<Record<string, string>>,
): Promise<Secret> {
  const key = randomBytes(32);
  const keyId = randomBytes(16).toString("hex");
  const { iv, mac } = encrypt(key, "", Buffer.alloc(32));
  const description = { algorithm: "m.secret_storage.v1.aes-hmac-sha2", iv, mac };
  await put(session, `m.secret_storage.key.${keyId}`, description);
  for (const [name, value] of Object.entries(secrets)) {
    await put(session, name, { encrypted: { [keyId]: encrypt(key, name, Buffer.from(value)) } });
  }
  await put(session, DEFAULT_KEY, { key: keyId });
  return secret(key.toString("base64"));
}

/**
 * The secret under the default key; undefined: there is none of that name.
 *
 * @throws HarnessError BAD_USAGE when it was encrypted with another key
 */
export async function takeSecret(
  session: Session,
  recovery: Secret,
  name: string,
): Promise<string | undefined> {
  const keyId = textAt(await get(session, DEFAULT_KEY), "key");
  const found = at(await get(session, name), "encrypted", keyId) as Encrypted | undefined;
  if (found === undefined) return undefined;
  const key = Buffer.from(recovery.reveal(), "base64");
  const { aes, hmac } = keysFor(key, name);
  const ciphertext = Buffer.from(found.ciphertext, "base64");
  const mac = createHmac("sha256", hmac).update(ciphertext).digest();
  const given = Buffer.from(found.mac, "base64");
  if (mac.length !== given.length || !timingSafeEqual(mac, given)) {
    throw new HarnessError("BAD_USAGE", {
      what: `${name} of ${session.userId} was encrypted with another recovery key`,
      next: "use the key that the last recovery.create() has returned",
    });
  }
  const decipher = createCipheriv("aes-256-ctr", aes, Buffer.from(found.iv, "base64"));
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
}

function encrypt(key: Buffer, name: string, plain: Buffer): Encrypted {
  const { aes, hmac } = keysFor(key, name);
  const iv = randomBytes(16);
  // Bit 63 is zero, for implementations that count in 64 bits.
  iv[8] = (iv[8] ?? 0) & 0x7f;
  const cipher = createCipheriv("aes-256-ctr", aes, iv);
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  const mac = createHmac("sha256", hmac).update(ciphertext).digest();
  const [text, code, start] = [ciphertext, mac, iv].map((bytes) => bytes.toString("base64"));
  return { iv: start ?? "", ciphertext: text ?? "", mac: code ?? "" };
}

function keysFor(key: Buffer, name: string): { aes: Buffer; hmac: Buffer } {
  const both = Buffer.from(hkdfSync("sha256", key, Buffer.alloc(32), name, 64));
  return { aes: both.subarray(0, 32), hmac: both.subarray(32) };
}

async function put(session: Session, type: string, content: object): Promise<void> {
  const { userId } = session;
  ok(await session.put(path`/_matrix/client/v3/user/${userId}/account_data/${type}`, content));
}

async function get(session: Session, type: string): Promise<unknown> {
  const { userId } = session;
  const target = path`/_matrix/client/v3/user/${userId}/account_data/${type}`;
  const response = await session.get(target);
  expectStatus(response, [200, 404]);
  return response.status === 404 ? {} : response.json;
}
