/** The half of a peer that listens: requests of other servers, what answers them, and what came with them. */
import { type Dispatcher, ProxyAgent } from "undici";
import { createClient, type HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import type { PeerLink } from "#harness/world/control";
import type { JsonObject, JsonValue } from "#protocol/events/event";
import { hasValidHash } from "#protocol/events/hashes";
import { redact } from "#protocol/events/redact";
import { requiredSigners, type SignatureProblem, verifyEvent } from "#protocol/events/signatures";
import { type Answer, answer, refusal } from "./answer.ts";
import { type Edu, FederationClient } from "./client.ts";
import { addDefaults } from "./defaults.ts";
import { versionOf } from "./found.ts";
import { addHosting } from "./hosting.ts";
import { Inbox, type WaitOptions } from "./inbox.ts";
import { readRequest } from "./incoming.ts";
import { PeerKeys } from "./keys.ts";
import { type ListenAt, Listener, type RawRequest } from "./listener.ts";
import { type Pdu, sign } from "./pdu.ts";
import { RemoteKeys } from "./remote-keys.ts";
import { type PeerRoom, pduOf, type RoomEntry } from "./room.ts";
import { type Handler, type HandlerHandle, isOfRoute, type PeerRequest, Routes } from "./routes.ts";
import { Unexpected } from "./unexpected.ts";

/** How requests go out where no gateway is. */
export interface PeerAgent {
  readonly agent: Dispatcher;
}

/** What a peer needs of the world that it is in. */
export interface PeerContext {
  /** Host part of the server name. */
  readonly name: string;
  /** The server name has no port then, and a well-known file tells servers to ask this one instead. */
  readonly delegate?: { readonly name: string; readonly port: number } | undefined;
  readonly signal: AbortSignal;
  readonly timeoutScale: number;
  readonly nextName: (prefix: string) => string;
  readonly onExchange: (response: HttpResponse) => void;
  /** Server name of the first server of the topology. */
  readonly homeserver: string;
  /** Gives a name to what listens on this port; returns how it reaches others: by the gateway, or by itself. */
  readonly link: (name: string, port: number) => Promise<PeerLink | PeerAgent>;
  readonly unlink: (name: string) => Promise<void>;
  /** Where it listens; a free port on loopback unless given. */
  readonly listen?: ListenAt;
}

/** A PDU that came in a transaction. */
export interface ReceivedPdu {
  readonly pdu: Pdu;
  readonly room: PeerRoom;
  /** Who sent it. */
  readonly origin: string;
  /** Why the peer dropped or rejected it. */
  readonly problem: string | undefined;
}

export interface ReceivedEdu extends Edu {
  readonly origin: string;
}

export interface ReceivedInvite {
  readonly roomId: string;
  readonly pdu: Pdu;
  /** Body of the request. */
  readonly body: JsonObject;
}

/** With an explicit port nobody looks for a well-known file or SRV records. */
const PORT = 8448;
const REQUEST_TIMEOUT_MS = 30_000;

export class PeerServer implements AsyncDisposable {
  /** As in user ids: `host:port`, or the host alone when it delegates. */
  readonly serverName: string;
  /** Where its well-known file sends servers; undefined when it has none. */
  readonly delegate: string | undefined;
  readonly keys: PeerKeys;
  /** Rooms that it knows, by id. */
  readonly rooms = new Map<string, PeerRoom>();
  readonly requests: Inbox<PeerRequest>;
  readonly pdus: Inbox<ReceivedPdu>;
  readonly edus: Inbox<ReceivedEdu>;
  readonly invites: Inbox<ReceivedInvite>;
  /** Rooms of which a join is on its way: what comes of them meanwhile waits for it. */
  protected readonly joining = new Map<string, Promise<unknown>>();
  protected readonly context: PeerContext;
  readonly #routes = new Routes();
  readonly #remoteKeys: RemoteKeys;
  readonly #unexpected = new Unexpected();
  readonly #served = new Set<string>();
  readonly #sharing: Promise<unknown>[] = [];
  /** The transaction that was last sent to each server. */
  readonly #sent = new Map<string, Promise<unknown>>();
  #listener: Listener | undefined;
  #agent: Dispatcher | undefined;
  #isHosting = false;

  protected constructor(context: PeerContext) {
    const { name, delegate, signal, timeoutScale, nextName } = context;
    this.context = context;
    this.serverName = delegate === undefined ? `${name}:${PORT}` : name;
    this.delegate = delegate && `${delegate.name}:${delegate.port}`;
    this.keys = new PeerKeys(this.serverName, nextName("key"));
    this.#remoteKeys = new RemoteKeys((serverName) => this.client(serverName).keys());
    const settings = { signal, timeoutScale };
    this.requests = new Inbox({ plural: "requests", ...settings }, (request) => nameOf(request));
    this.pdus = new Inbox({ plural: "PDUs", ...settings }, ({ pdu }) => String(pdu.json.type));
    this.edus = new Inbox({ plural: "EDUs", ...settings }, (edu) => edu.edu_type);
    this.invites = new Inbox({ plural: "invites", ...settings }, ({ roomId }) => roomId);
    addDefaults(this.#routes, this.keys);
    this.on("PUT /_matrix/federation/v1/send/{txnId}", (request) => this.#receive(request));
    if (this.delegate !== undefined) {
      const file = { "m.server": this.delegate };
      this.on("GET /.well-known/matrix/server", () => answer(file));
    }
  }

  protected async open(): Promise<void> {
    const { name, delegate, link, listen } = this.context;
    this.#listener = await Listener.open((request) => this.#answer(request), listen);
    const way = await link(name, this.#listener.port);
    if (delegate !== undefined) await link(delegate.name, this.#listener.port);
    this.#agent =
      "agent" in way
        ? way.agent
        : new ProxyAgent({
            uri: `http://127.0.0.1:${way.proxyPort}`,
            requestTls: { ca: way.ca, allowH2: false },
          });
  }

  /** The peer as a client of a server, the first of the topology unless given. Names of servers may look like roles. */
  client(serverName = this.context.homeserver): FederationClient {
    const { signal, timeoutScale, onExchange, nextName } = this.context;
    const http = createClient({
      baseUrl: `https://${serverName}`,
      signal,
      timeoutMs: REQUEST_TIMEOUT_MS * timeoutScale,
      onExchange,
      ...(this.#agent === undefined ? {} : { dispatcher: this.#agent }),
    });
    return new FederationClient(serverName, this.keys, http, nextName);
  }

  /**
   * Answers requests of a route, ahead of what answered them before, which `next` calls.
   *
   * @param route method and path as in the specification: `GET /_matrix/federation/v1/event/{eventId}`
   */
  on(route: string, handler: Handler): HandlerHandle {
    return this.#routes.add(route, handler);
  }

  /**
   * Hosts rooms: others can join, knock and leave through this peer, and ask it for events, states and auth chains.
   */
  serve(...rooms: readonly PeerRoom[]): void {
    for (const room of rooms) {
      this.rooms.set(room.roomId, room);
      this.#served.add(room.roomId);
    }
    if (this.#isHosting) return;
    this.#isHosting = true;
    const served = (roomId: string) =>
      this.#served.has(roomId) ? this.rooms.get(roomId) : undefined;
    addHosting(this.#routes, {
      signer: this.keys,
      room: served,
      rooms: () => [...this.#served].flatMap((roomId) => served(roomId) ?? []),
      admit: (room, json) => this.admit(room, json),
      share: (room, pdu, except) => this.#share(room, pdu, except),
    });
  }

  /** Signs invites for its users, see `invites`. */
  acceptInvites(): HandlerHandle {
    return this.on("PUT /_matrix/federation/v2/invite/{roomId}/{eventId}", (request, route) => {
      const event = at(request.json, "event");
      if (!isObject(event)) return refusal(400, "M_BAD_JSON");
      const version = versionOf(String(at(request.json, "room_version")));
      const json = event as JsonObject;
      this.invites.add({
        roomId: route.parameter("roomId"),
        pdu: pduOf(json, version),
        body: request.json as JsonObject,
      });
      return answer({ event: sign(json, version, this.keys) });
    });
  }

  /** Why an event's signatures do not count; undefined when they do. Keys are asked for where they are not known. */
  async signatureProblem(room: PeerRoom, json: JsonObject): Promise<SignatureProblem | undefined> {
    const signers = [...requiredSigners(json, room.version)].filter((name) => name !== undefined);
    const lookUp = await this.#remoteKeys.lookUp(signers);
    return verifyEvent(json, room.version, lookUp, Date.now());
  }

  /**
   * Takes an event of another server into a room after the checks on receipt of a PDU: signatures, hash (redacted when it
   * is wrong), rules. Returns the reason when it is not taken.
   */
  async admit(room: PeerRoom, json: JsonObject): Promise<RoomEntry | string> {
    const problem = await this.signatureProblem(room, json);
    if (problem !== undefined) return problem.why;
    try {
      const entry = room.add(hasValidHash(json) ? json : redact(json, room.version));
      return entry.rejection?.why ?? entry;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** The first request of a route, come or to come, that fits. */
  waitForRequest(
    route: string,
    fits: (request: PeerRequest) => boolean = () => true,
    options: WaitOptions = {},
  ): Promise<PeerRequest> {
    return this.requests.wait(
      `a request ${route}`,
      (request) => isOfRoute(request, route) && fits(request),
      options,
    );
  }

  /** The first PDU of a room, come or to come, that fits; whether or not the peer took it. */
  waitForPdu(
    room: PeerRoom,
    what: string,
    fits: (pdu: Pdu) => boolean,
    options: WaitOptions = {},
  ): Promise<ReceivedPdu> {
    return this.pdus.wait(
      `${what} in a transaction`,
      (received) => received.room === room && fits(received.pdu),
      options,
    );
  }

  waitForEdu(
    type: string,
    fits: (edu: ReceivedEdu) => boolean = () => true,
    options: WaitOptions = {},
  ): Promise<ReceivedEdu> {
    return this.edus.wait(`an EDU ${type}`, (edu) => edu.edu_type === type && fits(edu), options);
  }

  /** What servers did that the check did not foresee, one line each. */
  get unexpected(): readonly string[] {
    return this.#unexpected.lines;
  }

  /** @throws CheckFailure, HarnessError UNEXPECTED_REQUEST: see `unexpected`. */
  verify(): void {
    this.#unexpected.verify(this.serverName);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#sharing);
    await this.#agent?.destroy();
    const { name, delegate, unlink } = this.context;
    await unlink(name);
    if (delegate !== undefined) await unlink(delegate.name);
    await this.#listener?.[Symbol.asyncDispose]();
  }

  async #answer(raw: RawRequest): Promise<Answer> {
    const request = await readRequest(raw, this.#remoteKeys, this.serverName);
    this.requests.add(request);
    if (request.authProblem !== undefined) {
      this.#unexpected.addBreach(
        "requests to a peer with a valid X-Matrix authorization",
        request.authProblem,
        request,
      );
      return refusal(401, "M_UNAUTHORIZED", request.authProblem);
    }
    const reply = await this.#routes.answer(request);
    if (reply !== undefined) return reply;
    this.#unexpected.addRequest(request);
    return refusal(404, "M_UNRECOGNIZED", "the check does not serve this");
  }

  async #receive(request: PeerRequest): Promise<Answer> {
    const origin = request.authorization?.origin ?? "";
    const results: Record<string, JsonValue> = {};
    for (const json of objectsAt(request.json, "pdus")) {
      const roomId = String(json.room_id);
      await this.joining.get(roomId);
      const room = this.rooms.get(roomId);
      if (room === undefined) {
        // A rescinded invite goes to the server that was invited.
        const isInvited = this.invites.items.some((invite) => invite.roomId === roomId);
        if (!isInvited) this.#unexpected.addRequest(request);
        continue;
      }
      const admitted = await this.admit(room, json);
      const problem = typeof admitted === "string" ? admitted : undefined;
      const pdu = typeof admitted === "string" ? pduOf(json, room.version) : admitted.pdu;
      results[pdu.id] = problem === undefined ? {} : { error: problem };
      this.pdus.add({ pdu, room, origin, problem });
    }
    for (const { edu_type, content } of objectsAt(request.json, "edus")) {
      if (typeof edu_type === "string" && isObject(content))
        this.edus.add({ edu_type, content: content as JsonObject, origin });
    }
    return answer({ pdus: results });
  }

  #share(room: PeerRoom, pdu: Pdu, except: string): void {
    for (const server of room.joinedServers()) {
      if (server === this.serverName || server === except) continue;
      // Whether others hear of it is not what a check about this server asks.
      this.#sharing.push(this.deliver(server, [pdu]));
    }
  }

  /** In a transaction, after those before it to this server: there is one at a time (server-server API §Transactions). */
  protected deliver(server: string, pdus: readonly Pdu[]): Promise<HttpResponse> {
    const send = () => this.client(server).send(pdus);
    const sent = (this.#sent.get(server) ?? Promise.resolve()).then(send, send);
    this.#sent.set(server, sent);
    return sent;
  }
}

function nameOf({ method, uri }: PeerRequest): string {
  return `${method} ${uri}`;
}

function objectsAt(value: unknown, key: string): readonly JsonObject[] {
  const list = at(value, key);
  return Array.isArray(list) ? list.filter((item): item is JsonObject => isObject(item)) : [];
}
