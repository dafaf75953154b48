import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { allRooms, type SlidingRequest } from "#harness/clients/sliding-sync/request";
import { path } from "#harness/http/client";
import { at, isObject, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { withExtension } from "./extensions.ts";
import { answers, inEachDialect } from "./sync.ts";

const KEY = "org.matrix.msc4262.profiles";
const USERS = `/extensions/${KEY}/users`;
const CUSTOM = "org.matrix-crucible.mood";

function withProfiles(rules: SlidingRequest, fields = ["displayname", CUSTOM]): SlidingRequest {
  return withExtension(rules, KEY, { fields });
}

function fieldPath({ userId }: Session, field: string): string {
  return path`/_matrix/client/v3/profile/${userId}/${field}`;
}

async function setField(session: Session, field: string, value: string): Promise<void> {
  ok(await session.put(fieldPath(session, field), { [field]: value }));
}

/** Goes on until the extension has an entry of the user that fits; returns it. */
function untilEntry(
  connection: SlidingConnection,
  request: SlidingRequest,
  user: Session,
  fits: (entry: unknown) => boolean,
) {
  return connection.until(request, `the profile of ${user.userId}`, ({ extensions, http }) => {
    const users = at(extensions, KEY, "users");
    if (!isObject(users) || !Object.hasOwn(users, user.userId)) return undefined;
    const entry = users[user.userId];
    return fits(entry) ? { entry, http } : undefined;
  });
}

function updated(entry: unknown): JsonObject {
  const fields = at(entry, "updated");
  return isObject(fields) ? fields : {};
}

check(
  "MSC4262.profiles.update",
  "the server sends changed and removed profile fields of users in any room, as far as asked for",
  {
    mutant: [
      answers("does not tell what was removed", { remove: [`${USERS}/*/removed`] }),
      answers("sends fields that nobody asked for", { set: { [`${USERS}/*/updated/other`]: "x" } }),
      answers("sends nothing", { set: { [USERS]: {} } }),
    ],
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      await setField(bob, CUSTOM, "calm");
      await alice.createRoom();
      // Of the two rooms only the one without bob is in range.
      const rules: SlidingRequest = { lists: { newest: { range: [0, 0], timelineLimit: 1 } } };
      const request = withProfiles(rules);
      const connection = sync.connection(alice);
      await connection.initial(request);
      await connection.drain(request);

      const other = `${CUSTOM}.unasked`;
      await setField(bob, other, "hidden");
      await setField(bob, CUSTOM, "glad");
      const changed = await untilEntry(
        connection,
        request,
        bob,
        (entry) => updated(entry)[CUSTOM] === "glad",
      );
      await setField(bob, other, "hidden still");
      ok(await bob.delete(fieldPath(bob, CUSTOM)));
      await untilEntry(connection, request, bob, (entry) => {
        const removed = at(entry, "removed");
        return Array.isArray(removed) && removed.includes(CUSTOM);
      });

      const unasked = Object.keys(updated(changed.entry)).filter(
        (field) => field !== CUSTOM && field !== "displayname",
      );
      expectEqual(unasked, [], "fields that were not asked for", changed.http);
    });
  },
);

check(
  "MSC4262.profiles.own",
  "the server sends changes that another device of the user made to the profile",
  { mutant: answers("leaves the own user out", { set: { [USERS]: {} } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const alice = await world.user("alice");
      const second = await world.login(alice);
      await alice.createRoom();
      const request = withProfiles(
        allRooms({ timelineLimit: 1, requiredState: { include: [], lazyMembers: true } }),
      );
      const connection = sync.connection(alice);
      await connection.initial(request);
      await connection.drain(request);

      await setField(second, "displayname", "Alice the Second");

      await untilEntry(
        connection,
        request,
        alice,
        (entry) => updated(entry).displayname === "Alice the Second",
      );
    });
  },
);

check(
  "MSC4262.profiles.left-null",
  "the server sends null for a user with whom no room is shared any more",
  { mutant: answers("leaves who is gone out", { set: { [USERS]: {} } }) },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const [alice, bob] = await world.users("alice", "bob");
      const roomId = await alice.createRoom({ preset: "public_chat" });
      await bob.join(roomId);
      const request = withProfiles(allRooms({ timelineLimit: 1 }));
      const connection = sync.connection(alice);
      await connection.initial(request);

      await bob.leave(roomId);

      await untilEntry(connection, request, bob, (entry) => entry === null);
    });
  },
);
