/** What the checks of filters share. */
import { allRooms, type Filters } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import type { JsonObject } from "#harness/match/json";
import { expectEqual, ok } from "#harness/world/expect";
import type { Account, Session } from "#harness/world/session";
import type { Sync } from "./sync.ts";

export const ENCRYPTION = { algorithm: "m.megolm.v1.aes-sha2" };
export const ENCRYPTED: JsonObject = {
  initial_state: [{ type: "m.room.encryption", state_key: "", content: ENCRYPTION }],
};

/** Fails unless exactly these rooms are in a list with the filters on a new connection, and in its count. */
export async function expectMatches(
  sync: Sync,
  session: Session,
  filters: Filters | undefined,
  expected: readonly string[],
): Promise<void> {
  const request = allRooms({ timelineLimit: 1, ...(filters === undefined ? {} : { filters }) });
  const { rooms, counts, http } = await sync.connection(session).initial(request);
  const what = `with filters ${JSON.stringify(filters ?? {})}`;
  expectEqual(Object.keys(rooms).sort(), [...expected].sort(), `the rooms ${what}`, http);
  expectEqual(counts, { all: expected.length }, `the counts ${what}`, http);
}

/** Makes these, and no others, the direct chats of the session's user with the other one. */
export async function setDirect(
  session: Session,
  other: Account,
  rooms: readonly string[],
): Promise<void> {
  const target = path`/_matrix/client/v3/user/${session.userId}/account_data/m.direct`;
  ok(await session.put(target, { [other.userId]: rooms }));
}

export async function tag(session: Session, roomId: string, name: string): Promise<void> {
  ok(await session.put(tagPath(session, roomId, name), {}));
}

export async function untag(session: Session, roomId: string, name: string): Promise<void> {
  ok(await session.delete(tagPath(session, roomId, name)));
}

function tagPath({ userId }: Session, roomId: string, name: string): string {
  return path`/_matrix/client/v3/user/${userId}/rooms/${roomId}/tags/${name}`;
}
