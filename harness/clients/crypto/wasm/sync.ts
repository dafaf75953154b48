/** One sync of the wasm client: what came is taken in before it is acknowledged. */
import {
  DecryptedToDeviceEvent,
  DeviceLists,
  type ProcessedToDeviceEvent,
  ProcessedToDeviceEventType,
  ToDeviceUnableToDecryptReason,
  UTDToDeviceEvent,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { at, eventsAt, isObject, type JsonObject } from "#harness/match/json";
import { stateBefore, timeline } from "#harness/world/session";
import type { SyncReport, ToDeviceReport } from "../crypto-client.ts";
import { type Engine, usersOf } from "./engine.ts";

export interface Synced {
  readonly report: SyncReport;
  /** Token of the next one; asking with it has the server forget what came. */
  readonly next: string;
}

const FILTER = { room: { timeline: { limit: 1 } }, presence: { limit: 0 } };

export async function syncV3(
  engine: Engine,
  since: string | undefined,
  timeoutMs: number,
): Promise<Synced> {
  const body = await engine.session.sync({ since, timeoutMs, filter: FILTER });
  const toDevice = eventsAt(body, "to_device", "events");
  const [changed, left] = [usersAt(body, "changed"), usersAt(body, "left")];
  const counts = at(body, "device_one_time_keys_count");
  const unused = at(body, "device_unused_fallback_key_types");
  const processed = await engine.machine.receiveSyncChanges(
    JSON.stringify(toDevice),
    new DeviceLists(usersOf(changed), usersOf(left)),
    new Map(isObject(counts) ? Object.entries(counts as Record<string, number>) : []),
    Array.isArray(unused) ? new Set(unused as string[]) : undefined,
    engine.decryption(),
  );
  for (const roomId of roomsWithNewMembers(body)) await engine.track(await engine.members(roomId));
  return { report: reportOf(processed, changed), next: body.next_batch };
}

function reportOf(
  processed: readonly ProcessedToDeviceEvent[],
  changed: readonly string[],
): SyncReport {
  const events = processed.map(toDeviceReport);
  const undecryptable = events.filter(({ outcome }) => outcome === "undecryptable").length;
  return { toDevice: events.length, undecryptable, events, changed };
}

function toDeviceReport(event: ProcessedToDeviceEvent): ToDeviceReport {
  const { type, sender } = JSON.parse(event.rawEvent) as JsonObject;
  const base = { type: String(type), sender: String(sender) };
  if (event instanceof DecryptedToDeviceEvent) return { ...base, outcome: "decrypted" };
  if (event instanceof UTDToDeviceEvent) {
    const { reason } = event.utdInfo;
    return {
      ...base,
      outcome: "undecryptable",
      reason: ToDeviceUnableToDecryptReason[reason] ?? String(reason),
    };
  }
  const isPlain = event.type === ProcessedToDeviceEventType.PlainText;
  return { ...base, outcome: isPlain ? "plain" : "invalid" };
}

/** Joined rooms of a sync in which a membership has changed; all of them the first time. */
function roomsWithNewMembers(body: JsonObject): readonly string[] {
  const joined = at(body, "rooms", "join");
  return Object.keys(isObject(joined) ? joined : {}).filter((roomId) =>
    [...timeline(body, roomId), ...stateBefore(body, roomId)].some(
      ({ type }) => type === "m.room.member",
    ),
  );
}

function usersAt(body: JsonObject, field: "changed" | "left"): readonly string[] {
  const users = at(body, "device_lists", field);
  return Array.isArray(users) ? users.filter((user) => typeof user === "string") : [];
}
