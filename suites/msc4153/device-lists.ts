/** What checks of device lists share: encrypted rooms, news of users in /sync, and servers that keep them back. */
import { at, type JsonObject } from "#harness/match/json";
import { altersAnswer } from "#harness/world/mutants";
import { type Account, type Session, stateBefore, timeline } from "#harness/world/session";
import { tellsChange } from "./cross-signing.ts";
import { SYNC } from "./keys.ts";

export const TELLS_NO_CHANGE = altersAnswer("tells nobody of the change", SYNC, {
  remove: ["/device_lists/changed"],
});

/** Users in a list of `device_lists`; none where it is left out. */
export function listed(body: unknown, list: "changed" | "left"): readonly unknown[] {
  const found = at(body, "device_lists", list);
  return Array.isArray(found) ? found : [];
}

/** Syncs until the user is said to have changed; returns the answers on the way, and the token after them. */
export function untilChanged(
  watcher: Session,
  since: string,
  user: Pick<Account, "userId">,
): Promise<{ readonly since: string; readonly bodies: readonly JsonObject[] }> {
  return watcher.syncUntil(since, `a change of ${user.userId}`, (body) => tellsChange(body, user));
}

/** Syncs until the user is seen to have left the room; returns the answers on the way, and the token after them. */
export function untilLeft(
  watcher: Session,
  since: string | undefined,
  roomId: string,
  { userId }: Account,
): Promise<{ readonly since: string; readonly bodies: readonly JsonObject[] }> {
  return watcher.syncUntil(since, `${userId} leaving`, (body) =>
    [...stateBefore(body, roomId), ...timeline(body, roomId)].find(
      ({ state_key, content }) => state_key === userId && content.membership === "leave",
    ),
  );
}

/** Token after which nothing is to come of what the users did before: a message of each has been seen. */
export async function quietToken(
  watcher: Session,
  roomId: string,
  ...senders: readonly Session[]
): Promise<string> {
  let since = await watcher.syncToken();
  for (const sender of senders) {
    const id = await sender.send(roomId, "quiet");
    since = (await watcher.syncUntilEvent(since, roomId, id)).since;
  }
  return since;
}
