/** A client of one server: anonymous, or a user's device. Paths are written out in full, as in the specification. */
import { awakeMs } from "#harness/awake";
import type { ManagesAccounts } from "#harness/deployment/auth-contract";
import { CheckFailure } from "#harness/errors";
import {
  createClient,
  type HttpClient,
  type HttpResponse,
  path,
  type Query,
  type RequestOptions,
} from "#harness/http/client";
import { at, eventsAt, type JsonObject, type MatrixEvent, textAt } from "#harness/match/json";
import { expectStatus, ok } from "./expect.ts";
import type { ServerInfo } from "./run-info.ts";

export interface SessionContext {
  readonly check: string;
  readonly signal: AbortSignal;
  readonly timeoutScale: number;
  readonly onExchange: (response: HttpResponse) => void;
  /** A client has had to do with a room. */
  readonly onRoom: (roomId: string, client: ServerClient) => void;
  /** A device has been made. */
  readonly onDevice?: (device: Session) => void;
  /** The admin side of a server's auth service; undefined: it has none, or nobody here reaches it. */
  readonly accountsOf?: (server: ServerInfo) => ManagesAccounts | undefined;
  /** Unique within the run; transaction ids are made of it. */
  readonly nextName: (prefix: string) => string;
}

export interface SyncOptions {
  readonly since?: string | undefined;
  /** Long-poll, milliseconds; 0 unless given. */
  readonly timeoutMs?: number;
  /** Filter id, or a filter object sent inline. */
  readonly filter?: string | JsonObject;
  readonly query?: Query;
}

const LONG_POLL_MS = 2_000;
const SYNC_DEADLINE_MS = 10_000;

/** Percent-encoded or not. */
const ROOM_IN_PATH = /^\/_matrix\/client\/v\d+\/rooms\/((?:!|%21)[^/?]+)/;

export class ServerClient {
  readonly server: ServerInfo;
  readonly context: SessionContext;
  readonly #http: HttpClient;
  readonly accessToken: string | undefined;

  constructor(
    server: ServerInfo,
    context: SessionContext,
    options: { accessToken?: string; api?: "client" | "federation" } = {},
  ) {
    this.accessToken = options.accessToken;
    this.server = server;
    this.context = context;
    this.#http = createClient({
      baseUrl: options.api === "federation" ? server.federationUrl : server.clientUrl,
      accessToken: options.accessToken,
      check: context.check,
      signal: context.signal,
      timeoutMs: 30_000 * context.timeoutScale,
      onExchange: context.onExchange,
    });
  }

  async request(method: string, path: string, options?: RequestOptions): Promise<HttpResponse> {
    const response = await this.#http.request(method, path, options);
    const roomId = ROOM_IN_PATH.exec(path)?.[1] ?? at(response.json, "room_id");
    if (this.accessToken !== undefined && typeof roomId === "string")
      this.context.onRoom(decodeURIComponent(roomId), this);
    return response;
  }
  get(path: string, query?: Query): Promise<HttpResponse> {
    return this.request("GET", path, query === undefined ? {} : { query });
  }
  post(path: string, body: unknown = {}, query?: Query): Promise<HttpResponse> {
    return this.request("POST", path, query === undefined ? { body } : { body, query });
  }
  put(path: string, body: unknown = {}, query?: Query): Promise<HttpResponse> {
    return this.request("PUT", path, query === undefined ? { body } : { body, query });
  }
  delete(path: string, body?: unknown): Promise<HttpResponse> {
    return this.request("DELETE", path, body === undefined ? {} : { body });
  }
}

export interface Account {
  readonly userId: string;
  readonly localpart: string;
  readonly password: string;
}

/**
 * One device of a user. The methods below `request` are for arranging: they expect success and throw CheckFailure
 * otherwise. What is under test is written with `get`, `post`, `put`, `delete` and an assertion.
 */
export class Session extends ServerClient implements Account {
  readonly userId: string;
  readonly localpart: string;
  readonly password: string;
  override readonly accessToken: string;
  readonly deviceId: string;
  /** The application service that the user belongs to; undefined: none. */
  readonly service: ServerClient | undefined;

