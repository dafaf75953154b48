/**
 * Whole calls: each member is matrix-js-sdk, which joins and exchanges keys over Olm, and beside it media that encrypt and decrypt with
 * the keys that it says, on the SFU of each homeserver. Keys are told by digest only.
 */
import { digestOf } from "#harness/clients/rtc/call-party";
import type { KeyChanged } from "#harness/clients/rtc/js-sdk/happening";
import { JsSdkCall } from "#harness/clients/rtc/js-sdk-call";
import { framesOf, lastTone, type Spell, shareOf } from "#harness/clients/rtc/media/hearing";
import { MediaParticipant } from "#harness/clients/rtc/media/participant";
import { TONES } from "#harness/clients/rtc/media/tone";
import { textAt } from "#harness/match/json";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { SLOT_ID, STEADY } from "./callers.ts";
import { callRoom } from "./media-keys.ts";
import { memberOf, openidTokenOf } from "./openid.ts";

/** A tone has to fill this share of what is heard for so long. */
const CLEAR = 0.8;
const WINDOW_MS = 1_000;
/** Processes start, and keys travel, on a machine that does other things too. */
const HEARD_MS = 30_000;
export const WHOLE_CALL = { deadlineMs: 180_000, isAlone: true };

/** What a member's media do with a key that its client hands them. */
export type Handing = "right" | "wrong" | "nothing";

export interface TalkerOptions {
  /** Of its homeserver. */
  readonly role?: string;
  /** With the keys of whom, by name; right unless given. */
  readonly handing?: Readonly<Record<string, Handing>>;
  /** It sends and hears in clear. */
  readonly isPlain?: boolean;
}

interface Key {
  readonly index: number;
  readonly digest: string;
}

export class Talker implements AsyncDisposable {
  readonly name: string;
  readonly hz: number;
  readonly client: JsSdkCall;
  readonly #call: WholeCall;
  readonly #options: TalkerOptions;
  readonly #media = new Map<string, MediaParticipant>();
  /** Keys that its media have, by identity on the SFU. */
  readonly #held = new Map<string, Key[]>();
  #handed: Promise<void> = Promise.resolve();
  #identity = "";
  #memberId = "";

  constructor(
    call: WholeCall,
    name: string,
    hz: number,
    client: JsSdkCall,
    options: TalkerOptions,
  ) {
    this.#call = call;
    this.name = name;
    this.hz = hz;
    this.client = client;
    this.#options = options;
    client.on((happening) => {
      if (happening.what !== "key") return;
      this.#handed = this.#handed.then(() => this.#hand(happening));
      this.#handed.catch(() => undefined);
    });
  }

  get role(): string {
    return this.#options.role ?? "hs1";
  }

  get session(): Session {
    return this.client.session;
  }

  get identity(): string {
    return this.#identity;
  }

