/** What checks of the authorization rules share: state that is right, events that break a rule, and what is kept of them. */
import { path } from "#harness/http/client";
import { at, isObject, type JsonObject } from "#harness/match/json";
import type { Pdu } from "#harness/peer/pdu";
import type { Draft } from "#harness/peer/room";
import type { Mutant } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import type { JsonObject as EventContent } from "#protocol/events/event";
import { type Meeting, type MeetOptions, meet } from "./meeting.ts";

/** A server that has taken an event: it shows its content as state. */
export function keeps(name: string, type: string, content: EventContent): Mutant {
  return {
    name,
    rules: [
      {
        match: { path: `/_matrix/client/v3/rooms/*/state/${type}/**` },
        phase: "processed",
        action: { kind: "rewrite", status: 200, body: content },
      },
    ],
  };
}

/** Those of the room versions that the server lists. The check ends as unsupported when it lists none. */
export function listed(world: World, ...versions: readonly string[]): readonly string[] {
  const found = versions.filter((version) => world.has(`room-version:${version}`));
  if (found.length === 0) world.needs(`room-version:${versions[0]}`);
  return found;
}

/** A room in which everybody may set state, and in which the user of the peer has set the topic. */
export async function meetUnderTopic(world: World, options: MeetOptions = {}): Promise<Meeting> {
  const creation = { power_level_content_override: { state_default: 0 } };
  const meeting = await meet(world, { creation, ...options });
  await meeting.peer.send(meeting.room, topic(meeting.mallory, "right"));
  return meeting;
}

export function topic(sender: string, text: string): Draft {
  return { type: "m.room.topic", stateKey: "", sender, content: { topic: text } };
}

export function member(sender: string, stateKey: string, membership: string): Draft {
  return { type: "m.room.member", stateKey, sender, content: { membership } };
}

/** Ids of its auth events, in room versions from 3 on. */
export function citedBy(pdu: Pdu): readonly string[] {
  return pdu.json.auth_events as readonly string[];
}

/** Sends events that are to be refused, and waits until they have been. */
export async function offer({ peer, room, alice }: Meeting, ...pdus: readonly Pdu[]) {
  await peer.transmit(room, ...pdus);
  await peer.fence(room, alice);
}

export async function expectTopic({ alice, room }: Meeting, text: string): Promise<void> {
  const content = await alice.state(room.roomId, "m.room.topic");
  expectEqual(content?.topic, text, `the topic in version ${room.version.id}`);
}

/** @param membership undefined: there is no member event */
export async function expectMembership(
  { alice, room }: Meeting,
  userId: string,
  membership: string | undefined,
): Promise<void> {
  const content = await alice.state(room.roomId, "m.room.member", userId);
  const what = `the membership of ${userId} in version ${room.version.id}`;
  expectEqual(content?.membership, membership, what);
}

/** Replaces keys of the power levels, extends `users`, and waits until the peer knows. */
export async function putLevels(
  { alice, peer, room }: Meeting,
  { users = {}, ...keys }: JsonObject & { readonly users?: JsonObject },
): Promise<void> {
  const levels = (await alice.state(room.roomId, "m.room.power_levels")) ?? {};
  const before = at(levels, "users");
  const id = await alice.setState(room.roomId, "m.room.power_levels", {
    ...levels,
    ...keys,
    users: { ...(isObject(before) ? before : {}), ...users },
  });
  await peer.waitForPdu(room, "the power levels", (pdu) => pdu.id === id);
}

/** Bans a user of the peer, and waits until the peer knows. */
export async function ban({ alice, peer, room }: Meeting, userId: string): Promise<void> {
  ok(
    await alice.post(path`/_matrix/client/v3/rooms/${room.roomId}/ban`, {
      user_id: userId,
    }),
  );
  await peer.waitForPdu(
    room,
    "the ban",
    ({ json }) => json.state_key === userId && at(json, "content", "membership") === "ban",
  );
}
