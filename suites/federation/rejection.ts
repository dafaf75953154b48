/** What checks of the authorization rules share: state that is right, events that break a rule, and what is kept of them. */
import { type HttpResponse, path } from "#harness/http/client";
import { at, isObject, type JsonObject } from "#harness/match/json";
import { type Meeting, type MeetOptions, meet } from "#harness/peer/meeting";
import type { Pdu } from "#harness/peer/pdu";
import type { Peer } from "#harness/peer/peer";
import type { Draft } from "#harness/peer/room";
import type { Mutant } from "#harness/world/check";
import { expectEqual, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import type { JsonObject as EventContent } from "#protocol/events/event";

/** A server that has taken an event: it shows its content as state. */
export function keeps(name: string, type: string, content: EventContent): Mutant {
  return altersAnswer(
    name,
    { method: "GET", path: `/_matrix/client/v3/rooms/*/state/${type}/**` },
    { status: 200, body: content },
  );
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

/** A room in which the user of the peer may set the join rules. @param levels further keys of the power levels */
export function meetAsDoorkeeper(
  world: World,
  version: string,
  levels: JsonObject = {},
): Promise<Meeting> {
  const override = { events: { "m.room.join_rules": 0 }, invite: 0, ...levels };
  return meet(world, { version, creation: { power_level_content_override: override } });
}

/** Sets the join rule past the client-server API, which may have an opinion of its own about it. */
export async function ruleJoins(
  { alice, peer, room, mallory }: Meeting,
  joinRule: string,
  allowed: readonly string[] = [],
): Promise<void> {
  const allow = allowed.map((roomId) => ({ type: "m.room_membership", room_id: roomId }));
  const content = { join_rule: joinRule, ...(allowed.length === 0 ? {} : { allow }) };
  await peer.send(room, { type: "m.room.join_rules", stateKey: "", sender: mallory, content });
  await peer.fence(room, alice);
}

/** A join by send_join that was not asked for first. */
export function forceJoin(
  { alice, peer, room }: Meeting,
  userId: string,
  draft: Partial<Draft> = {},
): Promise<HttpResponse> {
  const pdu = room.build({ ...member(userId, userId, "join"), ...draft });
  return peer.client(alice.server.serverName).sendJoin(room.roomId, pdu);
}

/** A server that says yes to a request of a client or of a peer. */
export function agrees(name: string, pattern: string): Mutant {
  const rewrite = { kind: "rewrite", status: 200, body: { room_id: "!agreed" } } as const;
  return { name, rules: [{ match: { path: pattern }, phase: "processed", action: rewrite }] };
}

/** Fresh users of a peer, named after what they are called here. */
export function peerUsers<const Names extends readonly string[]>(
  peer: Peer,
  ...names: Names
): { [Index in keyof Names]: string } {
  return names.map((name) => peer.user(name)) as { [Index in keyof Names]: string };
}
