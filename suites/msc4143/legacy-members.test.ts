/** What deployed clients of calls rely on: memberships as state events (matrix-js-sdk, element-call). */
import { LEGACY_MEMBER as MEMBER } from "#harness/clients/rtc/names";
import { path } from "#harness/http/client";
import { at, isObject, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import { share } from "#harness/world/sharing";

const MEMBERSHIP = `/_matrix/client/v3/rooms/*/state/${MEMBER}/*`;
const WRITES = { method: "PUT", path: MEMBERSHIP };
const READS = { method: "GET", path: MEMBERSHIP };
const FORBIDDEN = { status: 403, body: { errcode: "M_FORBIDDEN", error: "" } };
const TAKEN = { status: 200, body: { event_id: "$taken" } };

/** As matrix-js-sdk writes it for rooms without owned state. */
function keyOf({ userId, deviceId }: Session): string {
  return `_${userId}_${deviceId}_m.call`;
}

function membershipOf({ deviceId, userId }: Session): JsonObject {
  const service = { type: "livekit", livekit_service_url: "https://rtc.invalid" };
  return {
    application: "m.call",
    call_id: "",
    scope: "m.room",
    device_id: deviceId,
    expires: 14_400_000,
    focus_active: { type: "livekit", focus_selection: "oldest_membership" },
    foci_preferred: [{ ...service, livekit_alias: userId }],
  };
}

/** Everybody may join calls in it. */
const OPEN_ROOM = {
  preset: "public_chat",
  power_level_content_override: { events: { [MEMBER]: 0 } },
};

check(
  "RTC.legacy.state-key",
  "a device writes its membership of a call, and leaves by emptying it",
  {
    mutant: [
      altersAnswer("refuses keys of this form", WRITES, FORBIDDEN),
      altersAnswer("loses the service", READS, { remove: ["/foci_preferred"] }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom(OPEN_ROOM);
    await bob.join(roomId);
    const key = keyOf(bob);

    await bob.setState(roomId, MEMBER, membershipOf(bob), key);

    expectEqual(await alice.state(roomId, MEMBER, key), membershipOf(bob), "the membership");
    await bob.setState(roomId, MEMBER, {}, key);
    expectEqual(await alice.state(roomId, MEMBER, key), {}, "what is left of it");
  },
);

check(
  "RTC.legacy.at-key-forbidden",
  "the server refuses a key that begins with an @ and is not the sender",
  { mutant: altersAnswer("takes it", WRITES, TAKEN) },
  async (world) => {
    world.needs("room-version:12");
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ ...OPEN_ROOM, room_version: "12" });
    const key = `${alice.userId}_${alice.deviceId}`;

    const target = path`/_matrix/client/v3/rooms/${roomId}/state/${MEMBER}/${key}`;
    const response = await alice.put(target, membershipOf(alice));

    expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "RTC.legacy.other-user-overwrite",
  "whoever has the power overwrites the membership of another device, on all servers alike",
  {
    mutant: [
      altersAnswer("refuses", { ...WRITES, contains: "another" }, FORBIDDEN),
      altersAnswer("keeps what was there", READS, { set: { "/written_by": "nobody" } }),
    ],
  },
  async (world) => {
    const { alice, bob, roomId } = await share(world);
    const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};
    const events = at(levels, "events");
    const opened = { ...levels, events: { ...(isObject(events) ? events : {}), [MEMBER]: 0 } };
    const opening = await alice.setState(roomId, "m.room.power_levels", opened);
    await bob.syncUntilEvent(undefined, roomId, opening);
    const key = keyOf(alice);
    const joined = await alice.setState(roomId, MEMBER, membershipOf(alice), key);
    await bob.syncUntilEvent(undefined, roomId, joined);
    const overwritten = { ...membershipOf(alice), written_by: "another" };

    await bob.setState(roomId, MEMBER, overwritten, key);

    for (const session of [alice, bob]) {
      await world.eventually(async () => {
        const content = await session.state(roomId, MEMBER, key);
        expectEqual(content, overwritten, `the membership that ${session.userId} sees`);
      });
    }
    world.note("keys of this form protect no membership from others in the room");
  },
);

check(
  "RTC.legacy.power-level",
  "members join calls only once the room's power levels let them",
  {
    mutant: [
      altersAnswer("lets everybody", { ...WRITES, status: 403 }, TAKEN),
      altersAnswer("lets nobody", { ...WRITES, status: 200 }, FORBIDDEN),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    await bob.join(roomId);
    const target = path`/_matrix/client/v3/rooms/${roomId}/state/${MEMBER}/${keyOf(bob)}`;

    const before = await bob.put(target, membershipOf(bob));
    const levels = (await alice.state(roomId, "m.room.power_levels")) ?? {};
    await alice.setState(roomId, "m.room.power_levels", { ...levels, events: { [MEMBER]: 0 } });
    const after = await bob.put(target, membershipOf(bob));

    expectMatrixError(before, 403, "M_FORBIDDEN");
    ok(after);
  },
);
