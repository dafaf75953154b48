/** One sync of the wasm client, of either API: what came is taken in, and on disk, before it is acknowledged. */
import { DeviceLists } from "@matrix-org/matrix-sdk-crypto-wasm";
import {
  type Dialect,
  SLIDING_SYNC_FLAG,
  STABLE,
  UNSTABLE,
} from "#harness/clients/sliding-sync/dialect";
import { allRooms } from "#harness/clients/sliding-sync/request";
import {
  at,
  eventsAt,
  isObject,
  type JsonObject,
  type MatrixEvent,
  textAt,
} from "#harness/match/json";
import { ok } from "#harness/world/expect";
import { type Session, stateBefore, timeline } from "#harness/world/session";
import type { ClientFault, SyncReport } from "../crypto-client.ts";
import { digest } from "../parcel.ts";
import type { Position } from "../store/keeping.ts";
import { type Engine, usersOf } from "./engine.ts";
import { takeSecretsFromInbox } from "./recovery.ts";
import { lookedAt, takenOf, toDeviceReport } from "./taken.ts";

/** What a sync brought for the engine, whichever API brought it. */
interface News {
  readonly toDevice: readonly MatrixEvent[];
  readonly changed: readonly string[];
  readonly left: readonly string[];
  readonly counts: Record<string, number> | undefined;
  readonly unusedFallback: readonly string[] | undefined;
  /** Rooms with members that may be new. */
  readonly rooms: readonly string[];
  readonly exchange: string | undefined;
  /** What the next request will acknowledge. */
  readonly since: string | undefined;
  readonly next: string;
  readonly position: Position;
  /** It was asked from the start: of device lists that have changed before, it tells nothing. */
  readonly isInitial: boolean;
}

const FILTER = { room: { timeline: { limit: 1 } }, presence: { limit: 0 } };

/** GET /sync. A count that is not there means none (client-server API, "End-to-end encryption" under Syncing). */
export async function syncV3(
  engine: Engine,
  timeoutMs: number,
  fault: ClientFault = {},
): Promise<SyncReport> {
  const { since } = engine.keeping.position;
  const response = await engine.session.syncResponse({ since, timeoutMs, filter: FILTER });
  const body = ok(response);
  const next = textAt(body, "next_batch");
  const news: News = {
    toDevice: eventsAt(body, "to_device", "events"),
    ...listsIn(at(body, "device_lists")),
    counts: countsIn(at(body, "device_one_time_keys_count")) ?? {},
    unusedFallback: textsIn(at(body, "device_unused_fallback_key_types")),
    rooms: roomsWithNewMembers(body),
    exchange: response.exchange,
    since,
    next,
    position: { since: next },
    isInitial: since === undefined,
  };
  return takeIn(engine, news, fault, "receiveSyncChanges");
}

/** MSC4186 with the extensions of MSC3884 and MSC3885. A count that is not there means "as before". */
export async function syncSliding(
  engine: Engine,
  timeoutMs: number,
  fault: ClientFault = {},
): Promise<SyncReport> {
  const { pos, toDevice } = engine.keeping.position;
  const dialect = await dialectOf(engine.session);
  const extensions = {
    e2ee: { enabled: true },
    to_device: { enabled: true, ...(toDevice === undefined ? {} : { since: toDevice }) },
  };
  const required = { include: [{ type: "m.room.member" }] };
  const call = dialect.encode(
    { ...allRooms({ timelineLimit: 1, requiredState: required }), extensions },
    { pos, timeoutMs, connId: "crypto" },
  );
  const response = await engine.session.request("POST", call.path, {
    query: call.query,
    body: call.body,
    timeoutMs: (30_000 + timeoutMs) * engine.session.context.timeoutScale,
  });
  const isForgotten = response.status === 400 && at(response.json, "errcode") === "M_UNKNOWN_POS";
  if (isForgotten && pos !== undefined) {
    // The server has forgotten the connection (MSC4186 §Connections): from the start, but for what was acknowledged.
    engine.keeping.moveTo({ toDevice });
    return syncSliding(engine, timeoutMs, fault);
  }
  const body = ok(response);
  const e2ee = at(body, "extensions", "e2ee");
  const next = at(body, "extensions", "to_device", "next_batch");
  const acknowledged = typeof next === "string" ? next : toDevice;
  const rooms = at(body, "rooms");
  const news: News = {
    toDevice: eventsAt(body, "extensions", "to_device", "events"),
    ...listsIn(at(e2ee, "device_lists")),
    counts: countsIn(at(e2ee, "device_one_time_keys_count")),
    unusedFallback: textsIn(at(e2ee, "device_unused_fallback_key_types")),
    rooms: Object.entries(objectOf(rooms))
      .filter(([, room]) =>
        [...eventsAt(room, "required_state"), ...eventsAt(room, "timeline")].some(isMembership),
      )
      .map(([roomId]) => roomId),
    exchange: response.exchange,
    since: toDevice,
    next: acknowledged ?? "",
    position: { pos: textAt(body, "pos"), toDevice: acknowledged },
    isInitial: pos === undefined,
  };
  return takeIn(engine, news, fault, "receiveSyncChangesMsc4186");
}

