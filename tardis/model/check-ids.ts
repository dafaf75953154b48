/** Whether events have the ids that follow from their content. */
import { eventId } from "#protocol/events/hashes";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { isExact } from "./json.ts";
import type { Pdu, Run } from "./run.ts";

export interface IdChecks {
  /** Ids that were calculated as the file was read. */
  readonly calculated: number;
  readonly matching: number;
  readonly differing: readonly { readonly id: string; readonly calculated: string }[];
  /** Names, ids of room versions 1 and 2, and events with numbers that lost digits. */
  readonly unknown: number;
}

export function checkIds({ pdus, rooms }: Run): IdChecks {
  const versions = new Map(rooms.map(({ id, version }) => [id, version]));
  const differing: { id: string; calculated: string }[] = [];
  const counts = { calculated: 0, matching: 0, unknown: 0 };
  for (const pdu of pdus) {
    const found = checkId(pdu, versions.get(pdu.event.roomId));
    if (found === "calculated" || found === "matching" || found === "unknown") counts[found]++;
    else differing.push({ id: pdu.eventId, calculated: found });
  }
  return { ...counts, differing };
}

/** The id that it should have, where it has another one. */
function checkId(
  { eventId: given, idSource, json }: Pdu,
  version: RoomVersion | undefined,
): keyof Omit<IdChecks, "differing"> | `$${string}` {
  if (idSource === "calculated") return "calculated";
  if (version === undefined || version.eventIds === "given" || idSource === "placeholder") {
    return "unknown";
  }
  try {
    const id = eventId(json, version);
    if (id === given) return "matching";
    return isExact(json) ? (id as `$${string}`) : "unknown";
  } catch {
    return "unknown";
  }
}
