/**
 * Stories: what happens in a small world while a client syncs, as data, so that they can be drawn, shrunk, kept and told
 * again. Two users, a few rooms of one of them, narrow windows: that is where faults show.
 */
import * as fc from "fast-check";
import type { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { type SlidingRequest, stateOf } from "#harness/clients/sliding-sync/request";
import type { SyncEvent } from "#harness/clients/sliding-sync/response";
import { path } from "#harness/http/client";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { forget } from "../membership.ts";

const ROOMS = 4;

/** What the client asks for: one list, and subscriptions by number of the room. */
export interface Config {
  /** Last room of the window; absent: the list is left out. */
  readonly last?: number;
  readonly limit: number;
  readonly wantsTopic: boolean;
  /** Only rooms without the tag. */
  readonly isFiltered: boolean;
  readonly subscriptions: readonly number[];
}

/** What is done in a room. */
export type Action =
  | {
      readonly do: "send" | "leave" | "join" | "kick" | "invite" | "forget" | "tag" | "direct";
      readonly room: number;
    }
  | { readonly do: "rename" | "topic"; readonly room: number; readonly text: string };

export type Step =
  | Action
  /** `lose`: the answer never gets to the client. */
  | { readonly do: "sync" | "lose"; readonly config: Config };

export type Story = readonly Step[];

/** Every room, with the newest events and the topic. */
export const EVERYTHING: Config = {
  last: 99,
  limit: 2,
  wantsTopic: true,
  isFiltered: false,
  subscriptions: [],
};

/** The number of a room. */
export const room = fc.integer({ min: 0, max: ROOMS - 1 });

/** A config of a list and of subscriptions. @param keepsRules the list is in each request, without a filter */
export function configs({ keepsRules }: { readonly keepsRules: boolean }): fc.Arbitrary<Config> {
  return fc.record<Config>(
    {
      last: fc.integer({ min: 0, max: ROOMS - 1 }),
      // With 0 a client asks not to be told what happens, and the text does not promise that it is told later.
      limit: fc.integer({ min: 1, max: 3 }),
      wantsTopic: fc.boolean(),
      isFiltered: keepsRules ? fc.constant(false) : fc.boolean(),
      subscriptions: keepsRules ? fc.constant([]) : fc.uniqueArray(room, { maxLength: 2 }),
    },
    keepsRules ? {} : { requiredKeys: ["limit", "wantsTopic", "isFiltered", "subscriptions"] },
  );
}

/** @param moves the reader comes and goes */
export function actions({ moves = true }: { readonly moves?: boolean } = {}): fc.Arbitrary<Action> {
  const one = <Name extends string>(weight: number, ...names: readonly Name[]) => ({
    weight,
    arbitrary: fc.record({ do: fc.constantFrom(...names), room }),
  });
  const text = fc.constantFrom("", "one", "two");
  const names = fc.record({ do: fc.constantFrom("rename" as const, "topic" as const), room, text });
  return fc.oneof(
    one(6, "send" as const),
    ...(moves
      ? [
          one(4, "leave" as const, "join" as const),
          one(3, "kick" as const, "invite" as const, "forget" as const),
        ]
      : []),
    one(2, "tag" as const, "direct" as const),
    { weight: 2, arbitrary: names },
  );
}

/** @param losesAnswers some answers do not get to the client */
export function stories({
  keepsRules,
  losesAnswers = false,
}: {
  readonly keepsRules: boolean;
  readonly losesAnswers?: boolean;
}): fc.Arbitrary<Story> {
  const asks = losesAnswers ? (["sync", "lose"] as const) : (["sync"] as const);
  const ask = fc.record({ do: fc.constantFrom(...asks), config: configs({ keepsRules }) });
  const weight = losesAnswers ? 10 : 6;
  const step = fc.oneof({ weight, arbitrary: ask }, { weight: 15, arbitrary: actions() });
  return fc.array(step, { minLength: 1, maxLength: 14 });
}

/** The world of one story, made anew for each telling: users are cheap. */
export class Scene {
  readonly owner: Session;
  /** Who syncs, and the same user on the device that acts. */
  readonly reader: Session;
  readonly other: Session;
  readonly rooms: readonly string[];
  /** Ids of rooms that the reader has left and forgotten. */
  readonly forgotten = new Set<string>();
  readonly #tagged = new Set<number>();
  readonly #direct = new Set<number>();
  /** Of the reader, where it is not joined. */
  readonly #memberships = new Map<number, "invite" | "leave">();

  private constructor(owner: Session, reader: Session, other: Session, rooms: readonly string[]) {
    this.owner = owner;
    this.reader = reader;
    this.other = other;
    this.rooms = rooms;
  }

  static async make(world: World): Promise<Scene> {
    const [owner, reader] = await world.users("owner", "reader");
    const other = await world.login(reader);
    const rooms: string[] = [];
    for (let index = 0; index < ROOMS; index++) {
      rooms.push(await owner.createRoom({ preset: "public_chat", name: `room ${index}` }));
    }
    for (const room of rooms) await reader.join(room);
    return new Scene(owner, reader, other, rooms);
  }

  /** Does what the step says, or nothing where that is not possible. */
  async act(step: Action): Promise<void> {
    const roomId = this.roomId(step.room);
    const { owner, other } = this;
    const membership = this.#memberships.get(step.room);
    const account = path`/_matrix/client/v3/user/${other.userId}`;
    switch (step.do) {
      case "send":
        await owner.send(roomId, "message");
        return;
      case "rename":
        await owner.setState(roomId, "m.room.name", { name: step.text });
        return;
      case "topic":
        await owner.setState(roomId, "m.room.topic", { topic: step.text });
        return;
      case "leave":
      case "kick":
        // Of an invite: it is declined, or withdrawn.
        if (membership === "leave") return;
        this.#memberships.set(step.room, "leave");
        await (step.do === "leave" ? other.leave(roomId) : owner.kick(roomId, other));
        return;
      case "join":
        if (!this.#memberships.delete(step.room)) return;
        this.forgotten.delete(roomId);
        await other.join(roomId);
        return;
      case "invite":
        if (membership !== "leave") return;
        this.#memberships.set(step.room, "invite");
        this.forgotten.delete(roomId);
        await owner.invite(roomId, other);
        return;
      case "forget":
        if (membership !== "leave") return;
        this.forgotten.add(roomId);
        await forget(other, roomId);
        return;
      case "tag": {
        const tag = `${account}${path`/rooms/${roomId}/tags/u.hidden`}`;
        if (toggle(this.#tagged, step.room)) ok(await other.put(tag, {}));
        else ok(await other.delete(tag));
        return;
      }
      case "direct": {
        toggle(this.#direct, step.room);
        const rooms = [...this.#direct].map((index) => this.roomId(index));
        ok(await other.put(`${account}/account_data/m.direct`, { [owner.userId]: rooms }));
        return;
      }
    }
  }

  roomId(index: number): string {
    const roomId = this.rooms[index];
    if (roomId === undefined) throw new RangeError(`there is no room ${index}`);
    return roomId;
  }

  request({ last, limit, wantsTopic, isFiltered, subscriptions }: Config): SlidingRequest {
    const config = {
      timelineLimit: limit,
      requiredState: {
        include: [
          { type: "m.room.member", stateKey: this.reader.userId },
          ...(wantsTopic ? (stateOf("m.room.topic").include ?? []) : []),
        ],
      },
    };
    const filters = isFiltered ? { filters: { notTags: ["u.hidden"] } } : {};
    const lists =
      last === undefined ? {} : { rooms: { ...config, ...filters, range: [0, last] as const } };
    return {
      lists,
      subscriptions: Object.fromEntries(subscriptions.map((index) => [this.roomId(index), config])),
    };
  }

  /** What happened in a room, oldest first, as one of its members sees it. */
  async eventsOf(roomId: string): Promise<readonly SyncEvent[]> {
    const messages = path`/_matrix/client/v3/rooms/${roomId}/messages`;
    const body = ok(await this.owner.get(messages, { dir: "b", limit: 200 }));
    return (body.chunk as readonly SyncEvent[]).toReversed();
  }
}

/** True when it is in the set afterwards. */
function toggle(set: Set<number>, item: number): boolean {
  if (set.delete(item)) return false;
  set.add(item);
  return true;
}

/** Tells a story on a connection; ends with a request for everything, until nothing more comes. */
export async function tell(
  story: Story,
  scene: Scene,
  connection: SlidingConnection,
): Promise<void> {
  for (const step of story) {
    if (!("config" in step)) await scene.act(step);
    else if (step.do === "lose") await connection.lose(scene.request(step.config));
    else await connection.sync(scene.request(step.config));
  }
  await connection.drain(scene.request(EVERYTHING));
}
