/** Bundles of room keys for the invited (MSC4268): encrypted media, and the Olm message that tells of them. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { path } from "#harness/http/client";
import { at, isObject, listAt, objectAt, textAt } from "#harness/match/json";
import { expectStatus, expectThat, ok } from "#harness/world/expect";
import { encodeBase64, encodeBase64Url } from "#protocol/events/base64";
import type { JsonObject } from "#protocol/events/event";
import { mailOf } from "./clients.ts";
import type { OlmPeer } from "./olm-peer.ts";

/** What tells of a bundle, in the name that libraries know. */
export const BUNDLE = "io.element.msc4268.room_key_bundle";
const TYPES = ["m.room_key_bundle", BUNDLE];
const CIPHER = "aes-256-ctr";

export interface Bundle {
  /** The whole Olm payload that told of it. */
  readonly payload: JsonObject;
  /** Ids of the sessions in `room_keys` and in `withheld`. */
  readonly shared: readonly unknown[];
  readonly withheld: readonly unknown[];
}

/** The only bundle that a peer was told of, in clear. */
export async function bundleFor(peer: OlmPeer): Promise<Bundle> {
  const mail = peer.opened(await mailOf(peer.session));
  const [payload] = mail.filter(({ type }) => TYPES.includes(String(type)));
  const types = mail.map(({ type }) => type);
  expectThat(payload !== undefined, "a message that tells of a bundle", types);
  const file = objectAt(payload, "content", "file");
  const [, server = "", media = ""] = /^mxc:\/\/([^/]+)\/(.+)$/.exec(textAt(file, "url")) ?? [];
  const target = path`/_matrix/client/v1/media/download/${server}/${media}`;
  const response = await peer.session.get(target);
  expectStatus(response, 200);
  const key = Buffer.from(textAt(file, "key", "k"), "base64url");
  const decipher = createDecipheriv(CIPHER, key, Buffer.from(textAt(file, "iv"), "base64"));
  const clear = Buffer.concat([decipher.update(response.bytes), decipher.final()]);
  const bundle = JSON.parse(clear.toString("utf8")) as JsonObject;
  const sessions = (part: string) =>
    isObject(bundle) && Array.isArray(bundle[part])
      ? listAt(bundle, part).map((session) => at(session, "session_id"))
      : [];
  return { payload: payload ?? {}, shared: sessions("room_keys"), withheld: sessions("withheld") };
}

/** Uploads a bundle as the peer's; returns the content of the message that tells of it. */
export async function uploadBundle(
  { session }: OlmPeer,
  roomId: string,
  roomKeys: readonly JsonObject[],
): Promise<JsonObject> {
  const [key, iv] = [randomBytes(32), Buffer.concat([randomBytes(8), Buffer.alloc(8)])];
  const cipher = createCipheriv(CIPHER, key, iv);
  const text = JSON.stringify({ room_keys: roomKeys, withheld: [] });
  const encrypted = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  const uploaded = await session.request("POST", "/_matrix/media/v3/upload", {
    raw: encrypted,
    headers: { "content-type": "application/octet-stream" },
  });
  return {
    room_id: roomId,
    file: {
      v: "v2",
      url: textAt(ok(uploaded), "content_uri"),
      key: {
        kty: "oct",
        key_ops: ["encrypt", "decrypt"],
        alg: "A256CTR",
        k: encodeBase64Url(key),
        ext: true,
      },
      iv: encodeBase64(iv),
      hashes: { sha256: encodeBase64(createHash("sha256").update(encrypted).digest()) },
    },
  };
}