  /** Joins the call, and connects to its own server's SFU. */
  async join(config: Readonly<Record<string, unknown>>): Promise<void> {
    const memberId = await this.client.join(this.#call.roomId, {
      by: "sticky",
      library: { ...STEADY, ...config },
    });
    await this.enter(memberId);
  }

  /** Connects only: who has a token needs no membership. */
  async enter(memberId = this.#call.world.name("member")): Promise<void> {
    this.#memberId = memberId;
    this.#identity = (await this.#connectTo(this.role)).identity;
  }

  /** Connects to another server's SFU too, which has a room once one of its users has entered. */
  async listenOn(role: string): Promise<void> {
    if (!this.#media.has(role)) await this.#connectTo(role);
  }

  /** Sends its tone, with the keys that it has by then. */
  async speak(): Promise<void> {
    this.#handed = this.#handed.then(() => this.#handAll());
    await this.#handed;
    const own = this.#media.get(this.role);
    await own?.publishTone(this.hz);
    const used = this.#held.get(this.identity)?.at(-1);
    if (used !== undefined) await own?.useKey(used.index);
  }

  /** Leaves the call as its client does; its media stay where they are, with the keys that they have. */
  async leaveButListen(): Promise<void> {
    await this.client.leave(this.#call.roomId);
  }

  async spellsOf(speaker: Talker): Promise<readonly Spell[]> {
    const { heard } = (await this.#media.get(speaker.role)?.report()) ?? { heard: [] };
    const ofSpeaker = heard.filter(({ identity }) => identity === speaker.identity);
    return ofSpeaker.flatMap(({ spells }) => spells);
  }

  /** How the other's track is announced. */
  async announced(speaker: Talker): Promise<string | undefined> {
    const { participants } = (await this.#media.get(speaker.role)?.report()) ?? {
      participants: [],
    };
    return participants.find(({ identity }) => identity === speaker.identity)?.tracks[0]
      ?.encryption;
  }

  /** Which key of a speaker's it lacks, or that it has it. */
  keysOf(speaker: Talker): string {
    const used = speaker.#held.get(speaker.identity)?.at(-1);
    const held = this.#held.get(speaker.identity) ?? [];
    if (used === undefined) return `${speaker.name} has no key of its own`;
    const name = `key ${used.index} of ${speaker.name} (${used.digest})`;
    const same = held.findLast(({ index }) => index === used.index);
    if (same?.digest === used.digest) return `${this.name} has ${name}`;
    const others = held.map(({ index, digest }) => `${index} (${digest})`).join(", ") || "none";
    return `${this.name} lacks ${name}, and has of ${speaker.name}: ${others}`;
  }

  /** Keys that its client encrypts with, oldest first. */
  ownKeys() {
    const { userId } = this.session;
    return this.client.keys().filter((key) => key.userId === userId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([
      this.client[Symbol.asyncDispose](),
      ...[...this.#media.values()].map((media) => media[Symbol.asyncDispose]()),
    ]);
  }

  async #connectTo(role: string): Promise<MediaParticipant> {
    const { world, roomId } = this.#call;
    const body = {
      room_id: roomId,
      slot_id: SLOT_ID,
      openid_token: await openidTokenOf(this.session),
      member: { ...memberOf(world, this.session), id: this.#memberId },
    };
    const service = world.clientOf(world.rtc(role).base);
    const answer = ok(await service.request("POST", "/get_token", { body }));
    const media = await MediaParticipant.join({
      websocketUrl: textAt(answer, "url"),
      token: textAt(answer, "jwt"),
      name: `${this.name} on the SFU of ${role}`,
      signal: world.signal,
      ...(this.#options.isPlain ? {} : { encryption: {} }),
    });
    this.#media.set(role, media);
    return media;
  }

  async #handAll(): Promise<void> {
    this.#held.clear();
    for (const key of this.client.keys()) await this.#hand(key);
  }

  async #hand({ userId, deviceId, identity, index, key }: KeyChanged): Promise<void> {
    if (this.#media.size === 0) return;
    const handing = this.#options.handing?.[this.#call.nameOf(userId)] ?? "right";
    if (handing === "nothing") return;
    const bytes = Buffer.from(key.reveal(), "base64");
    if (handing === "wrong") bytes.reverse();
    const digest = handing === "wrong" ? "another" : digestOf(key);
    for (const media of this.#media.values()) await media.setKey(identity, index, bytes);
    const isOwn = identity === this.identity;
    if (isOwn) await this.#media.get(this.role)?.useKey(index);
    this.#held.set(identity, [...(this.#held.get(identity) ?? []), { index, digest }]);
    const who = `${this.session.userId}/${this.session.deviceId}`;
    this.#call.world.callNote({
      who,
      ...(isOwn ? {} : { from: `${userId}/${deviceId}` }),
      what: "key",
      index,
      ...(handing === "wrong" ? {} : { digest }),
    });
  }
}

/** An encrypted room and who talks in its call. */
export class WholeCall implements AsyncDisposable {
  readonly world: World;
  readonly roomId: string;
  readonly #talkers: ReadonlyMap<string, Talker>;
  readonly #scope: AsyncDisposableStack;

  private constructor(
    world: World,
    roomId: string,
    talkers: Map<string, Talker>,
    scope: AsyncDisposableStack,
  ) {
    this.world = world;
    this.roomId = roomId;
    this.#talkers = talkers;
    this.#scope = scope;
  }

  /** All are in the room and know each other, and nobody is in the call. The first of them has made it. */
  static async open(
    world: World,
    roles: Readonly<Record<string, TalkerOptions>>,
  ): Promise<WholeCall> {
    await using scope = new AsyncDisposableStack();
    const names = Object.entries(roles);
    const sessions = await Promise.all(
      names.map(([name, { role }]) => world.user(name, role ?? "hs1")),
    );
    const clients: JsSdkCall[] = [];
    for (const session of sessions)
      clients.push(scope.use(await JsSdkCall.start(session, { crypto: "signed" })));
    const [founder, ...others] = sessions as [Session, ...Session[]];
    const roomId = await callRoom(founder, others);
    // A client encrypts what it sends for those whom it knows by then: the others could not tell that it is in the call.
    for (const client of clients) {
      await world.eventually(
        async () => {
          const what = `devices of the room that ${client.session.userId} does not know`;
          expectEqual(await client.unknownDevices(roomId, sessions), [], what);
        },
        { deadlineMs: HEARD_MS },
      );
    }
    const talkers = new Map<string, Talker>();
    const call = new WholeCall(world, roomId, talkers, scope.move());
    for (const [index, [name, options]] of names.entries()) {
      const client = clients[index];
      if (client === undefined) continue;
      talkers.set(name, new Talker(call, name, TONES[index] ?? TONES[0], client, options));
    }
    for (const talker of talkers.values()) call.#scope.use(talker);
    return call;
  }

  talker(name: string): Talker {
    const talker = this.#talkers.get(name);
    if (talker === undefined) throw new TypeError(`nobody is called ${name} in this call`);
    return talker;
  }

  nameOf(userId: string): string {
    const found = [...this.#talkers.values()].find(({ session }) => session.userId === userId);
    return found?.name ?? userId;
  }

  /** They join one after the other; then each is on the SFU of every server that has somebody there, and speaks. */
  async join(
    names: readonly string[],
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    for (const name of names) await this.talker(name).join(config);
    await this.connect(names);
  }

  /** All who have entered listen on all SFUs, and these begin to speak. */
  async connect(names: readonly string[]): Promise<void> {
    const entered = [...this.#talkers.values()].filter(({ identity }) => identity !== "");
    for (const talker of entered) for (const { role } of entered) await talker.listenOn(role);
    for (const name of names) await this.talker(name).speak();
  }

  /** Waits until one hears the other clearly; returns when, in epoch milliseconds. */
  async untilHears(listener: string, speaker: string, since = 0): Promise<number> {
    const [ear, mouth] = [this.talker(listener), this.talker(speaker)];
    return this.world.eventually(
      async () => {
        const spells = await ear.spellsOf(mouth);
        const last = lastTone(spells, mouth.hz) ?? 0;
        const from = Math.max(since, last - WINDOW_MS);
        const isClear = last - from >= WINDOW_MS && shareOf(spells, mouth.hz, from) > CLEAR;
        expectThat(isClear, `${listener} hears ${speaker}`, told(ear, mouth, spells, since));
        return from;
      },
      { deadlineMs: HEARD_MS },
    );
  }

  /** Waits until a member encrypts with another key than so far; returns when it began to, in epoch milliseconds. */
  async untilRotated(name: string, before: number): Promise<number> {
    const talker = this.talker(name);
    return this.world.eventually(
      () => {
        const last = talker.ownKeys().at(-1);
        const isNew = last !== undefined && talker.ownKeys().length > before;
        expectThat(isNew, `another key of ${name}'s in use`, `index ${last?.index}`);
        return last.atMs;
      },
      { deadlineMs: HEARD_MS },
    );
  }

  /** Waits until the other's sound comes, and expects nothing of it to be heard. */
  async expectDeaf(listener: string, speaker: string, since = 0): Promise<void> {
    const [ear, mouth] = [this.talker(listener), this.talker(speaker)];
    const spells = await this.world.eventually(
      async () => {
        const got = await ear.spellsOf(mouth);
        const gotMs = (got.at(-1)?.to ?? 0) - Math.max(since, got[0]?.from ?? 0);
        const what = `the sound of ${speaker} comes to ${listener}`;
        expectThat(gotMs >= WINDOW_MS, what, `${gotMs} ms of it`);
        return got;
      },
      { deadlineMs: HEARD_MS },
    );
    const isDeaf = framesOf(spells, mouth.hz, since) === 0;
    expectThat(isDeaf, `${listener} does not hear ${speaker}`, told(ear, mouth, spells, since));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }
}

function told(ear: Talker, mouth: Talker, spells: readonly Spell[], since: number): string {
  const heard = framesOf(spells, mouth.hz, since);
  return `its tone in ${heard} frames of 10 ms; ${ear.keysOf(mouth)}`;
}
