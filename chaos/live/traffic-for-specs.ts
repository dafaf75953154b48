/** What servers hs1, hs2, … have of one room, for specs. */
import type { JournalWriter } from "#chaos/journal/write";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { roomVersion } from "#protocol/rooms/room-version";
import type { Cast } from "./cast.ts";
import { Traffic } from "./traffic.ts";

export const ROOM = "!main:hs1.test";

const VERSION = "11";
let count = 0;

/** As much as there is of a cast without servers. */
export function castOf(more: Partial<Cast> = {}): Cast {
  const rooms = new Map([["main", { id: ROOM, version: VERSION }]]);
  const serverName = (role: string) => `${role}.test`;
  const roleOf = (name: string) => name.replace(/\.test$/, "");
  return { rooms, serverName, roleOf, ...more } as unknown as Cast;
}

export function trafficOf(): Traffic {
  return new Traffic(castOf(), { write: () => undefined } as unknown as JournalWriter);
}

/** A message of the user of a server. */
export function pdu(sender: string, ...previous: readonly { readonly id: string }[]) {
  const event: JsonObject = {
    type: "m.room.message",
    room_id: ROOM,
    sender: `@user:${sender}.test`,
    content: { n: ++count },
    prev_events: previous.map(({ id }) => id),
    hashes: {},
  };
  const version = roomVersion(VERSION);
  if (version === undefined) throw new TypeError(`no version ${VERSION}`);
  return { id: eventId(event, version), event };
}
