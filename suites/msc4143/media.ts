/** Calls with media, in checks: members of a slot whose tokens come from their homeserver, and what they hear of each other. */

import { AccessToken } from "livekit-server-sdk";
import {
  firstTone,
  framesOf,
  lastTone,
  type Spell,
  shareOf,
} from "#harness/clients/rtc/media/hearing";
import { MediaParticipant } from "#harness/clients/rtc/media/participant";
import type { KeyParameters, MediaNote } from "#harness/clients/rtc/media/report";
import { TONES } from "#harness/clients/rtc/media/tone";
import { SLOT } from "#harness/clients/rtc/names";
import { HarnessError } from "#harness/errors";
import { eventsAt, isObject, type JsonObject, listAt, numberAt, textAt } from "#harness/match/json";
import { expectThat, fail, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

import { grantOf, livekitPath, sfuUrlOf, tokenOf } from "./tokens.ts";

const PER_MEMBER = "org.matrix.msc4143.per_member";
/** By which these checks hand keys on; how clients do it is MSC4143.key.* to judge. The name of its field keeps it from the wire log. */
const KEY_MESSAGE = "org.example.media_key";
export const LISTING = { to: "sfu1", path: "/twirp/livekit.RoomService/ListParticipants" };

/** Bound for checks with processes of their own for each member. */
export const WITH_MEDIA = { deadlineMs: 120_000 };
/** Of what is looked at to say that one hears another now. */
const WINDOW_MS = 1_000;
/** A share of its frames; a busy machine drops some. */
const HEARD = 0.9;
/** That of a tone is heard, on a machine that has to start its processes first. */
const HEARD_MS = 15_000;

export interface Member {
  readonly name: string;
  readonly session: Session;
  readonly media: MediaParticipant;
  /** Of its tone, Hertz. */
  readonly hz: number;
  /** Name of its room on the SFU. */
  readonly room: string;
  readonly token: string;
}

export interface JoinOptions {
  /** Whose server's SFU; its own unless given. */
  readonly sfuOf?: Session;
  /** Of the member; what comes before the name is the check's, so that a mutant finds requests for it. */
  readonly memberId?: string;
  /** In a slot that encrypts; `none`: it can not decrypt. */
  readonly encryption?: KeyParameters | "none";
  /** Of the request for a token. */
  readonly query?: Readonly<Record<string, string>>;
}

/** A slot and its members. Its end ends them, and tells the timeline what they heard. */
export class Call implements AsyncDisposable {
  readonly world: World;
  readonly slot: string;
  readonly alice: Session;
  readonly roomId: string;
  readonly members: Member[] = [];
  #tones = 0;

  private constructor(world: World, slot: string, alice: Session, roomId: string) {
    this.world = world;
    this.slot = slot;
    this.alice = alice;
    this.roomId = roomId;
  }

  /** Alice's, in a room that anybody may join. */
  static async open(
    world: World,
    slot: string,
    { isEncrypted = false }: { readonly isEncrypted?: boolean } = {},
  ): Promise<Call> {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const content: JsonObject = {
      status: "open",
      application: { type: "m.call" },
      ...(isEncrypted ? { encryption: { type: PER_MEMBER } } : {}),
    };
    await alice.setState(roomId, SLOT, content, slot);
    return new Call(world, slot, alice, roomId);
  }

  /** A further user, in the room. */
  async user(name: string, role = "hs1"): Promise<Session> {
    const user = await this.world.user(name, role);
    await (role === "hs1" ? user.join(this.roomId) : user.joinWhole(this.roomId, this.alice));
    return user;
  }

  async token(
    session: Session,
    { sfuOf = session, memberId = this.world.name("member"), query }: JoinOptions = {},
  ): Promise<{ readonly url: string; readonly token: string }> {
    const url = await sfuUrlOf(this.world, sfuOf);
    const { serverName } = sfuOf.server;
    const body = { url, room_id: this.roomId, slot_id: this.slot, member_id: memberId };
    const response = await session.post(
      livekitPath(this.world, "get_token"),
      serverName === session.server.serverName ? body : { ...body, server_name: serverName },
      query,
    );
    return { url, token: tokenOf(response) };
  }

  /** On the SFU, saying nothing yet. It encrypts when the slot says so. */
  async join(name: string, session: Session, options: JoinOptions = {}): Promise<Member> {
    const { url, token } = await this.token(session, options);
    return await this.enter(name, session, { url, token }, options);
  }

  async enter(
    name: string,
    session: Session,
    { url, token }: { readonly url: string; readonly token: string },
    { encryption = {} }: Pick<JoinOptions, "encryption"> = {},
  ): Promise<Member> {
    const slot = await session.state(this.roomId, SLOT, this.slot);
    const isEncrypted = isObject(slot?.encryption) && encryption !== "none";
    const hz = TONES[this.#tones++ % TONES.length] ?? TONES[0];
    const { signal } = this.world;
    const media = await judged(`${name} on the SFU`, () =>
      MediaParticipant.join({
        websocketUrl: url,
        token,
        name,
        signal,
        ...(isEncrypted ? { encryption } : {}),
      }),
    );
    const member = { name, session, media, hz, token, room: String(grantOf(token).room) };
    this.members.push(member);
    return member;
  }

  /** By the SFU's own listing, through the gateway: who is in a room, with their tracks. */
  async listed(member: Member, role = "hs1"): Promise<readonly JsonObject[]> {
    const sfu = this.world.sfu(role);
    const { apiKey, apiSecret } = await sfu.access();
    const admin = new AccessToken(apiKey, apiSecret, { ttl: 60 });
    admin.addGrant({ room: member.room, roomAdmin: true });
    const headers = { authorization: `Bearer ${await admin.toJwt()}` };
    const body = { room: member.room };
    const client = this.world.clientOf(sfu.base);
    const response = await client.request("POST", LISTING.path, { body, headers });
    const { participants = [] } = ok(response);
    return listAt({ participants }, "participants").filter(isObject);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.members.map((member) => this.#tell(member)));
    await Promise.allSettled(this.members.map(({ media }) => media[Symbol.asyncDispose]()));
  }

  async #tell(listener: Member): Promise<void> {
    const who = nameOf(listener);
    const { heard, notes } = await listener.media.report();
    const from = (identity: string) => {
      const speaker = this.members.find(({ media }) => media.identity === identity);
      return speaker === undefined ? {} : { from: nameOf(speaker) };
    };
    for (const { identity, spells } of heard) {
      for (const { sound, from: began, to } of spells) {
        if (typeof sound !== "number") continue;
        this.world.callNote({ at: began, who, ...from(identity), what: "heard" });
        this.world.callNote({ at: to, who, ...from(identity), what: "silent" });
      }
    }
    for (const { at, what, identity = "", state, keyIndex } of notes) {
      const index = keyIndex === undefined ? {} : { index: keyIndex };
      const told = what === "encryption" ? STATES[state ?? ""] : WHATS[what];
      if (told !== undefined)
        this.world.callNote({ at, who, ...from(identity), what: told, ...index });
    }
  }
}

const STATES: Readonly<Record<string, "missing-key" | "failed">> = {
  "missing-key": "missing-key",
  "decryption-failed": "failed",
};
const WHATS: Partial<Record<MediaNote["what"], "connected" | "disconnected" | "key">> = {
  connected: "connected",
  disconnected: "disconnected",
  "key-set": "key",
};

function nameOf({ session }: Member): string {
  return `${session.userId}/${session.deviceId}`;
}

/** What the library refuses to do is the failure of whom the check is about; trouble of ours is none. */
export async function judged<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof HarnessError || error.name === "CheckFailure")
      throw error;
    fail(what, error.message);
  }
}

