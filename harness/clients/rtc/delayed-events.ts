/**
 * Delayed events (MSC4140) in the forms that servers speak: the endpoint of the merged text, under its stable or its unstable
 * paths, and the query parameter of older revisions on the ordinary endpoints, which is deployed.
 */
import { type HttpResponse, path, type Query } from "#harness/http/client";
import { type JsonObject, textAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import type { ServerClient } from "#harness/world/session";

/** In the unstable features of servers with the unstable paths, with `.stable` behind it for the stable ones. */
export const DELAYED_EVENTS_FLAG = "org.matrix.msc4140";
/** Of the older form, on `send` and `state`. */
const DELAY_PARAMETER = "org.matrix.msc4140.delay";
const STICKY_PARAMETER = "org.matrix.msc4354.sticky_duration_ms";
const UNSTABLE_BASE = "/_matrix/client/unstable/org.matrix.msc4140";

export interface DelayedEvent {
  readonly type: string;
  readonly content: JsonObject;
  /** A number of milliseconds; anything else is for what is to be refused, and undefined leaves it out. */
  readonly delayMs: unknown;
  /** It is a state event then. */
  readonly stateKey?: string;
  /** A fresh one unless given. The older form has none for state. */
  readonly transaction?: string;
  /** Of MSC4354; the older form has none for state. */
  readonly stickyMs?: number;
  /** What application services may say besides: `user_id`, `ts`. */
  readonly query?: Query;
}

/** A PUT. */
export interface Call {
  readonly path: string;
  readonly query: Query;
  readonly body: JsonObject;
}

export interface Form {
  /** Completes "by". */
  readonly name: string;
  /** Of delayed events that are there. */
  readonly events: string;
  encode(roomId: string, event: DelayedEvent, transaction: string): Call;
}

/** Its endpoint is the one that MSC4140 has had since the query parameter went. */
interface DedicatedForm extends Form {
  /** Of a deployment that offers it. */
  readonly feature: string;
}

function dedicated(rooms: string): Form["encode"] {
  return (roomId, { type, content, delayMs, stateKey, stickyMs, query }, transaction) => ({
    path: rooms + path`/${roomId}/delayed_event/${type}/${transaction}`,
    query: { [STICKY_PARAMETER]: stickyMs, ...query },
    // What is undefined is not in the JSON.
    body: { delay_ms: delayMs, state_key: stateKey, content },
  });
}

export const STABLE: DedicatedForm = {
  name: "the stable endpoint",
  feature: "delayed-events:stable",
  events: "/_matrix/client/v1/delayed_events",
  encode: dedicated("/_matrix/client/v3/rooms"),
};

export const UNSTABLE: DedicatedForm = {
  name: "the unstable endpoint",
  feature: "delayed-events:unstable",
  events: `${UNSTABLE_BASE}/delayed_events`,
  encode: dedicated(`${UNSTABLE_BASE}/rooms`),
};

/** For servers that offer nothing newer. */
export const OLDER: Form = {
  name: "the query parameter of older revisions",
  events: `${UNSTABLE_BASE}/delayed_events`,
  encode: (roomId, { type, content, delayMs, stateKey, stickyMs, query }, transaction) => ({
    path:
      stateKey === undefined
        ? path`/_matrix/client/v3/rooms/${roomId}/send/${type}/${transaction}`
        : path`/_matrix/client/v3/rooms/${roomId}/state/${type}/${stateKey}`,
    query: {
      [DELAY_PARAMETER]: delayMs === undefined ? undefined : String(delayMs),
      [STICKY_PARAMETER]: stickyMs,
      ...query,
    },
    body: content,
  }),
};

/** The newest first. */
export const DEDICATED_FORMS: readonly DedicatedForm[] = [STABLE, UNSTABLE];

export type Action = "restart" | "send" | "cancel";

export class DelayedEvents {
  readonly form: Form;

  constructor(form: Form) {
    this.form = form;
  }

  /** Any answer, for what is under test. */
  schedule(client: ServerClient, roomId: string, event: DelayedEvent): Promise<HttpResponse> {
    const transaction = event.transaction ?? client.context.nextName("txn");
    const call = this.form.encode(roomId, event, transaction);
    return client.put(call.path, call.body, call.query);
  }

  /** Has to succeed; returns the delay id. */
  async scheduled(client: ServerClient, roomId: string, event: DelayedEvent): Promise<string> {
    return textAt(ok(await this.schedule(client, roomId, event)), "delay_id");
  }

  /** @param action also one that there is not */
  act(client: ServerClient, delayId: string, action: Action | string): Promise<HttpResponse> {
    return client.post(this.form.events + path`/${delayId}/${action}`);
  }

  lookUp(client: ServerClient, delayId: string): Promise<HttpResponse> {
    return client.get(this.form.events + path`/${delayId}`);
  }
}
