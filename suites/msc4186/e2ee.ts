/** What checks of the e2ee extension share (MSC3884). */
import type { SlidingConnection, Synced } from "#harness/clients/sliding-sync/connection";
import type { SlidingRequest } from "#harness/clients/sliding-sync/request";
import type { SlidingResponse } from "#harness/clients/sliding-sync/response";
import { at, listAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { withExtension } from "./extensions.ts";

export const ALGORITHM = "signed_curve25519";
export const E2EE: SlidingRequest = withExtension({}, "e2ee");
export const SECTION = "/extensions/e2ee";

/** Users in a list of `device_lists`; none where it is left out. */
export function listed(
  { extensions }: SlidingResponse,
  list: "changed" | "left",
): readonly unknown[] {
  const isThere = at(extensions, "e2ee", "device_lists", list) !== undefined;
  return isThere ? listAt(extensions, "e2ee", "device_lists", list) : [];
}

/** Goes on until the user is in the list; returns all answers. */
export async function untilListed(
  connection: SlidingConnection,
  list: "changed" | "left",
  user: Session,
  request = E2EE,
): Promise<readonly Synced[]> {
  const answers: Synced[] = [];
  await connection.until(request, `${user.userId} in ${list}`, (synced) => {
    answers.push(synced);
    return listed(synced, list).includes(user.userId) ? true : undefined;
  });
  return answers;
}

/** Takes a one-time key of a device, or its fallback key. */
export async function claim(claimer: Session, { userId, deviceId }: Session): Promise<void> {
  const body = { one_time_keys: { [userId]: { [deviceId]: ALGORITHM } } };
  ok(await claimer.post("/_matrix/client/v3/keys/claim", body));
}

/** Two users, of whom the first uploads these one-time and fallback keys. */
export async function withKeys(world: World, keys: Record<string, unknown>) {
  const [alice, bob] = await world.users("alice", "bob");
  ok(await alice.post("/_matrix/client/v3/keys/upload", keys));
  return { alice, bob };
}

/** What a client knows of its keys: a field that is left out has not changed. */
export class KnownKeys {
  count: unknown;
  fallback: unknown;

  take({ extensions }: SlidingResponse): void {
    const counts = at(extensions, "e2ee", "device_one_time_keys_count");
    if (counts !== undefined) this.count = at(counts, ALGORITHM) ?? 0;
    this.fallback = at(extensions, "e2ee", "device_unused_fallback_key_types") ?? this.fallback;
  }
}
