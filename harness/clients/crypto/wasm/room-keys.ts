/** Sharing of a room's key, and what is encrypted with it. */
import {
  EncryptionSettings,
  HistoryVisibility,
  RoomId,
  type ToDeviceRequest,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import type { JsonObject } from "#harness/match/json";
import { type Engine, usersOf } from "./engine.ts";

const VISIBILITIES: Readonly<Record<string, HistoryVisibility>> = {
  invited: HistoryVisibility.Invited,
  joined: HistoryVisibility.Joined,
  shared: HistoryVisibility.Shared,
  world_readable: HistoryVisibility.WorldReadable,
};

/** With all who are there or invited, by the policy. */
export async function shareRoomKey(engine: Engine, roomId: string): Promise<void> {
  const members = await engine.members(roomId);
  await engine.track(members);
  await engine.pump();
  await engine.establish(members);
  using settings = await encryptionSettings(engine, roomId);
  const shares = await engine.machine.shareRoomKey(new RoomId(roomId), usersOf(members), settings);
  engine.telling.shares(roomId, members, shares.map(told));
  for (const share of shares) await engine.perform(share);
}

/** Content of an `m.room.encrypted`. The ratchet has moved on, on disk too: no index is used twice after a kill. */
export async function encrypted(
  engine: Engine,
  roomId: string,
  type: string,
  content: JsonObject,
): Promise<JsonObject> {
  const { machine, keeping } = engine;
  const text = await machine.encryptRoomEvent(new RoomId(roomId), type, JSON.stringify(content));
  await keeping.persist();
  return JSON.parse(text) as JsonObject;
}

export function told(share: ToDeviceRequest) {
  return { txn: share.txn_id, type: share.event_type, body: share.body };
}

/** As the room asks for (client-server API, m.room.encryption), and who may see its history. */
async function encryptionSettings(engine: Engine, roomId: string): Promise<EncryptionSettings> {
  const { session } = engine;
  const [encryption, history] = await Promise.all([
    session.state(roomId, "m.room.encryption"),
    session.state(roomId, "m.room.history_visibility"),
  ]);
  const settings = new EncryptionSettings();
  settings.sharingStrategy = engine.sharing();
  const { rotation_period_ms: ms, rotation_period_msgs: messages } = encryption ?? {};
  // In microseconds.
  if (typeof ms === "number") settings.rotationPeriod = BigInt(ms) * 1_000n;
  if (typeof messages === "number") settings.rotationPeriodMessages = BigInt(messages);
  const visibility = VISIBILITIES[String(history?.history_visibility)];
  if (visibility !== undefined) settings.historyVisibility = visibility;
  return settings;
}
