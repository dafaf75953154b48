/**
 * Stories of a user who comes to rooms and goes, by invite, knock, kick and ban, while others speak and the rooms' history
 * is shown to more or to fewer: as data, with what the user may see of each room at any point.
 */
import * as fc from "fast-check";
import {
  ALL_STATE,
  type RequiredState,
  type SlidingRequest,
} from "#harness/clients/sliding-sync/request";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { forget, knock, unban } from "../membership.ts";
import { type Membership, Sights, VISIBILITIES, type Visibility } from "./sights.ts";

/** By number of the room. */
const JOIN_RULES = ["public", "invite", "knock"] as const;

const DEEDS = {
  say: 4,
  name: 2,
  topic: 1,
  appear: 1,
  invite: 4,
  join: 4,
  leave: 3,
  kick: 1,
  knock: 1,
  ban: 1,
  unban: 1,
  forget: 1,
} as const;

interface Deed {
  /** `appear`: another member takes another name. */
  readonly do: keyof typeof DEEDS;
  readonly room: number;
}

interface Opening {
  readonly do: "show";
  readonly room: number;
  readonly visibility: Visibility;
}

/** A request of the user. */
interface Look {
  readonly do: "sync";
  /** Last room of the window; absent: no list. */
  readonly last?: number;
  readonly isInvited?: boolean;
  readonly limit: number;
  readonly state: "all" | "lazy" | "none";
  readonly subscriptions: readonly number[];
  /** On a connection of its own, instead of the one that goes on. */
  readonly isFresh: boolean;
}

export type Haunting = readonly (Deed | Opening | Look)[];

export function hauntings(): fc.Arbitrary<Haunting> {
  const room = fc.integer({ min: 0, max: JOIN_RULES.length - 1 });
  const deeds = Object.entries(DEEDS).map(([name, weight]) => ({
    weight,
    arbitrary: fc.record<Deed>({ do: fc.constant(name as keyof typeof DEEDS), room }),
  }));
  const opening = fc.record<Opening>({
    do: fc.constant("show"),
    room,
    visibility: fc.constantFrom(...VISIBILITIES),
  });
  const look = fc.record<Look>(
    {
      do: fc.constant("sync"),
      last: room,
      isInvited: fc.boolean(),
      limit: fc.constantFrom(0, 1, 3, 20),
      state: fc.constantFrom("all", "lazy", "none"),
      subscriptions: fc.subarray([...JOIN_RULES.keys()]),
      isFresh: fc.boolean(),
    },
    { requiredKeys: ["do", "limit", "state", "subscriptions", "isFresh"] },
  );
  const step = fc.oneof(
    ...deeds,
    { weight: 3, arbitrary: opening },
    { weight: 8, arbitrary: look },
  );
  return fc.array<Haunting[number]>(step, { minLength: 1, maxLength: 20 });
}

/** Everything that can be asked for, on a new connection. */
export const ALL: Look = {
  do: "sync",
  last: 99,
  limit: 20,
  state: "all",
  subscriptions: [...JOIN_RULES.keys()],
  isFresh: true,
};

const STATES: Readonly<Record<Look["state"], RequiredState>> = {
  all: ALL_STATE,
  lazy: { lazyMembers: true },
  none: {},
};

export interface Haunt {
  readonly roomId: string;
  readonly joinRule: (typeof JOIN_RULES)[number];
  readonly sights: Sights;
}

export class House {
  readonly #owner: Session;
  /** Joined everywhere from the beginning. */
  readonly #member: Session;
  readonly reader: Session;
  readonly haunts: readonly Haunt[];
  #texts = 0;

  private constructor(
    { owner, member, reader }: { owner: Session; member: Session; reader: Session },
    haunts: readonly Haunt[],
  ) {
    this.#owner = owner;
    this.#member = member;
    this.reader = reader;
    this.haunts = haunts;
  }

