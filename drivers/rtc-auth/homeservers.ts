/** Homeservers as the service asks them: its own as an application service, and any for whose OpenID token it was shown. */
import { readFileSync } from "node:fs";
import { Agent, type Dispatcher, ProxyAgent, request } from "undici";
import { Refusal } from "./http.ts";
import type { ServiceSettings } from "./settings.ts";

const TIMEOUT_MS = 10_000;
const DELAYED = "_matrix/client/unstable/org.matrix.msc4140/delayed_events";

export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export interface DelayedEvent {
  readonly roomId: string;
  readonly delayMs: number;
}

export class Homeservers {
  readonly #settings: ServiceSettings;
  readonly #others: Dispatcher;

  constructor(settings: ServiceSettings) {
    this.#settings = settings;
    const { proxy } = settings;
    this.#others =
      proxy === undefined
        ? new Agent()
        : new ProxyAgent({
            uri: proxy.url,
            requestTls: { ca: readFileSync(proxy.caFile, "utf8") },
          });
  }

  /**
   * Whose OpenID token that is, as the server of that name says (server-server API §OpenID).
   *
   * @throws Refusal when it says nothing of use
   */
  async subjectOf(token: string, serverName: string): Promise<string> {
    const own = serverName === this.#settings.serverName;
    const base = own ? this.#settings.federation : await this.#federationBase(serverName);
    const url = new URL("_matrix/federation/v1/openid/userinfo", base);
    url.searchParams.set("access_token", token);
    const asked = this.#ask("GET", url, own ? {} : { dispatcher: this.#others });
    const answer = await asked.catch(() => undefined);
    const { sub } = (answer?.json ?? {}) as { sub?: unknown };
    if (answer?.status === 200 && typeof sub === "string") return sub;
    throw new Refusal(401, "M_UNAUTHORIZED", "the OpenID token is not good");
  }

  /** Whether the user is in the room (MSC4502). */
  async isJoined(userId: string, roomId: string): Promise<boolean> {
    return (await this.#joined(userId, roomId)) === true;
  }

  /** Whether the user is known to be in the room no more; not when there is no answer. */
  async hasLeft(userId: string, roomId: string): Promise<boolean> {
    return (await this.#joined(userId, roomId).catch(() => undefined)) === false;
  }

  async #joined(userId: string, roomId: string): Promise<unknown> {
    const room = encodeURIComponent(roomId);
    const { status, json } = await this.#askOwn(
      "GET",
      `_matrix/client/unstable/io.element.msc4502/rooms/${room}/is_joined`,
      { mxid: userId },
    );
    return status === 200 ? (json as { joined?: unknown } | undefined)?.joined : undefined;
  }

  /** Asks another server by the federation API, through the own one (MSC4512); undefined: there was no answer. */
  async askServer(destination: string, path: string, body: unknown): Promise<Answer | undefined> {
    const { status, json } = await this.#askOwn(
      "POST",
      "_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy",
      {},
      { destination, method: "POST", path, body },
    );
    if (status !== 200) return undefined;
    const { status: theirs, content } = (json ?? {}) as { status?: unknown; content?: unknown };
    return typeof theirs === "number" ? { status: theirs, json: content } : undefined;
  }

  /** A delayed event of this user; undefined: there is none of that id (MSC4140). */
  async delayedEvent(userId: string, delayId: string): Promise<DelayedEvent | undefined> {
    const { json } = await this.#askOwn("GET", DELAYED, { user_id: userId });
    const listed = (json as { delayed_events?: unknown } | undefined)?.delayed_events;
    const event = (Array.isArray(listed) ? listed : []).find(
      (one) => (one as { delay_id?: unknown } | null)?.delay_id === delayId,
    ) as { room_id?: unknown; delay_ms?: unknown; delay?: unknown } | undefined;
    const delayMs = event?.delay_ms ?? event?.delay;
    if (typeof event?.room_id !== "string" || typeof delayMs !== "number") return undefined;
    return { roomId: event.room_id, delayMs };
  }

  /** Status of the answer; undefined: there was none. */
  async manage(
    userId: string,
    delayId: string,
    action: "restart" | "send",
  ): Promise<number | undefined> {
    const path = `${DELAYED}/${encodeURIComponent(delayId)}/${action}`;
    const isOwn = this.#settings.registration !== undefined;
    try {
      return (await this.#askOwn("POST", path, isOwn ? { user_id: userId } : {}, {})).status;
    } catch {
      return undefined;
    }
  }

  async #askOwn(
    method: "GET" | "POST",
    path: string,
    query: Readonly<Record<string, string>>,
    body?: unknown,
  ): Promise<Answer> {
    const { homeserver, registration } = this.#settings;
    const url = new URL(path, homeserver);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return await this.#ask(method, url, {
      ...(registration === undefined
        ? {}
        : { headers: { authorization: `Bearer ${registration.asToken}` } }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** @throws Refusal when there is no answer: what went wrong is for the log alone */
  async #ask(
    method: "GET" | "POST",
    url: URL,
    options: { dispatcher?: Dispatcher; headers?: Record<string, string>; body?: string },
  ): Promise<Answer> {
    try {
      const { statusCode, body } = await request(url, {
        ...options,
        method,
        headers: { ...options.headers, "content-type": "application/json" },
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      });
      const text = await body.text();
      return { status: statusCode, json: parsed(text) };
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      console.error(`no answer of ${url.origin}${url.pathname}: ${why}`);
      throw new Refusal(500, "M_UNKNOWN", "a homeserver gave no answer");
    }
  }

  /** Where a server answers others (server-server API §Resolving server names, without SRV records). */
  async #federationBase(serverName: string): Promise<string> {
    if (!/^[\w.:[\]-]+$/.test(serverName))
      throw new Refusal(401, "M_UNAUTHORIZED", "the OpenID token is not good");
    if (/:\d+$/.test(serverName)) return `https://${serverName}/`;
    const wellKnown = new URL(`https://${serverName}/.well-known/matrix/server`);
    const found = await this.#ask("GET", wellKnown, { dispatcher: this.#others }).catch(
      () => undefined,
    );
    const named = (found?.json as { "m.server"?: unknown } | undefined)?.["m.server"];
    const name = typeof named === "string" && /^[\w.:[\]-]+$/.test(named) ? named : serverName;
    return `https://${/:\d+$/.test(name) ? name : `${name}:8448`}/`;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
