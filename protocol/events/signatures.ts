/** Signatures of JSON objects and of events (appendices §Signing JSON, server-server API §Signing Events). */
import type { RoomVersion } from "#protocol/rooms/room-version";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { CanonicalJsonError, canonicalJson } from "./canonical-json.ts";
import { publicKeyBytes, signBytes, verifyBytes } from "./ed25519.ts";
import { isObject, type JsonObject, type JsonValue } from "./event.ts";
import { contentHash } from "./hashes.ts";
import { redact } from "./redact.ts";

const UTF8 = new TextEncoder();
const ALGORITHM = "ed25519:";
const SEVEN_DAYS_MS = 7 * 24 * 60 * 60 * 1000;

/** A server's key as its /_matrix/key/v2/server says. */
export interface VerifyKey {
  /** 32 bytes, base64. */
  readonly publicKey: string;
  /** Milliseconds since 1970: valid_until_ts, or expired_ts of an old key. */
  readonly validUntilTs: number;
}

/** Undefined for a key that is not known. */
export type VerifyKeyLookup = (serverName: string, keyId: string) => VerifyKey | undefined;

export type SignatureProblemCode =
  | "NO_SERVER_NAME"
  | "NOT_SIGNED"
  | "NO_VALID_KEY"
  | "WRONG_SIGNATURE";

/** Why an event is to be dropped. */
export interface SignatureProblem {
  readonly code: SignatureProblemCode;
  /** One sentence with the server and the key that decided. */
  readonly why: string;
}

/** The key that belongs to a secret one of 32 bytes (RFC 8032), unpadded base64. */
export function publicKeyOf(secretKey: Uint8Array): string {
  return encodeBase64(publicKeyBytes(secretKey));
}

/**
 * A copy with the server's signature beside those that are there.
 *
 * @param keyId with its algorithm, `ed25519:a_key`
 * @param secretKey 32 bytes (RFC 8032)
 * @throws CanonicalJsonError
 */
export function signJson(
  value: JsonObject,
  serverName: string,
  keyId: string,
  secretKey: Uint8Array,
): JsonObject {
  const signature = encodeBase64(signBytes(signedBytes(value), secretKey));
  const signatures = objectAt(value, "signatures");
  return {
    ...value,
    signatures: {
      ...signatures,
      [serverName]: { ...objectAt(signatures, serverName), [keyId]: signature },
    },
  };
}

/**
 * True when the object bears a valid signature of this server under this key, by the rules of libsodium (verifyBytes).
 * Nothing throws: what can not be encoded was not signed.
 *
 * @param publicKey 32 bytes, base64
 */
export function verifyJson(
  value: JsonObject,
  serverName: string,
  keyId: string,
  publicKey: string,
): boolean {
  const text = objectAt(objectAt(value, "signatures"), serverName)[keyId];
  const signature = typeof text === "string" ? decodeBase64(text) : undefined;
  const key = decodeBase64(publicKey);
  if (signature === undefined || key === undefined || !keyId.startsWith(ALGORITHM)) return false;
  try {
    return verifyBytes(signature, signedBytes(value), key);
  } catch (error) {
    if (error instanceof CanonicalJsonError) return false;
    throw error;
  }
}

/**
 * A copy with its content hash and the server's signature, ready to be sent. In versions 1 and 2 the event must have its
 * id already.
 *
 * @throws CanonicalJsonError
 */
export function signEvent(
  pdu: JsonObject,
  version: RoomVersion,
  serverName: string,
  keyId: string,
  secretKey: Uint8Array,
): JsonObject {
  const hashed = { ...pdu, hashes: { sha256: contentHash(pdu) } };
  const { signatures = {} } = signJson(redact(hashed, version), serverName, keyId, secretKey);
  return { ...hashed, signatures };
}

/**
 * The servers that must have signed an event: the sender's, except for an invite that answers one by third-party
 * identifier; in versions 1 and 2 that of the event id; for a restricted join that of the user who vouches for it.
 * Undefined stands for an id without a server name.
 */
export function requiredSigners(
  pdu: JsonObject,
  version: RoomVersion,
): ReadonlySet<string | undefined> {
  const signers = new Set<string | undefined>();
  const content = objectAt(pdu, "content");
  const membership = pdu.type === "m.room.member" ? content.membership : undefined;
  const isThirdPartyInvite =
    membership === "invite" && Object.hasOwn(content, "third_party_invite");
  if (!isThirdPartyInvite) signers.add(serverNameOf(pdu.sender));
  if (version.eventIds === "given") signers.add(serverNameOf(pdu.event_id));
  const voucher = "join_authorised_via_users_server";
  if (version.hasRestrictedJoins && membership === "join" && Object.hasOwn(content, voucher)) {
    signers.add(serverNameOf(content[voucher]));
  }
  return signers;
}

/**
 * Undefined when all who must have signed have. Of each, signatures by keys that are unknown, or from version 5 on not
 * valid at origin_server_ts, are skipped; of the others there must be one, and all must be right.
 *
 * @param nowMs milliseconds since 1970: no key is trusted longer than seven days from then (version 5 on)
 */
export function verifyEvent(
  pdu: JsonObject,
  version: RoomVersion,
  lookUp: VerifyKeyLookup,
  nowMs: number,
): SignatureProblem | undefined {
  const redacted = redact(pdu, version);
  const signedAt = typeof pdu.origin_server_ts === "number" ? pdu.origin_server_ts : 0;
  const isValid = ({ validUntilTs }: VerifyKey) =>
    !version.hasKeyValidity || Math.min(validUntilTs, nowMs + SEVEN_DAYS_MS) >= signedAt;
  for (const server of requiredSigners(pdu, version)) {
    if (server === undefined) {
      return { code: "NO_SERVER_NAME", why: "an id whose server must sign has no server name" };
    }
    const problem = verifyServer(redacted, server, lookUp, isValid);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function verifyServer(
  redacted: JsonObject,
  server: string,
  lookUp: VerifyKeyLookup,
  isValid: (key: VerifyKey) => boolean,
): SignatureProblem | undefined {
  const keyIds = Object.keys(objectAt(objectAt(redacted, "signatures"), server)).filter((id) =>
    id.startsWith(ALGORITHM),
  );
  if (keyIds.length === 0) return { code: "NOT_SIGNED", why: `${server} has not signed` };
  let isVerified = false;
  for (const keyId of keyIds) {
    const key = lookUp(server, keyId);
    if (key === undefined || !isValid(key)) continue;
    if (!verifyJson(redacted, server, keyId, key.publicKey)) {
      return { code: "WRONG_SIGNATURE", why: `the signature of ${server} by ${keyId} is wrong` };
    }
    isVerified = true;
  }
  if (isVerified) return undefined;
  return {
    code: "NO_VALID_KEY",
    why: `${server} signed by ${keyIds.join(", ")}, none of which is known and valid then`,
  };
}

function signedBytes(value: JsonObject): Uint8Array {
  const { signatures: _signatures, unsigned: _unsigned, ...signed } = value;
  return UTF8.encode(canonicalJson(signed, { strict: false }));
}

/** All after the first colon. */
function serverNameOf(id: JsonValue | undefined): string | undefined {
  const colon = typeof id === "string" ? id.indexOf(":") : -1;
  return typeof id === "string" && colon >= 0 ? id.slice(colon + 1) : undefined;
}

/** The object at an own key; an empty one when there is none. */
function objectAt(value: JsonObject, key: string): JsonObject {
  const inner = Object.hasOwn(value, key) ? value[key] : undefined;
  return isObject(inner) ? inner : {};
}
