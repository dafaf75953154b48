import { removeDevice } from "#harness/clients/confirmation";
import { publishDevice } from "#harness/clients/identities";
import { at, isObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { encryptedRoom } from "#harness/world/encrypted-room";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { KEYS_QUERY, query } from "./cross-signing.ts";
import { listed, quietToken, TELLS_NO_CHANGE, untilChanged, untilLeft } from "./device-lists.ts";
import { SYNC, syncs } from "./keys.ts";

const QUERY = { method: "POST", path: KEYS_QUERY };
const CHANGES = { method: "GET", path: "/_matrix/client/v3/keys/changes" };

check(
  "E2EE.devlist.changed-on-join",
  "the server tells both sides of each other when they begin to share an encrypted room",
  { mutant: TELLS_NO_CHANGE },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    await Promise.all([publishDevice(alice), publishDevice(bob)]);
    const roomId = await encryptedRoom(alice);
    const tokens = [await alice.syncToken(), await bob.syncToken()] as const;

    await bob.join(roomId);

    await untilChanged(alice, tokens[0], bob);
    await untilChanged(bob, tokens[1], alice);
  },
);

check(
  "E2EE.devlist.changed-on-login",
  "the server tells who shares an encrypted room with a user of a new device with keys",
  { mutant: TELLS_NO_CHANGE },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    await publishDevice(bob);
    const roomId = await encryptedRoom(alice, bob);
    const second = await world.login(bob);
    const since = await quietToken(alice, roomId, bob);

    await publishDevice(second);
    await untilChanged(alice, since, bob);
    const response = await query(alice, bob);

    const devices = at(ok(response), "device_keys", bob.userId, second.deviceId);
    expectThat(isObject(devices), "the new device in the answer to a query", devices, response);
  },
);

check(
  "E2EE.devlist.left",
  "the server tells that a user has left the last encrypted room that is shared, and not before",
  {
    mutant: [
      syncs("does not tell", { remove: ["/device_lists/left"] }),
      syncs("tells at once", { set: { "/device_lists": { left: ["@bob:hs1"] } } }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const rooms = [await encryptedRoom(alice, bob), await encryptedRoom(alice, bob)] as const;
    const since = await alice.syncToken();

    await bob.leave(rooms[0]);
    const first = await untilLeft(alice, since, rooms[0], bob);
    const early = first.bodies.flatMap((body) => listed(body, "left"));
    expectEqual(early, [], "device_lists.left while another encrypted room is shared");
    await bob.leave(rooms[1]);
    await alice.syncUntil(first.since, `${bob.userId} in device_lists.left`, (body) =>
      listed(body, "left").includes(bob.userId) ? true : undefined,
    );

    await noteUnencrypted(world, alice);
  },
);

/** Whether a user with whom rooms without encryption are still shared counts as one who has left: both readings are allowed. */
async function noteUnencrypted(world: World, alice: Session): Promise<void> {
  const carol = await world.user("carol");
  const encrypted = await encryptedRoom(alice, carol);
  const plain = await alice.createRoom({ preset: "public_chat" });
  await carol.join(plain);
  const since = await quietToken(alice, plain, carol);
  await carol.leave(encrypted);
  const id = await carol.send(plain, "still here");
  const { bodies } = await alice.syncUntilEvent(since, plain, id);
  const isListed = bodies.some((body) => listed(body, "left").includes(carol.userId));
  world.note(`while another room is shared the user is ${isListed ? "" : "not "}listed as left`);
}

check(
  "E2EE.devlist.leave-rejoin",
  "the server tells of a user who has left and come back, with another device, while a client was away",
  { mutant: TELLS_NO_CHANGE },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    await publishDevice(bob);
    const roomId = await encryptedRoom(alice, bob);
    const since = await quietToken(alice, roomId, bob);

    await bob.leave(roomId);
    const second = await world.login(bob);
    await publishDevice(second);
    await bob.join(roomId);
    const id = await bob.send(roomId, "back");

    const { bodies } = await alice.syncUntilEvent(since, roomId, id);
    const changed = bodies.flatMap((body) => listed(body, "changed"));
    expectThat(changed.includes(bob.userId), `${bob.userId} in device_lists.changed`, changed);
  },
);

check(
  "E2EE.devlist.keys-changes",
  "the server lists all users whose devices have changed between two tokens",
  {
    mutant: [
      altersAnswer("has forgotten one of them", CHANGES, { remove: ["/changed/0"] }),
      altersAnswer("has forgotten all", CHANGES, { set: { "/changed": [] } }),
    ],
  },
  async (world) => {
    const [alice, bob, carol, dave] = await world.users("alice", "bob", "carol", "dave");
    const others = [bob, carol, dave];
    const roomId = await encryptedRoom(alice, ...others);
    const from = await quietToken(alice, roomId, ...others);

    const removed = await world.login(carol);
    await Promise.all([bob, carol, removed, dave].map((session) => publishDevice(session)));
    ok(await removed.post("/_matrix/client/v3/logout"));
    const to = await quietToken(alice, roomId, ...others);
    const response = await alice.get(CHANGES.path, { from, to });

    const { changed, left } = ok(response);
    const told = Array.isArray(changed) ? changed : [];
    const missing = others.map(({ userId }) => userId).filter((userId) => !told.includes(userId));
    expectEqual(missing, [], "users who are missing in changed", response);
    expectThat(left === undefined || Array.isArray(left), "left to be a list", left, response);
  },
);

/** Told apart by mutants. */
const AGAIN_MS = 7;

check(
  "E2EE.devlist.replay",
  "the server tells the same changes again to a client that asks again from the same token",
  {
    mutant: syncs(
      "tells them once",
      { remove: ["/device_lists"] },
      { contains: `timeout=${AGAIN_MS}` },
    ),
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await encryptedRoom(alice, bob);
    const since = await quietToken(alice, roomId, bob);

    await publishDevice(bob);
    const id = await bob.send(roomId, "after");
    const { bodies } = await alice.syncUntilEvent(since, roomId, id);
    const again = await alice.sync({ since, timeoutMs: AGAIN_MS });

    const changed = bodies.flatMap((body) => listed(body, "changed"));
    expectThat(changed.includes(bob.userId), `${bob.userId} in device_lists.changed`, changed);
    const repeated = listed(again, "changed");
    expectThat(repeated.includes(bob.userId), `${bob.userId} in it again`, repeated);
  },
);

check(
  "E2EE.devlist.restart-no-loss",
  "the server still tells of a change when it was killed before anybody asked",
  { isolated: {}, deadlineMs: 120_000, mutant: TELLS_NO_CHANGE },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await encryptedRoom(alice, bob);
    const since = await quietToken(alice, roomId, bob);

    await publishDevice(bob);
    await world.killAndRestart();

    await untilChanged(alice, since, bob);
  },
);

