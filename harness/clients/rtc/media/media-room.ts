/** A participant with media, in a process of its own: see child.ts. */
import { setTimeout as sleep } from "node:timers/promises";
import type { RemoteTrack, Room, Track } from "@livekit/rtc-node";
import { Encryption, encryptionOptions } from "./encryption.ts";
import { Hearing } from "./hearing.ts";
import { HEIGHT, NUMBERS, numberIn, pictureOf, WIDTH } from "./picture.ts";
import type { HeardTrack, JoinOrder, MediaNote, MediaReport, SeenTrack } from "./report.ts";
import type { Library, Loaded } from "./rtc-node.ts";
import { FRAME_MS, framesIn, SAMPLE_RATE, soundOf, toneOf } from "./tone.ts";

const FRAMES_AT_ONCE = 10;
const QUEUE_MS = 200;
/** Of what is heard: a quarter of a participant's CPU went into being told of each frame by itself. */
const AT_ONCE_MS = 50;
const PICTURE_MS = 50;
const NOTES_AT_MOST = 2_000;
const NUMBERS_AT_MOST = 2_000;
const ENCRYPTIONS = ["none", "gcm", "custom"] as const;

interface Published extends AsyncDisposable {
  readonly track: string;
}

export class MediaRoom {
  readonly #library: Library;
  readonly #room: Room;
  readonly #encryption: Encryption;
  readonly #isEncrypting: boolean;
  readonly #notes: MediaNote[] = [];
  readonly #published = new Map<string, Published>();
  readonly #heard: (Omit<HeardTrack, "spells" | "droppedSpells"> & { hearing: Hearing })[] = [];
  readonly #seen: (SeenTrack & { numbers: number[] })[] = [];

  private constructor({ library, ffi }: Loaded, isEncrypting: boolean) {
    this.#library = library;
    this.#isEncrypting = isEncrypting;
    this.#room = new library.Room();
    this.#encryption = new Encryption(ffi, this.#room);
    ffi.on("ffi_event", (event) => {
      const told = this.#encryption.stateIn(event);
      if (told !== undefined) this.#note({ what: "encryption", ...told });
    });
    this.#listen();
  }

