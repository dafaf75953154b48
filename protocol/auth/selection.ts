/** Which state an event is authorised by (server-server API §Auth events selection). */
import type { RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { authorisingUser, thirdPartyToken } from "./auth-event.ts";

/** The parts of the room that rules look at. `target`: the user whose membership changes. */
export const SLOTS = [
  "create",
  "powerLevels",
  "joinRules",
  "sender",
  "target",
  "authoriser",
  "thirdPartyInvite",
] as const;
export type Slot = (typeof SLOTS)[number];

export interface Selected {
  readonly slot: Slot;
  readonly type: string;
  readonly stateKey: string;
}

/**
 * The state that decides about the event, including the create event in every version; nothing for a create event. A user
 * who changes his own membership is both sender and target.
 */
export function selectAuthState(event: RoomEvent, version: RoomVersion): readonly Selected[] {
  const { type, sender, stateKey, content } = event;
  if (type === "m.room.create") return [];
  const selected: Selected[] = [
    { slot: "create", type: "m.room.create", stateKey: "" },
    { slot: "powerLevels", type: "m.room.power_levels", stateKey: "" },
    { slot: "sender", type: "m.room.member", stateKey: sender },
  ];
  if (type !== "m.room.member") return selected;
  if (stateKey !== undefined) {
    selected.push({ slot: "target", type: "m.room.member", stateKey });
  }
  const { membership } = content;
  if (membership === "join" || membership === "invite" || membership === "knock") {
    selected.push({ slot: "joinRules", type: "m.room.join_rules", stateKey: "" });
  }
  const token = membership === "invite" ? thirdPartyToken(event) : undefined;
  if (token !== undefined) {
    selected.push({
      slot: "thirdPartyInvite",
      type: "m.room.third_party_invite",
      stateKey: token,
    });
  }
  const authoriser =
    version.hasRestrictedJoins && membership === "join" ? authorisingUser(event) : undefined;
  if (authoriser !== undefined) {
    selected.push({ slot: "authoriser", type: "m.room.member", stateKey: authoriser });
  }
  return selected;
}

/** The same as types and state keys that the event may cite: from version 12 on without the create event (MSC4291). */
export function citableState(event: RoomEvent, version: RoomVersion): readonly Selected[] {
  const selected = selectAuthState(event, version);
  return version.isRoomIdHash ? selected.filter(({ slot }) => slot !== "create") : selected;
}
