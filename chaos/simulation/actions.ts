/** Operations of a plan, done by users of simulated servers. */
import { type Draft, draftOf, foundingDrafts } from "#chaos/events/drafts";
import { makeEvent } from "#chaos/events/make-event";
import { domainOf } from "#protocol/auth/auth-event";
import type { JsonObject } from "#protocol/events/event";
import { isObject } from "#protocol/events/event";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import type { Operation, Plan, RoomPlan } from "#scenarios/plan";
import { authorised, remoteInvite, remoteMembership } from "./membership.ts";
import { Replica } from "./replica.ts";
import { refused, type Sent, type SimulatedServer } from "./server.ts";
import type { World } from "./world.ts";

const DONE: Sent = { status: 200, pdus: [] };

export class Actions {
  readonly #world: World;
  readonly #plan: Plan;

  constructor(world: World, plan: Plan) {
    this.#world = world;
    this.#plan = plan;
  }

  /** Makes a room with its creator in it. */
  found(name: string, room: RoomPlan, predecessor?: JsonObject): Sent {
    const world = this.#world;
    const version = roomVersion(room.version ?? "12");
    if (version === undefined) return refused(400, "M_UNSUPPORTED_ROOM_VERSION", "no such version");
    const server = world.homeOf(room.creator);
    const [create, ...others] = foundingDrafts(room, version, world.names, predecessor);
    if (create === undefined) return DONE;
    const { clock } = world;
    const root = makeEvent(
      create,
      {
        roomId: undefined,
        prevEvents: [],
        depth: 1,
        ts: clock.now,
        cite: () => undefined,
        givenName: world.nextName(),
      },
      version,
    );
    const replica = new Replica(root.event.roomId, version);
    server.rooms.set(replica.roomId, replica);
    world.roomIds.set(name, replica.roomId);
    world.versions.set(replica.roomId, version);
    server.take(replica, root, "created");
    const sent = others.map((draft) => {
      clock.now += 1;
      return server.send(replica, draft);
    });
    return { status: 200, pdus: [root, ...sent.flatMap(({ pdus }) => pdus)] };
  }

  async perform(operation: Operation): Promise<Sent> {
    const world = this.#world;
    const server = world.homeOf(operation.by);
    const user = world.names.user(operation.by);
    if (server.isFull) return refused(500, "M_UNKNOWN", "the disk is full");
    switch (operation.op) {
      case "displayname":
        return this.#rename(server, user, operation.value);
      case "to-device":
        return this.#toDevice(server, user, operation);
      case "new-device":
        server.clients.devices.get(user)?.push(`${operation.by}-${operation.id}`);
        return this.#devicesChanged(server, user);
      case "upload-keys":
        return this.#devicesChanged(server, user);
      case "kill-device":
      case "reset-identity":
      case "new-backup":
      case "restore-backup":
        return refused(404, "M_UNRECOGNIZED", "simulated users have no devices that encrypt");
      case "sign-in":
      case "refresh":
      case "sign-out":
        return refused(404, "M_UNRECOGNIZED", "simulated servers have no auth services");
    }
    const roomId = world.roomIds.get(operation.room);
    const version = world.versions.get(roomId ?? "");
    if (roomId === undefined || version === undefined)
      return refused(404, "M_NOT_FOUND", "the room does not exist");
    return this.#inRoom(operation, { server, user, roomId, version });
  }

