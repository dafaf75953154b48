/**
 * matrix-js-sdk in calls (its `lib/matrixrtc`), inside the process that JsSdkCall has started for it. It syncs, restarts its
 * delayed leave and sends keys when it likes to, as in an application.
 */
import { randomUUID } from "node:crypto";
import { ClientEvent, createClient, type MatrixClient, type Room } from "matrix-js-sdk";
import {
  AllDevicesIsolationMode,
  OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";
import { logger } from "matrix-js-sdk/lib/logger.js";
import {
  type CallMembership,
  MatrixRTCSessionEvent as Ev,
  getCallNotificationExpiry,
  MatrixRTCSessionManagerEvents as ManagerEv,
  type MatrixRTCSession,
  MatrixRTCSessionManager,
  MembershipManagerEvent,
  parseCallNotificationContent,
} from "matrix-js-sdk/lib/matrixrtc/index.js";
import { fetch } from "undici";
import { uploadingKeysOf } from "#harness/clients/crypto/js-sdk/upload-keys";
import { secret } from "#harness/clients/crypto/secret";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import { isObject } from "#harness/match/json";
import type { Session } from "#harness/world/session";
import type { CallOptions, InviteView, JoinOptions } from "../js-sdk-call.ts";
import type { Happening, Participant, RosterNow } from "./happening.ts";
import { requestOf } from "./requests.ts";
import { ROOM_CALL, type Slot } from "./slot.ts";

const ARRIVAL_MS = 20_000;
const LEAVE_MS = 2_000;
/** Without any transport the library gives up when it is to join by an event that sticks (43.0.0). */
const NOWHERE = { type: "livekit", livekit_service_url: "https://rtc.invalid" };

type Untimed<T> = T extends unknown ? Omit<T, "atMs"> : never;

export class CallParticipant {
  readonly #session: Session;
  readonly #client: MatrixClient;
  readonly #managers = new Map<string, MatrixRTCSessionManager>();
  readonly #watched = new Map<string, MatrixRTCSession>();
  /** As sessions have told last: of a member whose event is redacted, the library can not tell any more who it was. */
  readonly #rosters = new Map<MatrixRTCSession, readonly Participant[]>();
  readonly #happened: Happening[] = [];
  #news = Promise.withResolvers<void>();

  private constructor(session: Session) {
    this.#session = session;
    const { server, userId, deviceId, accessToken } = session;
    this.#client = createClient({
      baseUrl: server.clientUrl,
      userId,
      deviceId,
      accessToken,
      fetchFn: ((input: string | URL, init?: object) => this.#fetch(input, init)) as never,
    });
  }

  static async start(session: Session, { crypto = "none" }: CallOptions): Promise<CallParticipant> {
    const participant = new CallParticipant(session);
    const client = participant.#client;
    if (crypto !== "none") {
      await client.initRustCrypto({ useIndexedDB: false });
      const api = client.getCrypto();
      if (crypto === "signed") {
        await api?.bootstrapCrossSigning({ authUploadDeviceSigningKeys: uploadingKeysOf(session) });
      }
      api?.setDeviceIsolationMode(
        crypto === "signed"
          ? new OnlySignedDevicesIsolationMode()
          : new AllDevicesIsolationMode(false),
      );
    }
    const prepared = new Promise<void>((resolve, reject) => {
      client.on(ClientEvent.Sync, (state, _, data) => {
        if (state === "PREPARED") resolve();
        if (state === "ERROR") reject(new CheckFailure("a first sync", describe(data?.error)));
      });
    });
    await client.startClient({ initialSyncLimit: 20 });
    await prepared;
    return participant;
  }

  /** What has happened since so many things had; waits until there is something. */
  async news(after: number): Promise<readonly Happening[]> {
    while (this.#happened.length <= after) await this.#news.promise;
    return this.#happened.slice(after);
  }

  async join(roomId: string, options: JoinOptions): Promise<string> {
    const { by, slot = ROOM_CALL, transports = [NOWHERE], library = {} } = options;
    const session = await this.#sessionOf(roomId, slot);
    const { userId, deviceId } = this.#session;
    const config = { ...library, unstableSendStickyEvents: by === "sticky" };
    const [first, ...others] = transports as never[];
    if (options.memberId === "library") {
      session.joinRoomSession(others, first, config);
      return `${userId}:${deviceId}`;
    }
    const memberId = options.memberId ?? randomUUID();
    session.joinRTCSession({ userId, deviceId, memberId }, others, first, config);
    return memberId;
  }

  async unknownDevices(
    roomId: string,
    devices: readonly Pick<Session, "userId" | "deviceId">[],
  ): Promise<readonly string[]> {
    const room = await this.#room(roomId);
    const users = devices.map(({ userId }) => userId);
    const known = await this.#client.getCrypto()?.getUserDeviceInfo(users);
    const isThere = ({ userId, deviceId }: (typeof devices)[number]) =>
      room.getMember(userId)?.membership === "join" && known?.get(userId)?.has(deviceId) === true;
    return devices
      .filter((device) => !isThere(device))
      .map(({ userId, deviceId }) => `${userId} ${deviceId}`);
  }

  async leave(roomId: string, slot: Slot): Promise<boolean> {
    return await (await this.#sessionOf(roomId, slot)).leaveRoomSession();
  }

  async roster(roomId: string, slot: Slot): Promise<RosterNow> {
    const members = this.#rosters.get(await this.#sessionOf(roomId, slot)) ?? [];
    return { members, told: this.#happened.length };
  }

  async openSlot(roomId: string, slot: Slot): Promise<void> {
    await (await this.#sessionOf(roomId, slot)).ensureRtcSlotOpen();
  }

  async closeSlot(roomId: string, slot: Slot): Promise<void> {
    await (await this.#sessionOf(roomId, slot)).ensureRtcSlotClosed();
  }

  async invite(roomId: string, eventId: string): Promise<InviteView | undefined> {
    const room = await this.#room(roomId);
    const sticking = [...room._unstable_getStickyEvents()];
    const event = room.findEventById(eventId) ?? sticking.find((each) => each.getId() === eventId);
    if (event === undefined) return undefined;
    try {
      const { userId } = this.#session;
      const content = await parseCallNotificationContent(event, { room, userId });
      const expiresMs = getCallNotificationExpiry(content, event.getTs());
      return { rings: true, remainingMs: expiresMs - Date.now(), content };
    } catch (error) {
      return { rings: false, reason: describe(error) };
    }
  }

  async decline(roomId: string, eventId: string): Promise<string> {
    return (await this.#client.sendRtcDecline(roomId, eventId)).event_id;
  }

  /** Leaves all sessions, and is gone. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.#watched.values()].map((session) => session.leaveRoomSession(LEAVE_MS)),
    );
    this.#client.stopClient();
  }

  #tell(happening: Untimed<Happening>): void {
    this.#happened.push({ ...happening, atMs: Date.now() } as Happening);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async #room(roomId: string): Promise<Room> {
    const known = () => {
      const room = this.#client.getRoom(roomId);
      return room?.getMyMembership() === "join" ? room : undefined;
    };
    const found = known();
    if (found !== undefined) return found;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const what = `${this.#session.userId} in calls has no room ${roomId} in its syncs`;
        reject(new HarnessError("DEADLINE", { what, next: "see the wire log for its syncs" }));
      }, ARRIVAL_MS * this.#session.context.timeoutScale);
      const look = () => {
        const room = known();
        if (room === undefined) return;
        clearTimeout(timer);
        this.#client.off(ClientEvent.Sync, look);
        resolve(room);
      };
      this.#client.on(ClientEvent.Sync, look);
    });
  }

  /** Watches it from then on. */
  async #sessionOf(roomId: string, slot: Slot): Promise<MatrixRTCSession> {
    const slotId = `${slot.application}#${slot.id}`;
    const key = `${roomId} ${slotId}`;
    const room = await this.#room(roomId);
    const watched = this.#watched.get(key);
    if (watched !== undefined) return watched;
    const session = this.#managerOf(slotId, slot).getRoomSession(room);
    const of = { roomId, slotId };
    this.#watched.set(key, session);
    session.on(Ev.MembershipsChanged, (_, changed) => {
      const members = changed.map(participantOf);
      this.#rosters.set(session, members);
      this.#tell({ what: "roster", ...of, members });
    });
    session.on(
      Ev.EncryptionKeyChanged,
      (bytes, index, { userId, deviceId, memberId }, identity) => {
        const key = secret(Buffer.from(bytes).toString("base64"));
        this.#tell({ what: "key", ...of, userId, deviceId, memberId, identity, index, key });
      },
    );
    session.on(Ev.MembershipManagerError, (error) =>
      this.#tell({ what: "trouble", ...of, text: describe(error) }),
    );
    session.on(MembershipManagerEvent.StatusChanged, (_, status) =>
      this.#tell({ what: "status", ...of, status }),
    );
    await session.initialMembershipCalculated;
    if (!this.#rosters.has(session))
      this.#rosters.set(session, session.memberships.map(participantOf));
    return session;
  }

  #managerOf(slotId: string, slot: Slot): MatrixRTCSessionManager {
    let manager = this.#managers.get(slotId);
    if (manager !== undefined) return manager;
    // Every client of the library has one for this.
    const isOwn = slot.application === ROOM_CALL.application && slot.id === ROOM_CALL.id;
    manager = isOwn
      ? this.#client.matrixRTC
      : new MatrixRTCSessionManager(logger, this.#client, slot);
    if (!isOwn) manager.start();
    this.#managers.set(slotId, manager);
    for (const [event, is] of [
      [ManagerEv.SessionStarted, "started"],
      [ManagerEv.SessionEnded, "ended"],
    ] as const)
      manager.on(event, (roomId) => this.#tell({ what: "session", roomId, slotId, is }));
    return manager;
  }

  async #fetch(input: string | URL, init: object = {}): Promise<Response> {
    const url = new URL(input);
    const { method = "GET", body: given, headers: named } = init as RequestInit;
    const headers = { ...named, "x-crucible-check": this.#session.context.check };
    const body = typeof given === "string" ? parsed(given) : undefined;
    const tell = (status: number, answer: unknown) => {
      const request = requestOf({ method, url, body, status, answer });
      if (request !== undefined) this.#tell(request);
    };
    try {
      const response = await fetch(url, { ...init, headers } as Parameters<typeof fetch>[1]);
      const text = await response.text();
      tell(response.status, parsed(text));
      return new Response(text, { status: response.status, headers: [...response.headers] });
    } catch (error) {
      tell(0, undefined);
      throw error;
    }
  }
}

function parsed(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

function participantOf(member: CallMembership): Participant {
  const { userId, deviceId, memberId, eventId, rtcBackendIdentity, transports } = member;
  return {
    userId: userId ?? "",
    deviceId,
    memberId,
    eventId,
    identity: rtcBackendIdentity,
    transports,
  };
}