/** Two users in an encrypted room, of whom the second has another device, and a token of the first who knows of it. */
async function withSecondDevice(world: World) {
  const [alice, bob] = await world.users("alice", "bob");
  const second = await world.login(bob, { device_id: "GONE" });
  await Promise.all([publishDevice(bob), publishDevice(second)]);
  const roomId = await encryptedRoom(alice, bob);
  const since = await quietToken(alice, roomId, bob);
  return { alice, bob, second, since };
}

async function expectGone(watcher: Session, user: Session, deviceId: string): Promise<void> {
  const response = await query(watcher, user);
  const shown = at(ok(response), "device_keys", user.userId);
  const devices = Object.keys(isObject(shown) ? shown : {});
  expectThat(!devices.includes(deviceId), `no device ${deviceId}`, devices, response);
}

const SHOWS_IT_STILL = altersAnswer("shows the device still", QUERY, {
  set: { "/device_keys/*/GONE": { keys: {} } },
});

check(
  "E2EE.devlist.delete",
  "the server removes the keys of a device that is deleted, and tells who shares a room",
  { mutant: [TELLS_NO_CHANGE, SHOWS_IT_STILL] },
  async (world) => {
    const { alice, bob, second, since } = await withSecondDevice(world);

    await removeDevice(bob, second.deviceId);

    await untilChanged(alice, since, bob);
    await expectGone(alice, bob, second.deviceId);
  },
);

check(
  "E2EE.devlist.delete",
  "the server removes the keys of a device that logs out, and tells who shares a room",
  { mutant: [TELLS_NO_CHANGE, SHOWS_IT_STILL] },
  async (world) => {
    const { alice, bob, second, since } = await withSecondDevice(world);

    ok(await second.post("/_matrix/client/v3/logout"));

    await untilChanged(alice, since, bob);
    await expectGone(alice, bob, second.deviceId);
  },
);

const USERS = 10;
const ROUNDS = 10;

check(
  "E2EE.devlist.same-server-missing",
  "the server tells each of ten users of each of a hundred new devices at once",
  {
    deadlineMs: 120_000,
    mutant: altersAnswer("forgets one of them", SYNC, { remove: ["/device_lists/changed/0"] }),
  },
  async (world) => {
    const users = await Promise.all(Array.from({ length: USERS }, () => world.user("user")));
    const [founder, ...others] = users;
    if (founder === undefined) return;
    await encryptedRoom(founder, ...others);
    let tokens = await Promise.all(users.map((user) => user.syncToken()));

    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(
        users.map(async (user) => {
          await publishDevice(await world.login(user));
        }),
      );
      const bodies = await Promise.all(
        users.map((user, index) => user.sync({ since: tokens[index] })),
      );
      tokens = bodies.map(({ next_batch }) => next_batch);

      for (const [index, body] of bodies.entries()) {
        const changed = listed(body, "changed");
        const missing = users.filter(({ userId }) => !changed.includes(userId));
        const names = missing.filter((user) => user !== users[index]).map(({ userId }) => userId);
        expectEqual(names, [], `users who are missing in round ${round} of ${index}`);
      }
    }
  },
);