  static async join(
    loaded: Loaded,
    { websocketUrl, token, encryption }: JoinOrder,
  ): Promise<MediaRoom> {
    const room = new MediaRoom(loaded, encryption !== undefined);
    await room.#room.connect(websocketUrl, token.reveal(), {
      autoSubscribe: true,
      dynacast: false,
      ...(encryption === undefined ? {} : { encryption: encryptionOptions(encryption) }),
    });
    room.#note({ what: "connected" });
    return room;
  }

  get identity(): string {
    return this.#room.localParticipant?.identity ?? "";
  }

  async publishTone(hz: number): Promise<string> {
    const { AudioSource, LocalAudioTrack, TrackPublishOptions, TrackSource, AudioFrame } =
      this.#library;
    const source = new AudioSource(SAMPLE_RATE, 1, QUEUE_MS);
    const sound = toneOf(hz, FRAMES_AT_ONCE);
    const frame = new AudioFrame(sound, SAMPLE_RATE, 1, sound.length);
    const play = async (signal: AbortSignal) => {
      while (!signal.aborted) await source.captureFrame(frame);
      await source.close();
    };
    const options = new TrackPublishOptions({
      source: TrackSource.SOURCE_MICROPHONE,
      dtx: false,
      red: false,
    });
    const track = LocalAudioTrack.createAudioTrack("tone", source);
    return await this.#publish(track, options, play);
  }

  async publishPicture(): Promise<string> {
    const { VideoSource, LocalVideoTrack, TrackPublishOptions, TrackSource, VideoFrame } =
      this.#library;
    const source = new VideoSource(WIDTH, HEIGHT);
    const play = async (signal: AbortSignal) => {
      const type = this.#library.VideoBufferType.I420;
      for (let number = 0; !signal.aborted; number = (number + 1) % NUMBERS) {
        source.captureFrame(new VideoFrame(pictureOf(number), WIDTH, HEIGHT, type));
        await sleep(PICTURE_MS);
      }
      await source.close();
    };
    const options = new TrackPublishOptions({
      source: TrackSource.SOURCE_CAMERA,
      simulcast: false,
    });
    const track = LocalVideoTrack.createVideoTrack("picture", source);
    return await this.#publish(track, options, play);
  }

  async unpublish(track: string): Promise<void> {
    const published = this.#published.get(track);
    this.#published.delete(track);
    await published?.[Symbol.asyncDispose]();
  }

  /** A key of somebody, or its own. */
  setKey(identity: string, keyIndex: number, key: Uint8Array): void {
    this.#encryption.setKey(identity, keyIndex, key);
    this.#note({ what: "key-set", identity, keyIndex });
  }

  /** All that it sends is encrypted with this one of its keys from now on. */
  useKey(keyIndex: number): void {
    for (const track of this.#published.keys())
      this.#encryption.useKey(this.identity, track, keyIndex);
    this.#note({ what: "key-used", keyIndex });
  }

  report(): MediaReport {
    const { localParticipant, remoteParticipants, isConnected } = this.#room;
    return {
      identity: this.identity,
      sid: localParticipant?.sid ?? "",
      isConnected,
      isEncrypting: this.#isEncrypting,
      participants: [...remoteParticipants.values()].map(({ identity, trackPublications }) => ({
        identity,
        tracks: [...trackPublications.values()].map(({ sid, kind, encryptionType }) => ({
          track: sid ?? "",
          kind: this.#kindOf(kind),
          encryption: ENCRYPTIONS[encryptionType ?? 0] ?? "custom",
        })),
      })),
      notes: this.#notes,
      heard: this.#heard.map(({ hearing, ...rest }) => ({
        ...rest,
        spells: hearing.spells,
        droppedSpells: hearing.dropped,
      })),
      seen: this.#seen,
    };
  }

  /** Tells the SFU that it goes. */
  async leave(): Promise<void> {
    const published = [...this.#published.values()];
    this.#published.clear();
    await Promise.allSettled(published.map((one) => one[Symbol.asyncDispose]()));
    await this.#room.disconnect();
  }

  async #publish(
    track: InstanceType<Library["LocalAudioTrack"] | Library["LocalVideoTrack"]>,
    options: InstanceType<Library["TrackPublishOptions"]>,
    play: (signal: AbortSignal) => Promise<void>,
  ): Promise<string> {
    const stop = new AbortController();
    const published = await this.#room.localParticipant?.publishTrack(track, options);
    const sid = published?.sid ?? "";
    const playing = play(stop.signal).catch(() => undefined);
    this.#published.set(sid, {
      track: sid,
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await playing;
        await this.#room.localParticipant?.unpublishTrack(sid);
        this.#note({ what: "unpublished", track: sid });
      },
    });
    this.#note({ what: "published", track: sid });
    return sid;
  }

  #listen(): void {
    const { RoomEvent } = this.#library;
    this.#room
      .on(RoomEvent.Reconnecting, () => this.#note({ what: "reconnecting" }))
      .on(RoomEvent.Reconnected, () => this.#note({ what: "reconnected" }))
      .on(RoomEvent.Disconnected, (reason) =>
        this.#note({ what: "disconnected", reason: Number(reason) }),
      )
      .on(RoomEvent.ParticipantConnected, ({ identity }) =>
        this.#note({ what: "participant-joined", identity }),
      )
      .on(RoomEvent.ParticipantDisconnected, ({ identity }) =>
        this.#note({ what: "participant-left", identity }),
      )
      .on(RoomEvent.TrackSubscribed, (track, { sid = "" }, { identity }) => {
        this.#note({ what: "track-subscribed", identity, track: sid });
        void this.#receive(track, sid, identity).catch(() => undefined);
      })
      .on(RoomEvent.TrackUnsubscribed, (_, { sid = "" }, { identity }) =>
        this.#note({ what: "track-unsubscribed", identity, track: sid }),
      );
  }

  async #receive(remote: RemoteTrack, track: string, identity: string): Promise<void> {
    if (this.#kindOf(remote.kind) === "audio") await this.#hear(remote, track, identity);
    if (this.#kindOf(remote.kind) === "video") await this.#see(remote, track, identity);
  }

  async #hear(remote: Track, track: string, identity: string): Promise<void> {
    const hearing = new Hearing();
    this.#heard.push({ identity, track, hearing });
    const options = { sampleRate: SAMPLE_RATE, numChannels: 1, frameSizeMs: AT_ONCE_MS };
    for await (const { data } of new this.#library.AudioStream(remote, options)) {
      const [now, frames] = [Date.now(), framesIn(data)];
      for (const [index, frame] of frames.entries())
        hearing.take(soundOf(frame), now - (frames.length - 1 - index) * FRAME_MS);
    }
  }

  async #see(remote: Track, track: string, identity: string): Promise<void> {
    const numbers: number[] = [];
    const index =
      this.#seen.push({ identity, track, width: 0, height: 0, pictures: 0, numbers }) - 1;
    const { VideoStream, VideoBufferType } = this.#library;
    for await (const { frame } of new VideoStream(remote)) {
      const { data, width, height } =
        frame.type === VideoBufferType.I420 ? frame : frame.convert(VideoBufferType.I420);
      const before = this.#seen[index];
      const number = numberIn(data, width, height);
      if (number !== undefined) numbers.push(number);
      if (numbers.length > NUMBERS_AT_MOST) numbers.shift();
      const last = Date.now();
      const [first, pictures] = [before?.first ?? last, (before?.pictures ?? 0) + 1];
      this.#seen[index] = { identity, track, width, height, pictures, numbers, first, last };
    }
  }

  #kindOf(kind: unknown): "audio" | "video" | "other" {
    const { TrackKind } = this.#library;
    return kind === TrackKind.KIND_AUDIO
      ? "audio"
      : kind === TrackKind.KIND_VIDEO
        ? "video"
        : "other";
  }

  #note(note: Omit<MediaNote, "at">): void {
    this.#notes.push({ at: Date.now(), ...note });
    if (this.#notes.length > NOTES_AT_MOST) this.#notes.shift();
  }
}
