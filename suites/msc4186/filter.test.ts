import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { ENCRYPTED, ENCRYPTION, expectMatches, setDirect } from "./filters.ts";
import { answers, inEachDialect, reads } from "./sync.ts";

const NO_DM = reads("does not know is_dm", [['"is_dm"', '"x_is_dm"']]);

check(
  "MSC4186.filter.and",
  "the server gives the rooms that pass all filters of a list",
  {
    mutant: [
      NO_DM,
      reads("does not know is_encrypted", [['"is_encrypted"', '"x_is_encrypted"']]),
      answers("counts all rooms", { set: { "/lists/*/count": 4 } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const [plain, encrypted, plainDm, encryptedDm] = await Promise.all([
        alice.createRoom(),
        alice.createRoom(ENCRYPTED),
        alice.createRoom(),
        alice.createRoom(ENCRYPTED),
      ]);
      await setDirect(alice, bob, [plainDm, encryptedDm]);

      await expectMatches(sync, alice, { isDm: true, isEncrypted: true }, [encryptedDm]);
      await expectMatches(sync, alice, { isDm: false, isEncrypted: true }, [encrypted]);
      await expectMatches(sync, alice, { isEncrypted: false }, [plain, plainDm]);
      await expectMatches(sync, alice, undefined, [plain, encrypted, plainDm, encryptedDm]);
    });
  },
);

check(
  "MSC4186.filter.is-dm",
  "the server takes for direct chats what the user's m.direct names",
  { mutant: [NO_DM, reads("has it the other way round", [['"is_dm":true', '"is_dm":false']])] },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob, carol] = await world.users("alice", "bob", "carol");
      const named = await alice.createRoom({ name: "a group", invite: [bob.userId, carol.userId] });
      const unnamed = await bob.createRoom({ is_direct: true, invite: [alice.userId] });
      await Promise.all([bob.join(named), carol.join(named), alice.join(unnamed)]);
      await setDirect(alice, bob, [named]);

      await expectMatches(sync, alice, { isDm: true }, [named]);
      await expectMatches(sync, alice, { isDm: false }, [unnamed]);
    });
  },
);

check(
  "MSC4186.filter.is-dm-live",
  "the server moves a room into the list of direct chats when m.direct changes",
  {
    mutant: [
      answers("counts it and does not send it", { remove: ["/rooms/*"] }),
      answers("sends it and does not count it", { set: { "/lists/*/count": 0 } }),
      answers("takes it as known", { set: { "/rooms/*/initial": false } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom();
      const request = allRooms({ timelineLimit: 1, filters: { isDm: true } });
      const connection = sync.connection(alice);
      const first = await connection.initial(request);
      expectEqual(first.counts, { all: 0 }, "the counts before", first.http);

      await setDirect(alice, bob, [roomId]);
      await alice.send(roomId, "a sign of life");
      const found = await connection.until(request, "the room among the direct chats", (synced) =>
        synced.rooms[roomId] === undefined ? undefined : synced,
      );

      expectEqual(found.counts, { all: 1 }, "the counts after", found.http);
      expectEqual(found.rooms[roomId]?.initial, true, "initial, of a room never sent", found.http);
    });
  },
);

check(
  "MSC4186.filter.is-encrypted",
  "the server moves a room to the other list when it becomes encrypted",
  {
    mutant: [
      reads("does not know the filter", [['"is_encrypted"', '"x_is_encrypted"']]),
      answers("never moves the room", { set: { "/lists/encrypted/count": 0 } }),
      answers("does not send the room", { remove: ["/rooms/*"] }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const roomId = await alice.createRoom();
      const list = (isEncrypted: boolean) =>
        ({ range: [0, 9], timelineLimit: 1, filters: { isEncrypted } }) as const;
      const both: SlidingRequest = { lists: { encrypted: list(true), plain: list(false) } };
      const one: SlidingRequest = { lists: { encrypted: list(true) } };
      const connections = [sync.connection(alice, "both"), sync.connection(alice, "one")] as const;
      const before = await connections[0].initial(both);
      const empty = await connections[1].initial(one);

      await alice.setState(roomId, "m.room.encryption", ENCRYPTION);
      const after = await connections[0].until(both, "the room's change of lists", (synced) =>
        synced.counts.encrypted === 1 ? synced : undefined,
      );
      const entered = await connections[1].until(one, "the room in the list", ({ rooms }) =>
        rooms[roomId] === undefined ? undefined : rooms,
      );

      expectEqual(before.counts, { encrypted: 0, plain: 1 }, "the counts before", before.http);
      expectEqual(empty.rooms, {}, "the encrypted rooms before", empty.http);
      expectEqual(after.counts, { encrypted: 1, plain: 0 }, "the counts after", after.http);
      expectEqual(Object.keys(entered), [roomId], "the encrypted rooms after");
    });
  },
);

check(
  "MSC4186.filter.is-invited",
  "the server tells invites from other rooms",
  {
    // As the unstable dialect writes it, and the stable one.
    mutant: reads("does not know the filter", [
      ['"is_invite"', '"x_is_invite"'],
      ['"is_invited"', '"x_is_invited"'],
    ]),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const [first, second] = await Promise.all([alice.createRoom(), alice.createRoom()]);
      const invited = await bob.createRoom({ invite: [alice.userId] });

      await expectMatches(sync, alice, { isInvited: true }, [invited]);
      await expectMatches(sync, alice, { isInvited: false }, [first, second]);
      await expectMatches(sync, alice, undefined, [first, second, invited]);
      await alice.join(invited);
      await expectMatches(sync, alice, { isInvited: true }, []);
      await expectMatches(sync, alice, { isInvited: false }, [first, second, invited]);
    });
  },
);
