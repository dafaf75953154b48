/** Joins, leaves and knocks by way of another server, and invites to users of one (server-server API). */
import type { Draft } from "#chaos/events/drafts";
import { makeEvent, type Pdu } from "#chaos/events/make-event";
import { isObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { State } from "#protocol/state/conflicts";
import { foundingState } from "./answers.ts";
import { isAllowedByAcl } from "./inbox.ts";
import type { Replica } from "./replica.ts";
import { refused, type Sent, type SimulatedServer } from "./server.ts";

interface Template {
  readonly draft: Draft;
  readonly prevEvents: readonly string[];
  readonly depth: number;
  readonly state: State;
  readonly cite: (type: string, stateKey: string) => string | undefined;
}

interface Refusal {
  readonly refusal: Sent;
}

interface Accepted {
  /** Ids of the state before the event. */
  readonly state: readonly string[];
  readonly events: readonly Pdu[];
}

/** How often an answer to a finished event is asked for again: the request is the same each time. */
const MOST_RETRIES = 12;

/**
 * A membership of a user whose server is not in the room.
 *
 * @param candidates servers to ask, the most probable one first
 */
export async function remoteMembership(
  server: SimulatedServer,
  roomId: string,
  version: RoomVersion,
  draft: Draft,
  candidates: readonly SimulatedServer[],
): Promise<Sent> {
  const { network, clock, nextName } = server.world;
  const membership = String(draft.content.membership);
  for (const resident of candidates) {
    const template = await network.request(server, resident, `make_${membership}`, () =>
      makeTemplate(resident, server, roomId, draft),
    );
    if (template === undefined) continue;
    if ("refusal" in template) return template.refusal;
    const pdu = makeEvent(
      template.draft,
      {
        roomId,
        prevEvents: template.prevEvents,
        depth: template.depth,
        ts: clock.now,
        cite: template.cite,
        givenName: nextName(),
      },
      version,
    );
    const accepted = await finish(server, resident, membership, () =>
      acceptMembership(resident, server, pdu),
    );
    if (accepted === undefined) return refused(502, "M_UNKNOWN", "no answer to the event");
    if ("refusal" in accepted) return accepted.refusal;
    if (membership === "join") enter(server, roomId, version, pdu, accepted, resident);
    else keepOutside(server, pdu);
    return { status: 200, pdus: [pdu] };
  }
  return refused(502, "M_UNKNOWN", "no server of the room answers");
}

async function finish(
  server: SimulatedServer,
  resident: SimulatedServer,
  membership: string,
  act: () => Accepted | Refusal | undefined,
): Promise<Accepted | Refusal | undefined> {
  const { network, clock } = server.world;
  for (let tries = 0; tries < MOST_RETRIES; tries++) {
    const answer = await network.request(server, resident, `send_${membership}`, act);
    if (answer !== undefined) return answer;
    const { life } = server;
    await new Promise<void>((resolve) => clock.after(1000, resolve));
    if (server.life !== life) return undefined;
  }
  return undefined;
}

function makeTemplate(
  resident: SimulatedServer,
  asker: SimulatedServer,
  roomId: string,
  draft: Draft,
): Template | Refusal {
  resident.heard(asker);
  const replica = resident.rooms.get(roomId);
  if (replica === undefined || !resident.isIn(roomId)) {
    return { refusal: refused(404, "M_NOT_FOUND", "the server is not in the room") };
  }
  if (!isAllowedByAcl(replica, asker.name)) {
    return { refusal: refused(403, "M_FORBIDDEN", "the server is denied by the room's ACL") };
  }
  const whole = authorised(resident, replica, draft);
  const { current: state, history } = replica;
  const refusal = replica.refusal(resident.make(replica, whole).event, state);
  if (refusal !== undefined) return { refusal: refused(403, "M_FORBIDDEN", refusal.why) };
  const prevEvents = replica.tops;
  return {
    draft: whole,
    prevEvents,
    depth: replica.depthAbove(prevEvents),
    state,
    cite: (type, stateKey) => history.at(state, type, stateKey)?.id,
  };
}

/** A restricted join names a user of this server who may invite. */
export function authorised(server: SimulatedServer, replica: Replica, draft: Draft): Draft {
  const rules = replica.content("m.room.join_rules");
  const rule = String(rules?.join_rule);
  const isIn = ["join", "invite"].includes(replica.membership(draft.sender) ?? "");
  if (draft.content.membership !== "join" || !rule.endsWith("restricted") || isIn) return draft;
  const allow = Array.isArray(rules?.allow) ? rules.allow.filter(isObject) : [];
  const isMember = allow.some(
    ({ room_id: room }) =>
      typeof room === "string" && server.rooms.get(room)?.membership(draft.sender) === "join",
  );
  const levels = replica.content("m.room.power_levels");
  const needed = typeof levels?.invite === "number" ? levels.invite : 0;
  const users = isObject(levels?.users) ? levels.users : {};
  const creator = replica.eventsOf().find(({ type }) => type === "m.room.create")?.sender;
  const isCreator = (user: string) =>
    user === creator && replica.history.graph.version.hasPrivilegedCreators;
  const vouching = [...replica.members()].find(
    ([user, membership]) =>
      membership === "join" &&
      server.isOwn(user) &&
      (isCreator(user) || Number(users[user] ?? levels?.users_default ?? 0) >= needed),
  );
  if (!isMember || vouching === undefined) return draft;
  return {
    ...draft,
    content: { ...draft.content, join_authorised_via_users_server: vouching[0] },
  };
}

function acceptMembership(
  resident: SimulatedServer,
  asker: SimulatedServer,
  pdu: Pdu,
): Accepted | Refusal | undefined {
  resident.heard(asker);
  const replica = resident.rooms.get(pdu.event.roomId);
  if (replica === undefined || resident.isFull) return undefined;
  if (!replica.has(pdu.id)) {
    const before = replica.history.stateAfter(pdu.event.prevEvents);
    const refusal = replica.refusal(pdu.event, before) ?? replica.refusal(pdu.event);
    if (refusal !== undefined) return { refusal: refused(403, "M_FORBIDDEN", refusal.why) };
    resident.take(replica, pdu, "send", { from: asker.name });
    resident.distribute(replica, pdu, before, asker.name);
  }
  const state = resident.world.hasBug("old-state")
    ? foundingState(replica)
    : replica.eventsOf(replica.history.get(pdu.id)?.before).map(({ id }) => id);
  const events = replica.withAuthChains([...state, ...pdu.event.authEvents]);
  return { state, events: resident.world.passing(asker, events) };
}

function enter(
  server: SimulatedServer,
  roomId: string,
  version: RoomVersion,
  pdu: Pdu,
  { state, events }: Accepted,
  resident: SimulatedServer,
): void {
  const replica = server.replica(roomId, version);
  for (const one of events) server.world.journal.show(one);
  replica.addOutliers(events);
  const before = state.filter((id) => replica.pdus.has(id));
  const received = replica.restartAt(pdu, before);
  server.world.journal.arrive(server.name, received, "send_join", { server: resident.name });
  server.clients.show(replica, pdu);
  server.outside.delete(roomId);
}

function keepOutside(server: SimulatedServer, pdu: Pdu): void {
  const ofRoom = server.outside.get(pdu.event.roomId) ?? new Map<string, Pdu>();
  server.outside.set(pdu.event.roomId, ofRoom);
  ofRoom.set(pdu.event.stateKey ?? "", pdu);
  server.world.journal.show(pdu);
}

/** The invited user's server has to take it first. */
export async function remoteInvite(
  server: SimulatedServer,
  replica: Replica,
  draft: Draft,
  to: SimulatedServer,
  ahead: number,
): Promise<Sent> {
  const state = replica.current;
  const pdu = server.make(replica, draft, ahead);
  const refusal = replica.refusal(pdu.event, state);
  if (refusal !== undefined) return refused(403, "M_FORBIDDEN", refusal.why);
  const isTaken = await server.world.network.request(server, to, "invite", () => {
    to.heard(server);
    if (!to.isIn(replica.roomId)) keepOutside(to, pdu);
    return true as const;
  });
  if (isTaken === undefined) return refused(502, "M_UNKNOWN", "the user's server does not answer");
  // The room may have gone on meanwhile.
  const late = replica.refusal(pdu.event);
  if (late !== undefined) return refused(403, "M_FORBIDDEN", late.why);
  server.take(replica, pdu, "created");
  server.distribute(replica, pdu, state);
  return { status: 200, pdus: [pdu] };
}
