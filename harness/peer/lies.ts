/** Handlers that answer wrongly, for `peer.on`: each is wrapped around the truth, which `next` tells, and around others. */
import { setTimeout as sleep } from "node:timers/promises";
import { isObject } from "#harness/match/json";
import type { JsonObject } from "#protocol/events/event";
import { eventId } from "#protocol/events/hashes";
import { type Answer, refusal } from "./answer.ts";
import type { PeerRoom } from "./room.ts";
import type { Handler, PeerRequest } from "./routes.ts";

/** The body of the true answer, changed. */
export function changed(change: (body: JsonObject) => unknown): Handler {
  return async (_, { next }) => {
    const truth = await next();
    const body = truth?.json;
    return truth !== undefined && isObject(body)
      ? { ...truth, json: change(body as JsonObject) }
      : truth;
  };
}

const LISTS_OF_EVENTS = ["state", "auth_chain", "events", "pdus"];
const LISTS_OF_IDS = ["pdu_ids", "auth_chain_ids"];

/** True answers about a room without these events. What asks for one of them by its id is told that there is none. */
export function withheld({ version }: PeerRoom, ...eventIds: readonly string[]): Handler {
  const isShown = (event: JsonObject) => !eventIds.includes(eventId(event, version));
  const hide = changed((body) => {
    const shown: Record<string, unknown> = { ...body };
    for (const key of LISTS_OF_EVENTS) {
      const list = body[key];
      if (Array.isArray(list)) shown[key] = list.filter((event) => isShown(event as JsonObject));
    }
    for (const key of LISTS_OF_IDS) {
      const list = body[key];
      if (Array.isArray(list)) shown[key] = list.filter((id) => !eventIds.includes(String(id)));
    }
    return shown;
  });
  return (request, context) =>
    eventIds.includes(decodeURIComponent(request.path.split("/").at(-1) ?? ""))
      ? refusal(404, "M_NOT_FOUND")
      : hide(request, context);
}

export function refused(status: number, errcode: string): Handler {
  return () => refusal(status, errcode);
}

/** A page of a proxy instead of an answer. */
export function html(status = 200): Handler {
  const raw = "<!doctype html><title>Bad Gateway</title><h1>Bad Gateway</h1>";
  return () => ({ status, raw, headers: { "content-type": "text/html" } });
}

const CHUNK = Buffer.alloc(64 * 1024, "x");

/** JSON of at least so many bytes: the true body is not in it. */
export function huge(bytes: number): Handler {
  return () => ({ status: 200, raw: hugeJson(bytes) });
}

function* hugeJson(bytes: number): Generator<Uint8Array> {
  yield Buffer.from('{"padding":"');
  for (let sent = 0; sent < bytes; sent += CHUNK.length) yield CHUNK;
  yield Buffer.from('"}');
}

/** The first half of the true body, then the end of the connection. */
export function truncated(): Handler {
  return async (_, { next }) => {
    const truth = await next();
    if (truth === undefined) return undefined;
    const raw = JSON.stringify(truth.json ?? {});
    return { ...truth, raw, cutAfter: Buffer.byteLength(raw) >> 1 };
  };
}

/** The truth, later. */
export function late(ms: number): Handler {
  return async (_, { next }) => {
    await sleep(ms);
    return await next();
  };
}

export interface Held {
  readonly handler: Handler;
  /** Lets go what is held, and all that comes later. */
  readonly release: () => void;
}

/** The truth, once it is released; never before. */
export function held(): Held {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    handler: async (_, { next }) => {
      await promise;
      return await next();
    },
    release: resolve,
  };
}

/** A lie for the first requests of the route only. */
export function times(count: number, lie: Handler): Handler {
  let left = count;
  return (request, context) => (left-- > 0 ? lie(request, context) : context.next());
}

/** A lie for some requests of the route only. */
export function when(fits: (request: PeerRequest) => boolean, lie: Handler): Handler {
  return (request, context) => (fits(request) ? lie(request, context) : context.next());
}

/** One lie around another: the outer one gets what the inner one says for the truth. */
export function around(outer: Handler, inner: Handler): Handler {
  return (request, context) =>
    outer(request, {
      ...context,
      next: async (): Promise<Answer | undefined> => inner(request, context),
    });
}
