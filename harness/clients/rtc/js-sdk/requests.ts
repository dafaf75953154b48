/** Requests of a client in calls, read as what they do. */
import { isObject } from "#harness/match/json";
import type { Request } from "./happening.ts";

const DELAY = "org.matrix.msc4140.delay";
const STICKY = "org.matrix.msc4354.sticky_duration_ms";
const EVENT = /^\/_matrix\/client\/v\d+\/rooms\/([^/]+)\/(send|state)\/([^/]+)(?:\/([^/]*))?$/;
const ACTION = /\/delayed_events\/([^/]+)\/([a-z]+)$/;
const MAIL = /\/sendToDevice\/([^/]+)\/[^/]+$/;

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly body: unknown;
  /** 0: no answer came. */
  readonly status: number;
  readonly answer: unknown;
}

/** What an exchange has done; undefined: nothing that has to do with calls. */
export function requestOf({ method, url, body, status, answer }: Exchange): Request | undefined {
  const event = EVENT.exec(url.pathname);
  if (method === "PUT" && event !== null) {
    const [, roomId = "", endpoint, type = "", key = ""] = event;
    return {
      what: "sent",
      roomId: decodeURIComponent(roomId),
      type: decodeURIComponent(type),
      ...(endpoint === "state" ? { stateKey: decodeURIComponent(key) } : {}),
      content: body,
      ...number("delayMs", url.searchParams.get(DELAY)),
      ...number("stickyMs", url.searchParams.get(STICKY)),
      status,
      ...text("eventId", answer, "event_id"),
      ...text("delayId", answer, "delay_id"),
    };
  }
  const action = ACTION.exec(url.pathname);
  if (action !== null) {
    const [, delayId = "", name = ""] = action;
    return { what: "acted", delayId: decodeURIComponent(delayId), action: name, status };
  }
  const mail = MAIL.exec(url.pathname);
  if (mail !== null) {
    const messages = isObject(body) && isObject(body.messages) ? body.messages : {};
    const to = Object.entries(messages).flatMap(([userId, devices]) =>
      Object.keys(isObject(devices) ? devices : {}).map((deviceId) => ({ userId, deviceId })),
    );
    return { what: "mailed", type: decodeURIComponent(mail[1] ?? ""), to, status };
  }
  return undefined;
}

function number<Name extends string>(name: Name, given: string | null) {
  return (given === null ? {} : { [name]: Number(given) }) as { readonly [key in Name]?: number };
}

function text<Name extends string>(name: Name, body: unknown, key: string) {
  const found = isObject(body) ? body[key] : undefined;
  return (typeof found === "string" ? { [name]: found } : {}) as {
    readonly [key in Name]?: string;
  };
}