  constructor(
    server: ServerInfo,
    context: SessionContext,
    account: Account & { accessToken: string; deviceId: string; serviceToken?: string | undefined },
  ) {
    super(server, context, { accessToken: account.accessToken });
    this.userId = account.userId;
    this.localpart = account.localpart;
    this.password = account.password;
    this.accessToken = account.accessToken;
    this.deviceId = account.deviceId;
    context.onDevice?.(this);
    const { serviceToken } = account;
    this.service =
      serviceToken === undefined
        ? undefined
        : new ServerClient(server, context, { accessToken: serviceToken });
  }

  /** POST /createRoom; returns the room id. */
  async createRoom(options: JsonObject = {}): Promise<string> {
    return textAt(ok(await this.post("/_matrix/client/v3/createRoom", options)), "room_id");
  }

  /** POST /join/{roomIdOrAlias}. @param via the session or server whose server knows the room. */
  async join(roomIdOrAlias: string, via?: ServerClient): Promise<string> {
    const query =
      via === undefined ? {} : { via: via.server.serverName, server_name: via.server.serverName };
    const response = await this.post(path`/_matrix/client/v3/join/${roomIdOrAlias}`, {}, query);
    return textAt(ok(response), "room_id");
  }

  /**
   * Joins, and waits until the server has the whole state. It may join before, and when it is put out of the room while it
   * still asks, it gets no answers and knows of nothing more (matrix-org/synapse#13000).
   */
  async joinWhole(roomId: string, via: ServerClient): Promise<void> {
    await this.join(roomId, via);
    expectStatus(await this.get(path`/_matrix/client/v3/rooms/${roomId}/state`), 200);
  }

  async invite(roomId: string, user: Account): Promise<void> {
    ok(await this.post(path`/_matrix/client/v3/rooms/${roomId}/invite`, { user_id: user.userId }));
  }

  async leave(roomId: string): Promise<void> {
    ok(await this.post(path`/_matrix/client/v3/rooms/${roomId}/leave`));
  }

  async kick(roomId: string, user: Account, reason?: string): Promise<void> {
    ok(
      await this.post(path`/_matrix/client/v3/rooms/${roomId}/kick`, {
        user_id: user.userId,
        reason,
      }),
    );
  }

  async ban(roomId: string, user: Account, reason?: string): Promise<void> {
    ok(
      await this.post(path`/_matrix/client/v3/rooms/${roomId}/ban`, {
        user_id: user.userId,
        reason,
      }),
    );
  }

  /** Sends an event, a text as m.room.message; returns the event id. */
  async send(
    roomId: string,
    content: string | JsonObject,
    type = "m.room.message",
  ): Promise<string> {
    const body = typeof content === "string" ? { msgtype: "m.text", body: content } : content;
    const transaction = this.context.nextName("txn");
    const target = path`/_matrix/client/v3/rooms/${roomId}/send/${type}/${transaction}`;
    return textAt(ok(await this.put(target, body)), "event_id");
  }

  /** Sets state; returns the event id. */
  async setState(
    roomId: string,
    type: string,
    content: JsonObject,
    stateKey = "",
  ): Promise<string> {
    const target = path`/_matrix/client/v3/rooms/${roomId}/state/${type}/${stateKey}`;
    return textAt(ok(await this.put(target, content)), "event_id");
  }

  /** Content of a state event; undefined when there is none. */
  async state(roomId: string, type: string, stateKey = ""): Promise<JsonObject | undefined> {
    const response = await this.get(
      path`/_matrix/client/v3/rooms/${roomId}/state/${type}/${stateKey}`,
    );
    return response.status === 404 ? undefined : ok(response);
  }

  /** GET /rooms/{roomId}/event/{eventId}, which has to succeed. */
  async event(roomId: string, eventId: string): Promise<MatrixEvent> {
    const response = await this.get(path`/_matrix/client/v3/rooms/${roomId}/event/${eventId}`);
    return ok(response) as MatrixEvent;
  }

