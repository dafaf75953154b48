/** Device lists between two real servers, one of which can not be reached for a while. */
import { publishDevice, publishIdentity } from "#harness/clients/identities";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { split } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { KEYS_QUERY, publicKeysIn, query, tellsChange } from "./cross-signing.ts";
import { quietToken, TELLS_NO_CHANGE, untilChanged, untilLeft } from "./device-lists.ts";

const QUERY = { method: "POST", path: KEYS_QUERY };
const OWN_SERVERS = { isolated: {}, deadlineMs: 120_000 };
/** The device of which news have to arrive, by which mutants know it. */
const LATER = "LATER";
const NEVER_SHOWS_IT = altersAnswer("goes on with the list that it has", QUERY, {
  remove: [`/device_keys/*/${LATER}`],
});
const RETRY_MS = 30_000;

/** Users of two servers in an encrypted room, and the token of the second after which nothing is to come. */
async function together(world: World) {
  const [alice, bob] = await Promise.all([world.user("alice"), world.user("bob", "hs2")]);
  await Promise.all([publishDevice(alice), publishDevice(bob)]);
  const roomId = await encryptedRoom(alice);
  await bob.joinWhole(roomId, alice);
  return { alice, bob, roomId, since: await quietToken(bob, roomId, alice) };
}

async function addDevice(world: World, user: Session): Promise<void> {
  await publishDevice(await world.login(user, { device_id: LATER }));
}

async function isShown(watcher: Session, user: Session): Promise<boolean> {
  const devices = at(ok(await query(watcher, user)), "device_keys", user.userId);
  return isObject(devices) && Object.hasOwn(devices, LATER);
}

async function expectTold(
  world: World,
  watcher: Session,
  since: string,
  user: Session,
): Promise<void> {
  await watcher.syncUntil(since, `a change of ${user.userId}`, (body) => tellsChange(body, user), {
    deadlineMs: RETRY_MS,
  });
  await world.eventually(async () =>
    expectThat(await isShown(watcher, user), `device ${LATER} in the answer to a query`, "none"),
  );
}

check(
  "E2EE.devlist.fed-retry-after-netsplit",
  "the server tells another one of a device that was added while that one could not be reached",
  { ...OWN_SERVERS, mutant: [TELLS_NO_CHANGE, NEVER_SHOWS_IT] },
  async (world) => {
    const { alice, bob, roomId, since } = await together(world);
    const between = await split(world);

    await addDevice(world, alice);
    await bob.send(roomId, "into the split");
    await between.untilTried();
    await between.heal();

    await expectTold(world, bob, since, alice);
  },
);

check(
  "E2EE.query.stale-cache-flag",
  "the server shows a remote device that was added during a split once there is contact again",
  { ...OWN_SERVERS, mutant: [TELLS_NO_CHANGE, NEVER_SHOWS_IT] },
  async (world) => {
    const { alice, bob, roomId, since } = await together(world);
    ok(await query(bob, alice));
    const between = await split(world);

    await addDevice(world, alice);
    const during = await bob.post(KEYS_QUERY, {
      timeout: 1_000,
      device_keys: { [alice.userId]: [] },
    });
    await bob.send(roomId, "into the split");
    await between.untilTried();
    await between.heal();

    const failures = Object.keys((at(ok(during), "failures") ?? {}) as object);
    if (failures.length === 0)
      world.note("the answer during the split does not say that it may be old");
    await expectTold(world, bob, since, alice);
  },
);

check(
  "E2EE.devlist.fed-signing-update",
  "the server shows its users the new identity of a user of another server",
  {
    mutant: [
      TELLS_NO_CHANGE,
      altersAnswer("goes on with the identity that it has", QUERY, { set: { "/master_keys": {} } }),
    ],
  },
  async (world) => {
    const { alice, bob, since } = await together(world);

    const { publicKeys } = await publishIdentity(alice);

    await untilChanged(bob, since, alice);
    await world.eventually(async () => {
      const response = await query(bob, alice);
      const { master, self_signing } = publicKeysIn(response, alice.userId);
      const expected = [publicKeys.master, publicKeys.self_signing];
      expectEqual([master, self_signing], expected, "the identity", response);
    });
  },
);

check(
  "E2EE.devlist.fed-join-resync",
  "the server asks again for the devices of a user with whom its users had shared no room",
  { mutant: NEVER_SHOWS_IT },
  async (world) => {
    const { alice, bob, roomId } = await together(world);
    ok(await query(bob, alice));
    await bob.leave(roomId);
    await untilLeft(alice, undefined, roomId, bob);

    await addDevice(world, alice);
    await bob.joinWhole(roomId, alice);

    await world.eventually(async () =>
      expectThat(await isShown(bob, alice), `device ${LATER} in the answer to a query`, "none"),
    );
  },
);
