/** Names on the SFU, and tokens for it (MSC4195 §Mapping MatrixRTC members to LiveKit, §Access token properties). */
import { createHash } from "node:crypto";
import { AccessToken, TrackSource } from "livekit-server-sdk";
import type { Faults } from "./faults.ts";
import type { ServiceSettings } from "./settings.ts";

export const LIFETIME_MS = 3_600_000;

/** Unpadded base64 of the SHA-256 of canonical JSON, which that of a list of strings is. */
export function hashOf(...parts: readonly string[]): string {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("base64");
  return digest.replace(/=+$/, "");
}

export interface TokenOrder {
  readonly identity: string;
  readonly room: string;
  readonly canPublish: boolean;
  readonly faults: Faults;
}

export function signToken(
  { apiKey, apiSecret }: ServiceSettings["sfu"],
  { identity, room, canPublish, faults }: TokenOrder,
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity, ttl: LIFETIME_MS / 1_000 });
  token.addGrant({
    room,
    roomJoin: true,
    // Whoever may make a room may end it as well.
    roomCreate: faults.has("room-create"),
    canPublish: canPublish || faults.has("publish-for-all"),
    canSubscribe: !faults.has("no-subscribe"),
    ...(faults.has("sound-only") ? { canPublishSources: [TrackSource.MICROPHONE] } : {}),
    canUpdateOwnMetadata: faults.has("update-metadata"),
    ...(faults.has("hidden") ? { hidden: true } : {}),
  });
  return token.toJwt();
}