  static async open(world: World): Promise<House> {
    const [owner, member, reader] = await world.users("owner", "member", "reader");
    const haunts = JOIN_RULES.map(async (joinRule) => {
      const rule = { type: "m.room.join_rules", state_key: "", content: { join_rule: joinRule } };
      const roomId = await owner.createRoom({ invite: [member.userId], initial_state: [rule] });
      await member.join(roomId);
      return { roomId, joinRule, sights: new Sights() };
    });
    const house = new House({ owner, member, reader }, await Promise.all(haunts));
    for (const room of JOIN_RULES.keys()) {
      for (const name of ["name", "appear", "say"] as const) await house.act({ do: name, room });
    }
    return house;
  }

  request({ last, isInvited, limit, state, subscriptions }: Look): SlidingRequest {
    const config = { timelineLimit: limit, requiredState: STATES[state] };
    const filters = isInvited === undefined ? {} : { filters: { isInvited } };
    const list = { ...config, ...filters, range: [0, last ?? 0] as const };
    return {
      lists: last === undefined ? {} : { rooms: list },
      subscriptions: Object.fromEntries(
        subscriptions.map((number) => [this.#haunt(number).roomId, config]),
      ),
    };
  }

  /** Does what the step says, or nothing where that is not possible. */
  async act(step: Deed | Opening): Promise<void> {
    const haunt = this.#haunt(step.room);
    if (step.do === "show") {
      const content = { history_visibility: step.visibility };
      await this.#owner.setState(haunt.roomId, "m.room.history_visibility", content);
      haunt.sights.show(step.visibility);
      return;
    }
    await (isMove(step.do) ? this.#move(haunt, step.do) : this.#tell(haunt, step.do));
  }

  async #tell({ roomId, sights }: Haunt, what: Telling): Promise<void> {
    const text = `text <${this.#texts++}>`;
    switch (what) {
      case "say":
        await this.#owner.send(roomId, text);
        return sights.say(text);
      case "name":
        await this.#owner.setState(roomId, "m.room.name", { name: text });
        return sights.set("name", text);
      case "topic":
        await this.#owner.setState(roomId, "m.room.topic", { topic: text });
        return sights.set("topic", text);
      case "appear": {
        const profile = { membership: "join", displayname: text };
        await this.#member.setState(roomId, "m.room.member", profile, this.#member.userId);
        return sights.set("member", text);
      }
    }
  }

  async #move({ roomId, joinRule, sights }: Haunt, what: Move): Promise<void> {
    const { from, to } = MOVES[what];
    if (!from.includes(sights.membership)) return;
    if (what === "knock" && joinRule !== "knock") return;
    if (what === "join" && joinRule !== "public" && sights.membership !== "invite") return;
    const { reader } = this;
    const owner = this.#owner;
    const deeds: Readonly<Record<Move, () => Promise<unknown>>> = {
      invite: () => owner.invite(roomId, reader),
      join: () => reader.join(roomId),
      leave: () => reader.leave(roomId),
      kick: () => owner.kick(roomId, reader),
      knock: () => knock(reader, roomId),
      ban: () => owner.ban(roomId, reader),
      unban: () => unban(owner, roomId, reader),
      forget: () => forget(reader, roomId),
    };
    await deeds[what]();
    if (to !== undefined) sights.become(to);
  }

  #haunt(number: number): Haunt {
    const haunt = this.haunts[number];
    if (haunt === undefined) throw new RangeError(`there is no room ${number}`);
    return haunt;
  }
}

type Telling = "say" | "name" | "topic" | "appear";
type Move = Exclude<keyof typeof DEEDS, Telling>;

const INSIDE: readonly Membership[] = ["join", "invite", "knock"];
const OUTSIDE: readonly Membership[] = ["none", "leave"];

/** From which memberships each is possible, and what it makes of them. */
const MOVES: Readonly<Record<Move, { from: readonly Membership[]; to?: Membership }>> = {
  invite: { from: [...OUTSIDE, "knock"], to: "invite" },
  join: { from: [...OUTSIDE, "invite"], to: "join" },
  leave: { from: INSIDE, to: "leave" },
  kick: { from: INSIDE, to: "leave" },
  knock: { from: OUTSIDE, to: "knock" },
  ban: { from: [...OUTSIDE, ...INSIDE], to: "ban" },
  unban: { from: ["ban"], to: "leave" },
  forget: { from: ["leave", "ban"] },
};

function isMove(name: keyof typeof DEEDS): name is Move {
  return name in MOVES;
}