  async #inRoom(
    operation: Extract<Operation, { room: string }>,
    {
      server,
      user,
      roomId,
      version,
    }: { server: SimulatedServer; user: string; roomId: string; version: RoomVersion },
  ): Promise<Sent> {
    const world = this.#world;
    const replica = server.isIn(roomId) ? server.rooms.get(roomId) : undefined;
    switch (operation.op) {
      case "forget":
      case "typing":
      case "receipt":
        return replica?.membership(user) === "join" || operation.op === "forget"
          ? DONE
          : refused(403, "M_FORBIDDEN", "the user is not joined");
      case "alias": {
        const alias = `#${operation.alias}:${server.name}`;
        if (replica === undefined) return refused(403, "M_FORBIDDEN", "the user is not joined");
        if (world.aliases.has(alias)) return refused(409, "M_UNKNOWN", "the alias is taken");
        world.aliases.set(alias, roomId);
        return DONE;
      }
      case "upgrade":
        return this.#upgrade(operation, server, replica);
    }
    const draft = draftOf(
      operation,
      (type, stateKey) => replica?.content(type, stateKey),
      world.names,
    );
    if (draft === undefined) return refused(404, "M_NOT_FOUND", "the event does not exist");
    if (replica === undefined) return this.#fromOutside(operation, draft, server, roomId, version);
    if (
      operation.op === "canonical-alias" &&
      world.aliases.get(String(draft.content.alias)) !== roomId
    )
      return refused(400, "M_BAD_ALIAS", "the alias is not of this room");
    // Kicking a banned user, or unbanning one who is not, is refused before it is an event.
    if (operation.op === "unban" && replica.membership(draft.stateKey ?? "") !== "ban")
      return refused(403, "M_FORBIDDEN", "the user is not banned");
    if (operation.op === "kick" && replica.membership(draft.stateKey ?? "") === "ban")
      return refused(403, "M_FORBIDDEN", "the user is banned");
    const { ahead = 0 } = operation;
    const target = domainOf(draft.stateKey ?? "");
    if (operation.op === "invite" && target !== server.name && !replica.servers().has(target)) {
      return remoteInvite(server, replica, draft, world.server(target), ahead);
    }
    const sent = server.send(replica, authorised(server, replica, draft), ahead);
    if (operation.op !== "join" || sent.status === 200) return sent;
    // Another server may vouch for a restricted join.
    const rule = String(replica.content("m.room.join_rules")?.join_rule);
    const others = this.#candidates(server, roomId, [...replica.servers()]);
    return rule.endsWith("restricted")
      ? remoteMembership(server, roomId, version, draft, others)
      : sent;
  }

  async #fromOutside(
    { op }: Operation,
    draft: Draft,
    server: SimulatedServer,
    roomId: string,
    version: RoomVersion,
  ): Promise<Sent> {
    if (op !== "join" && op !== "knock" && op !== "leave" && op !== "reject")
      return refused(403, "M_FORBIDDEN", "the server is not in the room");
    const invite = server.outside.get(roomId)?.get(draft.sender);
    if ((op === "leave" || op === "reject") && invite === undefined)
      return refused(403, "M_FORBIDDEN", "the user is not in the room");
    const known = invite === undefined ? [] : [domainOf(invite.event.sender)];
    return remoteMembership(
      server,
      roomId,
      version,
      draft,
      this.#candidates(server, roomId, known),
    );
  }

  /** Those that are known to be in the room, then that of its creator, then any. */
  #candidates(
    server: SimulatedServer,
    roomId: string,
    known: readonly string[],
  ): readonly SimulatedServer[] {
    const world = this.#world;
    const [name] = [...world.roomIds].find(([, id]) => id === roomId) ?? [];
    const creator = this.#plan.rooms[name ?? ""]?.creator;
    const first = [
      ...known.map((one) => world.server(one)),
      ...(creator === undefined ? [] : [world.homeOf(creator)]),
    ];
    const others = world.servers.filter((one) => one.rooms.has(roomId));
    return [...new Set([...first, ...others])].filter((one) => one !== server);
  }

  #rename(server: SimulatedServer, user: string, displayname: string): Sent {
    const sent = [...server.rooms.values()]
      .filter((replica) => replica.membership(user) === "join")
      .map((replica) =>
        server.send(replica, {
          type: "m.room.member",
          sender: user,
          stateKey: user,
          content: { membership: "join", displayname },
        }),
      );
    return { status: 200, pdus: sent.flatMap(({ pdus }) => pdus) };
  }

  #toDevice(
    server: SimulatedServer,
    sender: string,
    { id, target: name }: Extract<Operation, { op: "to-device" }>,
  ): Sent {
    const target = this.#world.names.user(name);
    const message = { kind: "to-device", id, sender, target, content: id } as const;
    if (server.isOwn(target)) server.clients.toDevice(message);
    else server.outbox(domainOf(target)).tell(message);
    return DONE;
  }

  #devicesChanged(server: SimulatedServer, user: string): Sent {
    server.clients.devicesChanged(user);
    for (const name of server.sharing(user)) {
      if (name !== server.name) server.outbox(name).tell({ kind: "device-list", user });
    }
    return DONE;
  }

  #upgrade(
    operation: Extract<Operation, { op: "upgrade" }>,
    server: SimulatedServer,
    replica: Replica | undefined,
  ): Sent {
    const world = this.#world;
    const room = this.#plan.rooms[operation.into];
    if (replica === undefined || room === undefined)
      return refused(403, "M_FORBIDDEN", "the user is not joined");
    if (world.roomIds.has(operation.into)) return refused(400, "M_UNKNOWN", "that room exists");
    const sender = world.names.user(operation.by);
    const tombstone = (replacement: string): Draft => ({
      type: "m.room.tombstone",
      sender,
      stateKey: "",
      content: { body: "upgraded", replacement_room: replacement },
    });
    const refusal = replica.refusal(server.make(replica, tombstone("")).event);
    if (refusal !== undefined) return refused(403, "M_FORBIDDEN", refusal.why);
    const { pdus } = this.found(
      operation.into,
      { ...room, version: operation.version, creator: operation.by },
      { room_id: replica.roomId },
    );
    const tomb = server.send(replica, tombstone(pdus[0]?.event.roomId ?? ""));
    const levels = replica.content("m.room.power_levels") ?? {};
    const base =
      isObject(levels) && typeof levels.users_default === "number" ? levels.users_default : 0;
    const needed = Math.max(base + 1, 50);
    server.send(replica, {
      type: "m.room.power_levels",
      sender,
      stateKey: "",
      content: { ...levels, events_default: needed, invite: needed },
    });
    return tomb;
  }
}