  /** GET /sync with any answer, for what is under test. */
  syncResponse(options: SyncOptions = {}): Promise<HttpResponse> {
    const { since, timeoutMs = 0, filter, query } = options;
    return this.request("GET", "/_matrix/client/v3/sync", {
      query: {
        since,
        timeout: timeoutMs,
        filter: typeof filter === "object" ? JSON.stringify(filter) : filter,
        ...query,
      },
      timeoutMs: (30_000 + timeoutMs) * this.context.timeoutScale,
    });
  }

  /** GET /sync, which has to succeed. */
  async sync(options: SyncOptions = {}): Promise<JsonObject & { readonly next_batch: string }> {
    const body = ok(await this.syncResponse(options));
    return { ...body, next_batch: textAt(body, "next_batch") };
  }

  /** Token of now: what comes later is what a sync with it shows. */
  async syncToken(): Promise<string> {
    const filter = { room: { timeline: { limit: 1 } } };
    return (await this.sync({ filter })).next_batch;
  }

  /**
   * Syncs on from `since` (undefined: initial sync) until `find` returns something.
   *
   * @param what completes "expected …" in the failure when the deadline passes; `instead` tells what came until then.
   * @returns what was found, the token after it, and all the bodies on the way, oldest first.
   */
  async syncUntil<T>(
    since: string | undefined,
    what: string,
    find: (body: JsonObject) => T | undefined,
    options: Omit<SyncOptions, "since" | "timeoutMs"> & {
      deadlineMs?: number;
      instead?: (bodies: readonly JsonObject[]) => string;
    } = {},
  ): Promise<{ found: T; since: string; bodies: readonly JsonObject[] }> {
    const { deadlineMs = SYNC_DEADLINE_MS, instead, ...syncOptions } = options;
    const deadline = awakeMs() + deadlineMs * this.context.timeoutScale;
    const bodies: JsonObject[] = [];
    let token = since;
    for (;;) {
      // Servers take whole milliseconds.
      const remaining = Math.floor(deadline - awakeMs());
      const timeoutMs = token === undefined ? 0 : Math.max(0, Math.min(LONG_POLL_MS, remaining));
      const response = await this.syncResponse({ ...syncOptions, since: token, timeoutMs });
      const body = ok(response);
      bodies.push(body);
      token = textAt(body, "next_batch");
      const found = find(body);
      if (found !== undefined) return { found, since: token, bodies };
      if (remaining <= 0) {
        throw new CheckFailure(
          `${what} in /sync of ${this.userId} within ${deadlineMs * this.context.timeoutScale} ms`,
          instead?.(bodies) ?? `nothing of it in ${bodies.length} answers`,
          response.describe(),
        );
      }
    }
  }

  /** Syncs until the joined room's timeline has this event; returns it with the token after it. */
  syncUntilEvent(
    since: string | undefined,
    roomId: string,
    eventId: string,
    options: Parameters<Session["syncUntil"]>[3] = {},
  ): Promise<{ found: MatrixEvent; since: string; bodies: readonly JsonObject[] }> {
    return this.syncUntil(
      since,
      `event ${eventId}`,
      (body) => timeline(body, roomId).find(({ event_id }) => event_id === eventId),
      options,
    );
  }
}

/** Timeline events of a room in a /sync body. */
export function timeline(
  body: JsonObject,
  roomId: string,
  section: "join" | "leave" = "join",
): readonly MatrixEvent[] {
  return eventsAt(body, "rooms", section, roomId, "timeline", "events");
}

/** State events before the timeline of a room in a /sync body. */
export function stateBefore(
  body: JsonObject,
  roomId: string,
  section: "join" | "leave" = "join",
): readonly MatrixEvent[] {
  return eventsAt(body, "rooms", section, roomId, "state", "events");
}

/** A room's part of a /sync body, undefined when the room is not in that section. */
export function room(
  body: JsonObject,
  section: "join" | "invite" | "knock" | "leave",
  roomId: string,
): JsonObject | undefined {
  return at(body, "rooms", section, roomId) as JsonObject | undefined;
}