async function takeIn(
  engine: Engine,
  news: News,
  { acknowledgesEarly = false, diesAt }: ClientFault,
  how: "receiveSyncChanges" | "receiveSyncChangesMsc4186",
): Promise<SyncReport> {
  const { keeping, telling } = engine;
  const { toDevice, changed, left, counts, unusedFallback } = news;
  telling.got(toDevice, {
    ...(news.exchange === undefined ? {} : { exchange: news.exchange }),
    ...(news.since === undefined ? {} : { since: digest(news.since) }),
    next: digest(news.next),
    changed: [...changed],
    left: [...left],
    ...(counts === undefined ? {} : { counts }),
    ...(unusedFallback === undefined ? {} : { unusedFallback: [...unusedFallback] }),
  });
  const acknowledge = () => {
    keeping.moveTo(news.position);
    telling.tell("acknowledged", { next: digest(news.next) });
  };
  if (acknowledgesEarly) acknowledge();
  if (diesAt === "got") die();
  const processed = await engine.machine[how](
    JSON.stringify(toDevice),
    new DeviceLists(usersOf(changed), usersOf(left)),
    new Map(Object.entries(counts ?? {})),
    unusedFallback === undefined ? undefined : new Set(unusedFallback),
    engine.decryption(),
  );
  const events = processed.map(toDeviceReport);
  const undecryptable = events.filter(({ outcome }) => outcome === "undecryptable");
  const own = engine.machine.identityKeys.curve25519.toBase64();
  const parcels = takenOf(toDevice, processed.map(lookedAt), own);
  telling.tell("took", { next: digest(news.next), parcels });
  if (diesAt === "took") die();
  await keeping.persist();
  if (diesAt === "persisted") die();
  if (!acknowledgesEarly) acknowledge();
  for (const event of processed) engine.onToDevice(event);
  if (news.isInitial) await engine.machine.markAllTrackedUsersAsDirty();
  for (const roomId of news.rooms) await engine.track(await engine.members(roomId));
  if (events.some(({ type }) => type === "m.secret.send")) await takeSecretsFromInbox(engine);
  await engine.pump();
  return {
    toDevice: toDevice.length,
    undecryptable: undecryptable.length,
    events,
    changed,
  };
}

function die(): void {
  process.kill(process.pid, "SIGKILL");
}

const dialects = new WeakMap<Session, Dialect>();

/** The unstable one where the server says that it has it, as servers do that are deployed. */
async function dialectOf(session: Session): Promise<Dialect> {
  const known = dialects.get(session);
  if (known !== undefined) return known;
  const body = ok(await session.get("/_matrix/client/versions"));
  const dialect = at(body, "unstable_features", SLIDING_SYNC_FLAG) === true ? UNSTABLE : STABLE;
  dialects.set(session, dialect);
  return dialect;
}

/** Joined rooms of a sync in which a membership has changed; all of them the first time. */
function roomsWithNewMembers(body: JsonObject): readonly string[] {
  const joined = at(body, "rooms", "join");
  return Object.keys(objectOf(joined)).filter((roomId) =>
    [...timeline(body, roomId), ...stateBefore(body, roomId)].some(isMembership),
  );
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function isMembership({ type }: MatrixEvent): boolean {
  return type === "m.room.member";
}

function listsIn(lists: unknown): Pick<News, "changed" | "left"> {
  return { changed: textsIn(at(lists, "changed")) ?? [], left: textsIn(at(lists, "left")) ?? [] };
}

function textsIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : undefined;
}

function countsIn(value: unknown): Record<string, number> | undefined {
  return isObject(value) ? (value as Record<string, number>) : undefined;
}
