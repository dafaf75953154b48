/** One connection of simplified sliding sync (MSC4186 §Connections): requests, the position, and what a client would show. */
import { awakeMs } from "#harness/awake";
import { CheckFailure } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { ok } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { CallOptions, Dialect } from "./dialect.ts";
import { type Violation, violationsIn } from "./invariants.ts";
import { NoAnswer, sendPatiently } from "./patience.ts";
import type { SlidingRequest } from "./request.ts";
import {
  parseResponse,
  ResponseFormatError,
  type RoomResult,
  type SlidingResponse,
} from "./response.ts";
import { View } from "./view.ts";

export interface SyncOptions {
  /** Milliseconds to wait for news; 0 unless given. */
  readonly timeoutMs?: number;
}

/** An answer that was processed, with the exchange for messages. */
export interface Synced extends SlidingResponse {
  readonly http: HttpResponse;
}

/** A request under way. */
export interface InFlight {
  /** Its answer, unprocessed; undefined once it was cancelled. */
  readonly answer: Promise<HttpResponse | undefined>;
  /** Closes the HTTP connection, as a client has to do before its next request (MSC4186 §Connections). */
  readonly cancel: () => void;
}

export interface ConnectionOptions {
  readonly connId?: string;
  /** Called for each rule that an answer breaks, with the exchange; may throw. */
  readonly onViolation: (violation: Violation, http: HttpResponse) => void;
}

const WAIT_MS = 10_000;
const POLL_MS = 2_000;
/** Empty answers in a row after which nothing more is on its way. */
const QUIET = 2;
const MAX_DRAIN = 50;

export class SlidingConnection {
  readonly session: Session;
  readonly dialect: Dialect;
  readonly connId: string | undefined;
  readonly #options: ConnectionOptions;
  /** Position of the last answer that was processed; undefined before the first. */
  pos: string | undefined;
  /** What the client shows. */
  view = new View();
  #previous: SlidingRequest | undefined;

  constructor(session: Session, dialect: Dialect, options: ConnectionOptions) {
    this.session = session;
    this.dialect = dialect;
    this.connId = options.connId;
    this.#options = options;
  }

  /**
   * A request with any answer, for what is under test: nothing is processed.
   *
   * @throws NoAnswer when none comes from a server that is alive
   */
  send(
    request: SlidingRequest,
    options: CallOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<HttpResponse> {
    const { timeoutMs = 0, signal } = options;
    const call = this.dialect.encode(request, { connId: this.connId, pos: this.pos, ...options });
    return sendPatiently(this.session, call, timeoutMs, signal);
  }

  /** Sends a request and does not wait for its answer. */
  start(request: SlidingRequest, options: CallOptions = {}): InFlight {
    const cancelled = new AbortController();
    const answer = this.send(request, { ...options, signal: cancelled.signal }).catch((error) => {
      if (cancelled.signal.aborted) return undefined;
      throw error;
    });
    // A check that fails before it awaits the answer leaves nobody to hear of what comes of it.
    answer.catch(() => undefined);
    return { answer, cancel: () => cancelled.abort() };
  }

  /** A request that has to succeed; its answer is processed. */
  async sync(request: SlidingRequest, { timeoutMs = 0 }: SyncOptions = {}): Promise<Synced> {
    return this.process(request, await this.send(request, { timeoutMs }));
  }

  /** Starts the connection anew, without a position. */
  async initial(request: SlidingRequest): Promise<Synced> {
    this.pos = undefined;
    this.view = new View();
    this.#previous = undefined;
    return await this.sync(request);
  }

  /** A request that succeeds at the server and whose answer the client never gets. */
  async lose(request: SlidingRequest, options: SyncOptions = {}): Promise<SlidingResponse> {
    return this.#parse(await this.send(request, { timeoutMs: 0, ...options }));
  }

  /** Takes an answer to a request of this connection: moves the position and the view on. */
  process(request: SlidingRequest, http: HttpResponse): Synced {
    const response = this.#parse(http);
    const after = this.view.with(response);
    const violations = violationsIn({
      userId: this.session.userId,
      request,
      previous: this.#previous,
      isInitial: this.pos === undefined,
      before: this.view,
      response,
      after,
    });
    this.view = after;
    this.pos = response.pos;
    this.#previous = request;
    for (const violation of violations) this.#options.onViolation(violation, http);
    return { ...response, http };
  }

  /**
   * Goes on until an answer has what is looked for.
   *
   * @param what completes "expected …"
   * @throws CheckFailure at the deadline, or when an answer does not come
   */
  async until<T>(
    request: SlidingRequest,
    what: string,
    find: (synced: Synced) => T | undefined,
    { deadlineMs = WAIT_MS }: { deadlineMs?: number } = {},
  ): Promise<T> {
    const scaledMs = deadlineMs * this.session.context.timeoutScale;
    const deadline = awakeMs() + scaledMs;
    for (let answers = 1; ; answers++) {
      // Servers take whole milliseconds.
      const remaining = Math.floor(deadline - awakeMs());
      const timeoutMs = Math.max(0, Math.min(POLL_MS, remaining));
      const synced = await this.sync(request, { timeoutMs }).catch((error) => {
        throw error instanceof NoAnswer ? error.awaiting(`${what} within ${scaledMs} ms`) : error;
      });
      const found = find(synced);
      if (found !== undefined) return found;
      if (remaining <= 0) {
        throw new CheckFailure(
          `${what} within ${scaledMs} ms`,
          `nothing of it in ${answers} answers`,
          synced.http.describe(),
        );
      }
    }
  }

  /** Goes on until the room's result has this event in its timeline; returns that result. */
  untilEvent(request: SlidingRequest, roomId: string, eventId: string): Promise<RoomResult> {
    return this.until(request, `event ${eventId} in ${roomId}`, ({ rooms }) => {
      const result = rooms[roomId];
      const has = result?.timeline?.some(({ event_id }) => event_id === eventId);
      return has === true ? result : undefined;
    });
  }

  /** Goes on at once until nothing more comes. Returns the last answer. */
  async drain(request: SlidingRequest): Promise<Synced> {
    let quiet = 0;
    for (let count = 0; count < MAX_DRAIN; count++) {
      const synced = await this.sync(request);
      quiet = Object.keys(synced.rooms).length === 0 ? quiet + 1 : 0;
      if (quiet === QUIET) return synced;
    }
    throw new CheckFailure(
      `an answer without rooms when nothing happens`,
      `rooms in each of ${MAX_DRAIN} answers`,
    );
  }

  #parse(http: HttpResponse): SlidingResponse {
    if (http.status >= 500) {
      const expected = "no server error";
      const actual = `${http.status} ${http.text.slice(0, 200)}`;
      this.#options.onViolation({ requirement: "MSC4186.robust.no-5xx", expected, actual }, http);
    }
    const body = ok(http);
    try {
      return parseResponse(this.dialect, body);
    } catch (error) {
      if (!(error instanceof ResponseFormatError)) throw error;
      const expected = "an answer with the types of the text";
      const violation = { expected, actual: error.message };
      this.#options.onViolation({ requirement: "MSC4186.resp.schema", ...violation }, http);
      // Nothing can be made of it.
      throw new CheckFailure(expected, error.message, http.describe());
    }
  }
}
