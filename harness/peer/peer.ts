/**
 * A federation server inside a check: with a name and a key of its own, behind the gateway like every other server. It
 * answers only what the check serves, and tells at the end what it was asked besides. See docs/peer.md.
 */
import { CheckFailure } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, listAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import { domainOf } from "#protocol/auth/auth-event";
import type { JsonObject } from "#protocol/events/event";
import { type Founding, foundRoom } from "./found.ts";
import { strippedState } from "./hosting.ts";
import { type MembershipChange, type Prepared, prepare, takeJoin } from "./membership.ts";
import type { EventLies, Pdu } from "./pdu.ts";
import type { Draft, PeerRoom } from "./room.ts";
import { type PeerContext, PeerServer } from "./server.ts";

export interface MembershipOptions extends EventLies {
  /** Name of the server to go through; the first of the topology unless given. */
  readonly via?: string;
  /** Room versions to ask for; all unless given. */
  readonly versions?: readonly string[];
}

export interface FenceOptions {
  /** A joined user of the peer, unless given. */
  readonly sender?: string;
  readonly deadlineMs?: number;
}

const FENCE_MS = 10_000;
const FENCE_AGAIN_MS = 2_500;

export class Peer extends PeerServer {
  static async start(context: PeerContext): Promise<Peer> {
    const peer = new Peer(context);
    try {
      await peer.open();
      return peer;
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The id of a fresh user; users of a peer need no making. */
  user(prefix: string): string {
    return `@${this.context.nextName(prefix)}:${this.serverName}`;
  }

  /** A room of its own, which nobody else knows until it is served or somebody is invited. */
  createRoom(founding: Founding): PeerRoom {
    const room = foundRoom(founding, this.keys, this.context.nextName);
    this.rooms.set(room.roomId, room);
    return room;
  }

  /** Asks for a membership event by make_join, make_leave or make_knock; completes and signs it. */
  prepare(
    change: MembershipChange,
    roomId: string,
    userId: string,
    { via, ...options }: MembershipOptions = {},
  ): Promise<Prepared> {
    const author = { signer: this.keys, nextName: this.context.nextName };
    return prepare(this.client(via), change, roomId, userId, author, options);
  }

  /** Joins a user of the peer to a room of another server, which has to succeed. */
  async join(roomId: string, userId: string, options: MembershipOptions = {}): Promise<PeerRoom> {
    const prepared = await this.prepare("join", roomId, userId, options);
    const joined = Promise.withResolvers<void>();
    this.joining.set(roomId, joined.promise);
    try {
      const response = await this.client(options.via).sendJoin(roomId, prepared.pdu);
      const room = takeJoin(this.rooms.get(roomId), ok(response), prepared, {
        roomId,
        signer: this.keys,
        nextName: this.context.nextName,
      });
      this.rooms.set(roomId, room);
      return room;
    } finally {
      this.joining.delete(roomId);
      joined.resolve();
    }
  }

  /** Takes a user out of a room, or declines an invite, by make_leave and send_leave. */
  async leave(roomId: string, userId: string, options: MembershipOptions = {}): Promise<Pdu> {
    const { pdu } = await this.prepare("leave", roomId, userId, options);
    ok(await this.client(options.via).sendLeave(roomId, pdu));
    this.rooms.get(roomId)?.add(pdu);
    return pdu;
  }

  /** Knocks; returns the answer with what it shows of the room. */
  async knock(
    roomId: string,
    userId: string,
    options: MembershipOptions = {},
  ): Promise<{ readonly pdu: Pdu; readonly state: readonly unknown[] }> {
    const { pdu } = await this.prepare("knock", roomId, userId, options);
    const body = ok(await this.client(options.via).sendKnock(roomId, pdu));
    return { pdu, state: listAt(body, "knock_room_state") };
  }

  /** Invites a user of another server into a room that the peer knows; the invite becomes part of the room. */
  async invite(
    room: PeerRoom,
    sender: string,
    userId: string,
    lies: EventLies & { readonly state?: readonly JsonObject[] } = {},
  ): Promise<Pdu> {
    const { state = strippedState(room), ...draft } = lies;
    const content = { membership: "invite" };
    const pdu = room.build({ type: "m.room.member", stateKey: userId, sender, content, ...draft });
    const response = await this.client(domainOf(userId)).invite(room.roomId, pdu.id, {
      event: pdu.json,
      room_version: room.version.id,
      invite_room_state: state,
    });
    const signed = at(ok(response), "event");
    return room.add(isObject(signed) ? (signed as JsonObject) : pdu).pdu;
  }

  /** Builds an event, adds it to the room and sends it to all servers in it, which have to answer 200. */
  async send(room: PeerRoom, draft: Draft): Promise<Pdu> {
    const pdu = room.build(draft);
    room.add(pdu);
    await this.transmit(room, pdu);
    return pdu;
  }

  /** Sends events in one transaction to each other server in the room. Their answers by server name. */
  async transmit(
    room: PeerRoom,
    ...pdus: readonly Pdu[]
  ): Promise<ReadonlyMap<string, HttpResponse>> {
    const servers = [...room.joinedServers()].filter((server) => server !== this.serverName);
    const answers = await Promise.all(
      servers.map(async (server) => {
        const response = await this.deliver(server, pdus);
        ok(response);
        return [server, response] as const;
      }),
    );
    return new Map(answers);
  }

  /**
   * Sends a message that is right, by a permitted user, and waits until the watcher sees it: what was sent to the
   * watcher's server before has been processed then, so that its absence means something.
   *
   * It is sent again from time to time: a server that got errors asks a peer nothing for a while, and drops what it can
   * not complete. The watcher syncs on, which ends the to-device messages of its device: read those before.
   */
  async fence(room: PeerRoom, watcher: Session, options: FenceOptions = {}): Promise<Pdu> {
    const [someone = ""] = room.joinedUsers(this.serverName);
    const { sender = someone, deadlineMs = FENCE_MS } = options;
    const content = { msgtype: "m.text", body: this.context.nextName("fence") };
    const pdu = room.build({ type: "m.room.message", sender, content });
    room.add(pdu);
    const filter = { room: { rooms: [room.roomId], timeline: { limit: 50 } } };
    for (let waitedMs = 0; ; waitedMs += FENCE_AGAIN_MS) {
      ok(await this.deliver(watcher.server.serverName, [pdu]));
      try {
        await watcher.syncUntilEvent(undefined, room.roomId, pdu.id, {
          filter,
          deadlineMs: Math.min(FENCE_AGAIN_MS, deadlineMs - waitedMs),
        });
        return pdu;
      } catch (error) {
        if (!(error instanceof CheckFailure) || waitedMs + FENCE_AGAIN_MS >= deadlineMs)
          throw error;
      }
    }
  }
}
