/**
 * What checks of media keys share (MSC4143 §End-to-end encryption): a call in which matrix-js-sdk meets parties of our own, which
 * say what it has sent to whom, and what it has taken from whom. Keys are told by digest only.
 */
import {
  CallParty,
  digestOf,
  type KeyLetter,
  type MediaKey,
  newKey,
  type PartyOptions,
} from "#harness/clients/rtc/call-party";
import { type CallOptions, type JoinOptions, JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { LEGACY_MEMBER, SLOT } from "#harness/clients/rtc/names";
import { ENCRYPTED } from "#harness/world/encrypted-room";
import { expectThat } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { SLOT_ID } from "./callers.ts";
import { SYNC } from "./sticky.ts";

export const LIBRARY = "the client library matrix-js-sdk";
const OPEN = {
  status: "open",
  application: { type: "m.call" },
  encryption: { type: "org.matrix.msc4143.per_member" },
};
/** Several clients start, on a machine that runs other checks. */
export const CLIENTS = { deadlineMs: 120_000 };
export const COMES_MS = 20_000;
/** Joins make no new keys, however slow the machine is: those that come are for leaves. */
export const FOR_LEAVES = { keyRotationGracePeriodMs: 600_000 };

/** One of our own in the call, by the member id that it has or will have. */
export interface Member {
  readonly party: CallParty;
  readonly memberId: string;
  join(): Promise<string>;
  leave(): Promise<string>;
}

export interface CallSetup {
  /** One party each. */
  readonly parties: readonly string[];
  readonly partyOptions?: Readonly<Record<string, PartyOptions>>;
  readonly library?: CallOptions;
  /** Of the library's JoinSessionConfig. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly by?: JoinOptions["by"];
}

/** A call of an encrypted room. */
export class Call implements AsyncDisposable {
  readonly world: World;
  readonly roomId: string;
  readonly alice: JsSdkCall;
  readonly #setup: CallSetup;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #scope: AsyncDisposableStack;

  private constructor(
    world: World,
    roomId: string,
    alice: JsSdkCall,
    members: ReadonlyMap<string, Member>,
    setup: CallSetup,
    scope: AsyncDisposableStack,
  ) {
    this.world = world;
    this.roomId = roomId;
    this.alice = alice;
    this.#members = members;
    this.#setup = setup;
    this.#scope = scope;
  }

  /** Alice's library and the parties are in the room, and nobody in the call. */
  static async open(world: World, setup: CallSetup): Promise<Call> {
    await using scope = new AsyncDisposableStack();
    const sessions = await Promise.all(["alice", ...setup.parties].map((name) => world.user(name)));
    const [own, ...others] = sessions as [Session, ...Session[]];
    const parties: CallParty[] = [];
    for (const [index, session] of others.entries()) {
      const options = setup.partyOptions?.[setup.parties[index] ?? ""];
      parties.push(scope.use(await CallParty.start(session, options)));
    }
    const alice = scope.use(await JsSdkCall.start(own, { crypto: "signed", ...setup.library }));
    const roomId = await callRoom(own, others);
    const members = new Map(
      parties.map((party, index) => [setup.parties[index] ?? "", memberOf(world, party, roomId)]),
    );
    return new Call(world, roomId, alice, members, setup, scope.move());
  }

  member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new TypeError(`nobody is called ${name} in this call`);
    return member;
  }

  /** The library joins; returns its member id once it is in its own roster. */
  async joinAlice(): Promise<string> {
    const { by = "sticky", config = {} } = this.#setup;
    const memberId = await this.alice.join(this.roomId, { by, library: config });
    await this.untilInRoster(memberId);
    return memberId;
  }

  /** Parties join, and the library sees it. */
  async join(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const member = this.member(name);
      await member.join();
      await this.untilInRoster(member.memberId);
    }
  }

  async untilInRoster(memberId: string): Promise<void> {
    await this.world.eventually(
      async () => {
        const roster = (await this.alice.roster(this.roomId)).map((one) => one.memberId);
        const what = `${memberId} among the members that ${LIBRARY} has`;
        expectThat(roster.includes(memberId), what, roster);
      },
      { deadlineMs: COMES_MS },
    );
  }

  async untilGone(memberId: string): Promise<void> {
    await this.world.eventually(
      async () => {
        const roster = (await this.alice.roster(this.roomId)).map((one) => one.memberId);
        const what = `${memberId} gone from the members that ${LIBRARY} has`;
        expectThat(!roster.includes(memberId), what, roster);
      },
      { deadlineMs: COMES_MS },
    );
  }

  /** Waits until so many keys have come to a party; all of them. */
  async keysAt(name: string, count: number): Promise<readonly KeyLetter[]> {
    const { party } = this.member(name);
    return this.world.eventually(
      async () => {
        const keys = await party.keys();
        const what = `${count} media keys of ${LIBRARY} at ${name}`;
        expectThat(keys.length >= count, what, keys.map(told));
        return keys;
      },
      { deadlineMs: COMES_MS },
    );
  }

  /** Sends the library a key of a party's own, and waits until it uses it: what came before has been taken in. */
  async fence(name: string): Promise<void> {
    const { party, memberId } = this.member(name);
    const key = newKey(memberId, 200);
    await party.sendKey(this.alice.session, this.roomId, key);
    await this.untilUsed(key, `a key of ${name}'s own`);
  }

  async untilUsed(key: MediaKey, what: string): Promise<Used> {
    return this.world.eventually(
      () => {
        const found = this.used(key);
        const expected = `${LIBRARY} to use ${what} (${digestOf(key.key)})`;
        expectThat(found !== undefined, expected, this.alice.keys().map(told));
        return found;
      },
      { deadlineMs: COMES_MS },
    );
  }

  /** Whose the library takes it for; undefined: it has not taken it. */
  used(key: MediaKey): Used | undefined {
    const digest = digestOf(key.key);
    return this.alice.keys().find((each) => digestOf(each.key) === digest);
  }

  /** Keys that the library encrypts with, oldest first. */
  ownKeys(): readonly Used[] {
    const { userId } = this.alice.session;
    return this.alice.keys().filter((each) => each.userId === userId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }
}

type Used = ReturnType<JsSdkCall["keys"]>[number];

/** An encrypted room in which everybody may join the call, by state too. */
export async function callRoom(founder: Session, others: readonly Session[]): Promise<string> {
  const roomId = await founder.createRoom({
    ...ENCRYPTED,
    power_level_content_override: { events: { [LEGACY_MEMBER]: 0 } },
  });
  for (const other of others) {
    const isNear = other.server.role === founder.server.role;
    await (isNear ? other.join(roomId) : other.joinWhole(roomId, founder));
  }
  await founder.setState(roomId, SLOT, OPEN, SLOT_ID);
  return roomId;
}

function memberOf(world: World, party: CallParty, roomId: string): Member {
  const memberId = world.name("member");
  return {
    party,
    memberId,
    join: () => party.join(roomId, SLOT_ID, memberId),
    leave: () => party.leave(roomId, SLOT_ID, memberId),
  };
}

/** A key as messages tell of it. */
export function told({ memberId, index, key }: MediaKey) {
  return { memberId, index, digest: digestOf(key) };
}

/** By these, checks of media keys fail. */
export const LOSES_LETTERS = altersAnswer(
  "delivers no to-device messages",
  { path: SYNC },
  { remove: ["/to_device"] },
);
export const LOSES_KEYS = claims(
  "loses what is sent to devices",
  { method: "PUT", path: "/_matrix/client/v3/sendToDevice/m.room.encrypted/*" },
  {},
);
/** It comes with each sync, to everybody. */
export const SAME_KEY = altersAnswer(
  "sends everybody a key of its own",
  { path: SYNC },
  {
    set: {
      "/to_device": { events: [] },
      "/to_device/events/-": {
        type: "io.element.call.encryption_keys",
        sender: "@mallory:hs1",
        content: { keys: { index: 0, key: "AAAA" }, member: { id: "m", claimed_device_id: "D" } },
      },
    },
  },
);
export const LOSES_LEAVES = claims("loses the first leave of each", {
  method: "PUT",
  path: "/_matrix/client/v3/rooms/*/send/m.room.encrypted/leave-1",
});
