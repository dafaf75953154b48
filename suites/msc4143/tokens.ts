/** Tokens for an SFU, as clients and servers ask for them (MSC4195 §Acquiring LiveKit access tokens). */
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, type JsonObject, textAt } from "#harness/match/json";
import type { Mutant } from "#harness/world/check";
import { fail, ok } from "#harness/world/expect";
import type { ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { canonicalJson } from "#protocol/events/canonical-json";
import { transportsOf } from "./transports.ts";

export const GET_TOKEN = "/_matrix/client/**/rtc/livekit/get_token";
export const FEDERATION_TOKEN =
  "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token";

/** The client endpoint of this name, by the newest path that the server has. */
export function livekitPath(world: World, endpoint: "get_token" | "delegate_delayed_leave") {
  const version = world.has("rtc-token:stable") ? "v1" : "unstable/io.element.msc4195";
  return `/_matrix/client/${version}/rtc/livekit/${endpoint}`;
}

export function requestToken(
  world: World,
  client: ServerClient,
  body: unknown,
): Promise<HttpResponse> {
  return client.post(livekitPath(world, "get_token"), body);
}

export interface Scene {
  readonly alice: Session;
  readonly roomId: string;
  /** Where alice's server has its SFU, as it tells its users. */
  readonly url: string;
  /** What she asks for. */
  readonly body: {
    readonly url: string;
    readonly room_id: string;
    readonly slot_id: string;
    readonly member_id: string;
  };
}

/** Alice in a public room of hers, about to join the slot. */
export async function tokenScene(world: World, slot: string): Promise<Scene> {
  const alice = await world.user("alice");
  const [roomId, url] = await Promise.all([
    alice.createRoom({ preset: "public_chat" }),
    sfuUrlOf(world, alice),
  ]);
  const body = { url, room_id: roomId, slot_id: slot, member_id: world.name("member") };
  return { alice, roomId, url, body };
}

/** The url of the server's first LiveKit transport (MSC4195 §Discovering and announcing transports). */
export async function sfuUrlOf(world: World, user: Session): Promise<string> {
  const response = await transportsOf(world, user);
  // Either name of the list will do here: MSC4143.transports.shape is about it.
  const listed = at(response.json, "transports") ?? at(response.json, "rtc_transports");
  const livekit = (Array.isArray(listed) ? listed : [])
    .filter(isObject)
    .find(({ type }) => type === "m.livekit" || type === "livekit");
  if (livekit === undefined) fail("a LiveKit transport", response.text, response);
  return textAt(livekit, "url");
}

/** The token of an answer that has to have one. */
export function tokenOf(response: HttpResponse): string {
  return textAt(ok(response), "jwt");
}

/** What a token says (RFC 7519 §4); whether its signature is good is for the SFU to say. */
export function claimsOf(jwt: string): JsonObject {
  const [, payload = ""] = jwt.split(".");
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    if (isObject(claims)) return claims;
  } catch {
    // It is none, either way.
  }
  fail("a JSON Web Token with claims", `a text of ${jwt.length} characters`);
}

/** What a token lets its holder do (LiveKit: video grant). */
export function grantOf(jwt: string): JsonObject {
  const { video } = claimsOf(jwt);
  if (!isObject(video)) fail("a token with a video grant", "a token without one");
  return video;
}

/** Unpadded base64 of the SHA-256 of canonical JSON (MSC4195 §Mapping MatrixRTC members to LiveKit). */
export async function hashOf(...parts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(parts, { strict: true }));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Buffer.from(digest).toString("base64").replace(/=+$/, "");
}

/**
 * A service that does wrong what its homeserver hands it, by a fault of the embedded one (drivers/rtc-auth/faults.ts).
 *
 * @param marks text that only this check's requests have, such as its slot
 */
export function serviceThat(name: string, fault: string, marks: string): Mutant {
  return {
    name,
    rules: [
      {
        match: { from: "hs1", to: "rtc1", method: "POST", contains: marks },
        phase: "before",
        action: { kind: "rewrite", headers: { "x-crucible-fault": fault } },
      },
    ],
  };
}
