/** Events with real hashes and ids, and without signatures: whoever gets them here trusts who sent them. */
import { selectAuthState } from "#protocol/auth/selection";
import type { JsonObject, RoomEvent } from "#protocol/events/event";
import { contentHash, eventId } from "#protocol/events/hashes";
import { readEvent } from "#protocol/events/read-event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { Draft } from "./drafts.ts";

export interface Pdu {
  readonly id: string;
  readonly event: RoomEvent;
  readonly json: JsonObject;
}

export interface Place {
  /** Undefined: of a create event, which makes the room. */
  readonly roomId: string | undefined;
  readonly prevEvents: readonly string[];
  readonly depth: number;
  /** Milliseconds since 1970. */
  readonly ts: number;
  /** Id of the state event that the author's server has. */
  readonly cite: (type: string, stateKey: string) => string | undefined;
  /** Names the event in versions 1 and 2, and the room below 12: unique. */
  readonly givenName: string;
}

export function makeEvent(draft: Draft, place: Place, version: RoomVersion): Pdu {
  const { type, sender, stateKey, content, redacts } = draft;
  const domain = sender.slice(sender.indexOf(":"));
  const isGiven = version.eventIds === "given";
  const roomId =
    place.roomId ?? (version.isRoomIdHash ? undefined : `!${place.givenName}${domain}`);
  const parts: JsonObject = {
    type,
    sender,
    ...(roomId === undefined ? {} : { room_id: roomId }),
    ...(stateKey === undefined ? {} : { state_key: stateKey }),
    ...(isGiven ? { event_id: `$${place.givenName}${domain}` } : {}),
    ...(redacts !== undefined && !version.hasRedactionsOf11 ? { redacts } : {}),
    content: redacts !== undefined && version.hasRedactionsOf11 ? { redacts, ...content } : content,
    depth: place.depth,
    origin_server_ts: place.ts,
    signatures: {},
  };
  // Hashes of cited events are not kept: nobody here looks at them.
  const cited = (ids: readonly string[]) => (isGiven ? ids.map((id) => [id, {}]) : ids);
  const bare = readEvent({ room_id: "!", ...parts, event_id: "$" }, version);
  const auth = selectAuthState(bare, version)
    .filter(({ slot }) => slot !== "create" || !version.isRoomIdHash)
    .flatMap((one) => place.cite(one.type, one.stateKey) ?? []);
  const whole = {
    ...parts,
    prev_events: cited(place.prevEvents),
    auth_events: cited([...new Set(auth)]),
  };
  const json: JsonObject = { ...whole, hashes: { sha256: contentHash(whole) } };
  const id = eventId(json, version);
  return { id, json, event: readEvent({ ...json, event_id: id }, version) };
}
