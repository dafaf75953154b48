/** Rooms that a real Synapse made, one of each version, for specs. */
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import type { JsonObject } from "./event.ts";
import v1 from "./fixtures/room-v1.json" with { type: "json" };
import v2 from "./fixtures/room-v2.json" with { type: "json" };
import v3 from "./fixtures/room-v3.json" with { type: "json" };
import v4 from "./fixtures/room-v4.json" with { type: "json" };
import v5 from "./fixtures/room-v5.json" with { type: "json" };
import v6 from "./fixtures/room-v6.json" with { type: "json" };
import v7 from "./fixtures/room-v7.json" with { type: "json" };
import v8 from "./fixtures/room-v8.json" with { type: "json" };
import v9 from "./fixtures/room-v9.json" with { type: "json" };
import v10 from "./fixtures/room-v10.json" with { type: "json" };
import v11 from "./fixtures/room-v11.json" with { type: "json" };
import v12 from "./fixtures/room-v12.json" with { type: "json" };
import serverKeys from "./fixtures/server-keys.json" with { type: "json" };
import type { VerifyKey } from "./signatures.ts";

export interface RecordedEvent {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly eventId: string;
  readonly pdu: JsonObject;
}

interface Recording {
  readonly roomVersion: string;
  readonly roomId: string;
  readonly events: readonly { readonly eventId: string; readonly pdu: object }[];
}

const RECORDINGS: readonly Recording[] = [v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12];

/** In the order of versions, each room in the order in which the server stored its events. */
export const RECORDED_EVENTS: readonly RecordedEvent[] = RECORDINGS.flatMap(
  ({ roomVersion, roomId, events }) =>
    [...ROOM_VERSIONS.values()]
      .filter(({ id }) => id === roomVersion)
      .flatMap((version) =>
        events.map(({ eventId, pdu }) => ({ version, roomId, eventId, pdu: pdu as JsonObject })),
      ),
);

/** Answers of `GET /_matrix/key/v2/server` of the two servers in those rooms. */
export const RECORDED_KEYS: readonly JsonObject[] = serverKeys as readonly JsonObject[];

/** What the two servers published, for verifyEvent. */
export function recordedKey(serverName: string, keyId: string): VerifyKey | undefined {
  for (const { server_name: name, verify_keys: keys, valid_until_ts: validUntilTs } of serverKeys) {
    const key = new Map(Object.entries(keys)).get(keyId);
    if (name === serverName && key !== undefined) return { publicKey: key.key, validUntilTs };
  }
  return undefined;
}