/** All spells of what one hears of another. */
export async function spellsOf(listener: Member, speaker: Member): Promise<readonly Spell[]> {
  const { heard } = await listener.media.report();
  return heard
    .filter(({ identity }) => identity === speaker.media.identity)
    .flatMap(({ spells }) => spells)
    .sort((left, right) => left.from - right.from);
}

/** Waits until one hears another for a second on end, frame by frame; tells when that began. @param since epoch milliseconds */
export async function untilHeard(
  world: World,
  listener: Member,
  speaker: Member,
  { since = 0, deadlineMs = HEARD_MS }: { since?: number; deadlineMs?: number } = {},
): Promise<number> {
  return await world.eventually(
    async () => {
      const spells = await spellsOf(listener, speaker);
      const began = firstTone(spells, speaker.hz, since);
      const last = lastTone(spells, speaker.hz) ?? 0;
      const share = shareOf(spells, speaker.hz, Math.max(since, last - WINDOW_MS));
      const isHeard = began !== undefined && last - began >= WINDOW_MS && share > HEARD;
      if (isHeard) return began;
      fail(
        `${listener.name} hears the tone of ${speaker.name} (${speaker.hz} Hz)`,
        describeHeard(spells, speaker.hz, since),
      );
    },
    { deadlineMs },
  );
}

