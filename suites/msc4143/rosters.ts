/** Who is in a call by sticky members (MSC4143 §Joining a slot), as clients write it and as they see it. */

import { awakeMs } from "#harness/awake";
import { type Member, membersOf, type RoomFacts } from "#harness/clients/rtc/members";
import { SLOT } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { Observer } from "./observers.ts";

const SLOT_ID = "m.call#room";

/** Lets members of the room join its call. */
export async function openSlot(session: Session, roomId: string): Promise<void> {
  const content = { status: "open", application: { type: "m.call" } };
  await session.setState(roomId, SLOT, content, SLOT_ID);
}

/** What a user does in a call. */
export function member(
  memberId: string,
  membership: "join" | "leave",
  published: string,
): JsonObject {
  return {
    slot_id: SLOT_ID,
    member: { id: memberId, membership },
    ...(membership === "join" ? { application: { type: "m.call" } } : {}),
    transports: { published: [{ type: published }] },
    msc4354_sticky_key: memberId,
  };
}

/** Members of the call as a client of this server sees them. */
export async function roster(
  { session, map }: Observer,
  roomId: string,
): Promise<readonly Member[]> {
  const joined = at(
    ok(await session.get(path`/_matrix/client/v3/rooms/${roomId}/joined_members`)),
    "joined",
  );
  const facts: RoomFacts = {
    slot: await session.state(roomId, SLOT, SLOT_ID),
    isEncrypted: false,
    isJoined: (userId) => at(joined, userId) !== undefined,
  };
  return membersOf(SLOT_ID, map.at(awakeMs()), facts);
}
