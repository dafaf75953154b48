/** Invites to calls as others write them (MSC4075), and what a device of matrix-js-sdk makes of them. */
import type { InviteView, JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import type { JsonObject } from "#harness/match/json";
import { expectThat } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { SLOT_ID } from "./callers.ts";
import { stick } from "./sticky.ts";

/** Names of m.rtc.invite and m.rtc.decline until the proposal is accepted. */
export const INVITE = "org.matrix.msc4075.rtc.notification";
export const DECLINE = "org.matrix.msc4310.rtc.decline";
export const SENDS = { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/*/*" };
export const DECLINES = { ...SENDS, contains: '"m.relates_to"' };
export const LIFETIME_MS = 60_000;

export function invite(caller: Session, roomId: string, more: JsonObject = {}): Promise<string> {
  const content = {
    slot_id: SLOT_ID,
    msc4354_sticky_key: SLOT_ID,
    sender_ts: Date.now(),
    lifetime: LIFETIME_MS,
    "m.mentions": { room: true },
    notification_type: "ring",
    ...more,
  };
  return stick(caller, roomId, { type: INVITE, content });
}

/** What the device makes of an event, once it has seen it: of an invite, whether it rings. */
export async function viewOf(
  world: World,
  call: JsSdkCall,
  roomId: string,
  eventId: string,
): Promise<InviteView> {
  return await world.eventually(async () => {
    const view = await call.invite(roomId, eventId);
    expectThat(view !== undefined, `the event ${eventId} on the device`, "nothing");
    return view;
  });
}
