import { path } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { part, putLevels, ROOM, setLevels } from "./rooms.ts";

const LEVELS = `${ROOM}/state/m.room.power_levels/`;

check(
  "CS.power.enforced",
  "the server demands the level configured for an event type",
  {
    mutant: [
      claims("takes a name from anybody", {
        method: "PUT",
        path: `${ROOM}/state/m.room.name/`,
        contains: "too early",
      }),
      claims("takes a message below events_default", {
        method: "PUT",
        path: `${ROOM}/send/**`,
        contains: "too low",
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const name = path`/_matrix/client/v3/rooms/${roomId}/state/m.room.name/`;
    const levels = await alice.state(roomId, "m.room.power_levels");

    const tooEarly = await bob.put(name, { name: "too early" });
    const nameThen = await alice.state(roomId, "m.room.name");
    await setLevels(alice, roomId, { events: { ...part(levels, "events"), "m.room.name": 0 } });
    const allowed = await bob.put(name, { name: "allowed" });
    await setLevels(alice, roomId, { events_default: 50 });
    const message = await bob.put(
      path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${world.name("txn")}`,
      {
        msgtype: "m.text",
        body: "too low",
      },
    );

    expectMatrixError(tooEarly, 403, "M_FORBIDDEN");
    expectEqual(nameThen, undefined, "the name after the refusal");
    ok(allowed);
    expectEqual(await alice.state(roomId, "m.room.name"), { name: "allowed" }, "the name");
    expectMatrixError(message, 403, "M_FORBIDDEN");
  },
);

check(
  "CS.power.no-escalation",
  "the server refuses levels above one's own and changes of an equal",
  {
    mutant: [
      altersAnswer(
        "lets a moderator raise himself",
        { method: "PUT", path: LEVELS, contains: ":60", status: 403 },
        { status: 200 },
      ),
      claims("lets a moderator demote an equal", { method: "PUT", path: LEVELS, contains: ":12" }),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(roomId), charlie.join(roomId)]);
    const initial = await alice.state(roomId, "m.room.power_levels");
    const users = { ...part(initial, "users"), [bob.userId]: 50, [charlie.userId]: 50 };
    await setLevels(alice, roomId, {
      events: { ...part(initial, "events"), "m.room.power_levels": 50 },
      users,
    });

    const raise = await putLevels(bob, roomId, (levels) => ({
      ...levels,
      users: { ...users, [bob.userId]: 60 },
    }));
    const demote = await putLevels(bob, roomId, (levels) => ({
      ...levels,
      users: { ...users, [charlie.userId]: 12 },
    }));
    const between = part(await alice.state(roomId, "m.room.power_levels"), "users");
    const stepDown = await putLevels(bob, roomId, (levels) => ({
      ...levels,
      users: { ...users, [bob.userId]: 11 },
    }));

    expectMatrixError(raise, 403, "M_FORBIDDEN");
    expectMatrixError(demote, 403, "M_FORBIDDEN");
    expectEqual(between, users, "the users' levels after the refusals");
    ok(stepDown);
    const after = part(await alice.state(roomId, "m.room.power_levels"), "users");
    expectEqual(after, { ...users, [bob.userId]: 11 }, "the users' levels after bob stepped down");
  },
);

check(
  "CS.power.invalid-content",
  "the server refuses malformed power levels and keeps the former ones",
  {
    mutant: [
      altersAnswer(
        "fails on malformed levels",
        { method: "PUT", path: LEVELS, status: 400 },
        { status: 500 },
      ),
      claims("takes a level that is a string", { method: "PUT", path: LEVELS, contains: '"50"' }),
      claims("takes a level beyond 2^53", {
        method: "PUT",
        path: LEVELS,
        contains: "9007199254740992",
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const before = await alice.state(roomId, "m.room.power_levels");
    const putUser = (userId: string, level: unknown) =>
      putLevels(alice, roomId, (levels) => ({
        ...levels,
        users: { ...part(levels, "users"), [userId]: level },
      }));

    const string = await putUser(bob.userId, "50");
    const malformed = await putUser("zz", 50);
    const huge = await putUser(bob.userId, 2 ** 53);

    expectMatrixError(string, 400, "M_BAD_JSON");
    expectMatrixError(malformed, [400, 403]);
    expectMatrixError(huge, 400);
    expectEqual(await alice.state(roomId, "m.room.power_levels"), before, "the power levels");
  },
);

check(
  "CS.power.users-default",
  "the server lets an admin lower users_default and answers levels without users or events",
  {
    mutant: [
      altersAnswer(
        "refuses to lower users_default",
        { method: "PUT", path: LEVELS, contains: '"users_default":40' },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
      altersAnswer(
        "fails on absent users",
        { method: "PUT", path: LEVELS, contains: '"ban":51' },
        { status: 500 },
      ),
    ],
  },
  async (world) => {
    const [alice, bob, charlie] = await world.users("alice", "bob", "charlie");
    const lowered = await alice.createRoom({
      preset: "public_chat",
      power_level_content_override: { users_default: 100 },
    });
    const bare = await alice.createRoom({ preset: "public_chat" });
    await Promise.all([bob.join(lowered), bob.join(bare), charlie.join(bare)]);
    const users = part(await alice.state(bare, "m.room.power_levels"), "users");
    await setLevels(alice, bare, { users: { ...users, [bob.userId]: 100, [charlie.userId]: 50 } });
    const before = await alice.state(bare, "m.room.power_levels");

    const lower = await putLevels(bob, lowered, (levels) => ({ ...levels, users_default: 40 }));
    const withoutUsers = await bob.put(
      path`/_matrix/client/v3/rooms/${bare}/state/m.room.power_levels/`,
      { ban: 51 },
    );

    ok(lower);
    expectEqual(
      (await alice.state(lowered, "m.room.power_levels"))?.users_default,
      40,
      "users_default",
    );
    if (withoutUsers.status === 200) {
      expectEqual(
        await alice.state(bare, "m.room.power_levels"),
        { ban: 51 },
        "the levels without users",
      );
    } else {
      expectMatrixError(withoutUsers, 403, "M_FORBIDDEN");
      expectEqual(
        await alice.state(bare, "m.room.power_levels"),
        before,
        "the levels after the refusal",
      );
    }
  },
);

check(
  "CS.power.creator-v12",
  "the server lets no admin outrank or list the creator of a version 12 room",
  {
    mutant: [
      claims(
        "lets an admin kick the creator",
        { method: "POST", path: `${ROOM}/kick`, contains: "@alice" },
        {},
      ),
      altersAnswer(
        "refuses the creator's kick",
        { method: "POST", path: `${ROOM}/kick`, contains: "@bob" },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
      claims("takes levels that list the creator", {
        method: "PUT",
        path: LEVELS,
        contains: "@alice",
      }),
    ],
  },
  async (world) => {
    world.needs("room-version:12");
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat", room_version: "12" });
    await bob.join(roomId);
    await setLevels(alice, roomId, { users: { [bob.userId]: Number.MAX_SAFE_INTEGER } });
    const kick = path`/_matrix/client/v3/rooms/${roomId}/kick`;

    const listing = await putLevels(alice, roomId, (levels) => ({
      ...levels,
      users: { ...part(levels, "users"), [alice.userId]: 100 },
    }));
    const byAdmin = await bob.post(kick, { user_id: alice.userId });
    const creatorThen = await alice.state(roomId, "m.room.member", alice.userId);
    const byCreator = await alice.post(kick, { user_id: bob.userId });

    expectMatrixError(listing, [400, 403]);
    expectMatrixError(byAdmin, 403, "M_FORBIDDEN");
    expectEqual(creatorThen?.membership, "join", "the creator's membership after the admin's kick");
    ok(byCreator);
    const admin = await alice.state(roomId, "m.room.member", bob.userId);
    expectThat(
      admin?.membership === "leave",
      "the admin to be out after the creator's kick",
      admin,
    );
  },
);
