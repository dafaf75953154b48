/** What others hear of somebody's devices when sessions come and go. */
import { publishDevice } from "#harness/clients/identities";
import { at } from "#harness/match/json";
import { ENCRYPTED } from "#harness/world/encrypted-room";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const TELLS_NOBODY = altersAnswer(
  "tells nobody",
  { path: "/_matrix/client/v3/sync" },
  { remove: ["/device_lists"] },
);

/** Bob, of the server of this role, shares an encrypted room with Alice, sees her device, and hears of what changes her devices. */
export async function hearing<T>(
  world: World,
  role: string,
  alice: Session,
  change: () => Promise<T>,
): Promise<{ readonly bob: Session; readonly value: T }> {
  const bob = await world.user("bob", role);
  const roomId = await alice.createRoom(ENCRYPTED);
  await bob.joinWhole(roomId, alice);
  await publishDevice(alice);
  await world.eventually(() => expectShown(bob, alice));
  const { since } = await bob.syncUntil(undefined, "the room", (body) =>
    at(body, "rooms", "join", roomId),
  );

  const value = await change();

  await bob.syncUntil(since, "alice in device_lists.changed", (body) => {
    const changed = at(body, "device_lists", "changed");
    return Array.isArray(changed) && changed.includes(alice.userId) ? true : undefined;
  });
  return { bob, value };
}

/** @throws CheckFailure when the device's keys are not there for who asks */
export async function expectShown(by: Session, of: Session): Promise<void> {
  const { userId, deviceId } = of;
  const shown = await by.post("/_matrix/client/v3/keys/query", { device_keys: { [userId]: [] } });
  const device = at(ok(shown), "device_keys", userId, deviceId, "device_id");
  expectEqual(device, deviceId, "the device that is shown", shown);
}