/** One has heard the other all the time from a moment on. @param since epoch milliseconds */
export async function expectHeardFrom(
  world: World,
  listener: Member,
  speaker: Member,
  since: number,
): Promise<void> {
  const spells = await spellsOf(listener, speaker);
  const share = shareOf(spells, speaker.hz, since);
  world.note(`${listener.name} heard ${speaker.name} in ${(100 * share).toFixed(1)} % of the time`);
  expectThat(
    share > HEARD,
    `${listener.name} goes on to hear ${speaker.name} (${speaker.hz} Hz)`,
    describeHeard(spells, speaker.hz, since),
  );
}

/** Waits until one has got the other's frames for as long as it takes to hear the tone, and expects it in none of them. */
export async function expectDeaf(world: World, listener: Member, speaker: Member): Promise<void> {
  const spells = await world.eventually(
    async () => {
      const got = await spellsOf(listener, speaker);
      const gotMs = (got.at(-1)?.to ?? 0) - (got[0]?.from ?? 0);
      const what = `${listener.name} gets the sound of ${speaker.name}`;
      expectThat(gotMs >= WINDOW_MS, what, `${gotMs} ms of it`);
      return got;
    },
    { deadlineMs: HEARD_MS },
  );
  const frames = framesOf(spells, speaker.hz);
  expectThat(
    frames === 0,
    `${listener.name} does not hear ${speaker.name} (${speaker.hz} Hz)`,
    describeHeard(spells, speaker.hz, 0),
  );
}

function describeHeard(spells: readonly Spell[], hz: number, since: number): string {
  const all = spells.reduce((sum, { frames }) => sum + frames, 0);
  if (all === 0) return "no sound at all";
  return `the tone in ${framesOf(spells, hz, since)} frames of 10 ms of ${all}`;
}

/** What a member's library has told of somebody's encryption, in order. */
export async function statesOf(listener: Member, speaker: Member): Promise<readonly string[]> {
  const { notes } = await listener.media.report();
  return notes
    .filter(({ what, identity }) => what === "encryption" && identity === speaker.media.identity)
    .flatMap(({ state }) => state ?? []);
}

/** Members that speak from now on. */
export async function speak(...members: readonly Member[]): Promise<void> {
  await Promise.all(
    members.map(({ name, media, hz }) =>
      judged(`${name} sends a tone`, () => media.publishTone(hz)),
    ),
  );
}

/** Hands a key to another member's device, over the homeserver; returns what arrives. */
export async function handOver(
  from: Session,
  to: Session,
  index: number,
  key: Uint8Array,
): Promise<{ readonly index: number; readonly key: Uint8Array }> {
  const since = await to.syncToken();
  const content = { index, secret: Buffer.from(key).toString("base64") };
  const target = `/_matrix/client/v3/sendToDevice/${KEY_MESSAGE}/${from.context.nextName("txn")}`;
  ok(await from.put(target, { messages: { [to.userId]: { [to.deviceId]: content } } }));
  const { found } = await to.syncUntil(since, "the key", (body) => {
    const { to_device = {} } = body;
    const { events = [] } = isObject(to_device) ? to_device : {};
    return eventsAt({ events }, "events").find(({ type }) => type === KEY_MESSAGE);
  });
  const { content: arrived } = found;
  return {
    index: numberAt(arrived, "index"),
    key: new Uint8Array(Buffer.from(textAt(arrived, "secret"), "base64")),
  };
}
