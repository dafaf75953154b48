/**
 * The gateway: the only way between clients and servers, and between servers. It gives names, ends TLS with the run's
 * certificates, records every exchange, and applies rules.
 *
 * Each server has a listener for clients, one for federation requests of the harness, and a forward proxy of its own
 * for everything that it sends: the proxy's port tells the sender, the CONNECT target tells the receiver, so every
 * directed link is known. A peer, which a check scripts, has a proxy only. An auth service has a listener for clients and
 * one for its homeserver, and reaches that by a third. An RTC authorization service has these, one for its SFU, one to it, and a
 * proxy of its own.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { type Dispatcher, Pool } from "undici";
import type { Address } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { IDLE_MS } from "#harness/http/idle";
import type { CertificateAuthority } from "./ca.ts";
import { isCompat } from "./compat.ts";
import { Connections, recordConnection, subjectOf } from "./connections.ts";
import type { Exchange } from "./exchange.ts";
import { type ForwardContext, forward, type Route, type Unanswered } from "./forward.ts";
import type { LocalRule } from "./rule.ts";
import { RuleBook } from "./rules.ts";
import { Tunnels } from "./tunnels.ts";

/** A server as the gateway needs it. Filled in once the server runs: its ports are often not known before. */
export interface Endpoint {
  readonly client: () => Address;
  readonly federation: () => Address;
  readonly kill?: () => Promise<void>;
  /** Set for a peer: the check that it belongs to. */
  readonly check?: string;
}

export interface ServerLinks {
  /** Base URL of the client-server API through the gateway. */
  readonly clientUrl: string;
  /** Base URL for unsigned federation requests of the harness. */
  readonly federationUrl: string;
  readonly proxyPort: number;
}

/** The listeners around one auth service; each base URL ends in a slash. */
export interface AuthLinks {
  /** For clients: its issuer. */
  readonly publicBase: string;
  /** For its homeserver. */
  readonly forHomeserver: string;
  /** The homeserver, for it. */
  readonly toHomeserver: string;
}

/** The listeners around one RTC authorization service; each base URL ends in a slash. */
export interface RtcLinks {
  /** For clients. */
  readonly publicBase: string;
  /** For its homeserver. */
  readonly forHomeserver: string;
  /** For its SFU. */
  readonly forSfu: string;
  /** The client API of its homeserver, for it. */
  readonly toHomeserver: string;
  /** The federation API of its homeserver, for it. */
  readonly toFederation: string;
  /** The HTTP API of its SFU, for it. */
  readonly toSfu: string;
  /** By which it reaches other servers. */
  readonly proxyPort: number;
}

export interface GatewayOptions {
  readonly name: string;
  readonly ca: CertificateAuthority;
  readonly record: (exchange: Exchange) => void;
}

const LOOPBACK = "127.0.0.1";
/** Where servers look for each other unless told otherwise (server-server API §Resolving server names). */
const FEDERATION_PORT = 8448;

export class Gateway implements AsyncDisposable {
  readonly rules = new RuleBook((id, rule) => this.#cutOpen(id, rule));
  readonly #options: GatewayOptions;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #pools = new Map<string, Pool>();
  readonly #servers = new Set<NetServer>();
  readonly #sockets = new Set<Socket>();
  readonly #proxies = new Map<string, Server>();
  /** Auth services by the homeservers that they belong to. */
  readonly #authServices = new Map<string, string>();
  readonly #sinks: Server[] = [];
  /** Servers that have asked their proxy for a tunnel. */
  readonly #tunnelled = new Set<string>();
  /** Links that something has gone over. */
  readonly #used = new Set<string>();
  readonly #context: ForwardContext;
  readonly #tunnels: Tunnels;
  #count = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#context = {
      rules: this.rules,
      connections: new Connections(),
      unanswered: new Set(),
      nextId: () => `${options.name}#${++this.#count}`,
      record: (exchange) => {
        this.#used.add(linkOf(exchange.from, exchange.to));
        options.record(exchange);
      },
    };
    this.#tunnels = new Tunnels({
      ca: options.ca,
      context: this.#context,
      route: (from, host) =>
        this.#endpoints.has(host) ? this.#route(from, host, (end) => end.federation()) : undefined,
      http: this.#server((request, response) => this.#serveTunnel(request, response)),
    });
  }

  /** Opens the listeners of one server. Requests before `connect` get no answer. */
  async addServer(role: string): Promise<ServerLinks> {
    const client = await this.#listen(
      this.#route("client", role, (end) => end.client()),
      (target) => {
        const auth = this.#authServices.get(role);
        if (auth === undefined || !isCompat(target)) return undefined;
        return this.#route("client", auth, (end) => end.client());
      },
    );
    const peer = await this.#listen(this.#route("client", role, (end) => end.federation()));
    const proxy = this.#proxy(role);
    await listen(proxy, 0, LOOPBACK);
    this.#proxies.set(role, proxy);
    return {
      clientUrl: `http://${LOOPBACK}:${portOf(client)}`,
      federationUrl: `http://${LOOPBACK}:${portOf(peer)}`,
      proxyPort: portOf(proxy),
    };
  }

  /**
   * Opens the listeners around the auth service of a server, which from now on also gets what clients ask that server to
   * log in and out. Requests before `connect` get no answer.
   */
  async addAuthService(role: string, homeserver: string): Promise<AuthLinks> {
    const routes = [
      { ...this.#route("client", role, (end) => end.client()), keepsHost: true },
      this.#route(homeserver, role, (end) => end.client()),
      this.#route(role, homeserver, (end) => end.client()),
    ];
    const bases = await Promise.all(routes.map((route) => this.#base(route)));
    const [publicBase = "", forHomeserver = "", toHomeserver = ""] = bases;
    this.#authServices.set(homeserver, role);
    return { publicBase, forHomeserver, toHomeserver };
  }

  /** Opens the listeners around the RTC authorization service of a server and its SFU. Requests before `connect` get no answer. */
  async addRtcService(role: string, homeserver: string, sfu: string): Promise<RtcLinks> {
    const routes = [
      this.#route("client", role, (end) => end.client()),
      this.#route(homeserver, role, (end) => end.client()),
      this.#route(sfu, role, (end) => end.client()),
      this.#route(role, homeserver, (end) => end.client()),
      this.#route(role, homeserver, (end) => end.federation()),
      this.#route(role, sfu, (end) => end.client()),
    ];
    const bases = await Promise.all(routes.map((route) => this.#base(route)));
    const [publicBase = "", forHomeserver = "", forSfu = "", ...rest] = bases;
    const [toHomeserver = "", toFederation = "", toSfu = ""] = rest;
    const proxy = this.#proxy(role);
    await listen(proxy, 0, LOOPBACK);
    const proxyPort = portOf(proxy);
    return { publicBase, forHomeserver, forSfu, toHomeserver, toFederation, toSfu, proxyPort };
  }

  /** Opens the listener of an SFU's HTTP API for clients: its base URL, which ends in a slash. Media goes its own ways. */
  addSfu(role: string): Promise<string> {
    return this.#base(this.#route("client", role, (end) => end.client()));
  }

  /**
   * Makes what this server calls answer on a further address of this machine, which no other server may use: its proxy
   * and every sink on their own ports, and federation with TLS on 8448 for servers that ignore proxies. There the address
   * tells the sender, and the name that TLS asks for tells the receiver.
   */
  async listenOn(role: string, address: string): Promise<void> {
    const proxy = this.#proxies.get(role);
    if (proxy === undefined) throw new Error(`the gateway has no server ${role}`);
    await listen(this.#proxy(role), portOf(proxy), address);
    for (const sink of this.#sinks) {
      await listen(
        this.#server((request, response) => sink.emit("request", request, response)),
        portOf(sink),
        address,
      );
    }
    const server = this.#tunnels.byName(role);
    server.on("connection", (socket) => this.#track(socket));
    this.#servers.add(server);
    await listen(server, FEDERATION_PORT, address);
  }

  /** Tells where a server answers; may be called again. */
  connect(role: string, endpoint: Endpoint): void {
    this.#endpoints.set(role, endpoint);
  }

  /**
   * A server that a check scripts: others find it by its name, and what it sends goes through the proxy on the port that
   * is returned. Both ways are the check's own exchanges.
   */
  async addPeer(name: string, address: Address, check: string): Promise<number> {
    if (this.#endpoints.has(name)) throw new Error(`the gateway has a server ${name} already`);
    const proxy = this.#proxy(name);
    await listen(proxy, 0, LOOPBACK);
    this.#proxies.set(name, proxy);
    this.#endpoints.set(name, { client: () => address, federation: () => address, check });
    return portOf(proxy);
  }

  /** From now on nobody has this name. */
  async removePeer(name: string): Promise<void> {
    const proxy = this.#proxies.get(name);
    const endpoint = this.#endpoints.get(name);
    if (proxy === undefined || endpoint?.check === undefined) return;
    this.#proxies.delete(name);
    this.#endpoints.delete(name);
    this.#servers.delete(proxy);
    proxy.close();
    proxy.closeAllConnections();
    const key = poolKey(endpoint.federation());
    await this.#pools.get(key)?.destroy();
    this.#pools.delete(key);
  }

  /**
   * A listener whose receiver the caller changes: for what servers call that is no server, such as an application
   * service. Without an upstream it answers 200 `{}`.
   */
  async addSink(name: string, upstream: () => Address | undefined): Promise<number> {
    const server = this.#server((request, response) => {
      const address = upstream();
      if (address === undefined) {
        request.resume();
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
        return;
      }
      void forward(
        request,
        response,
        { from: "server", to: name, upstream: () => this.#pool(address), kill: undefined },
        this.#context,
      );
    });
    await listen(server, 0, LOOPBACK);
    this.#sinks.push(server);
    return portOf(server);
  }

  /** True when the server has sent by its proxy, as which the gateway reaches any name, address and port. */
  usesProxy(role: string): boolean {
    return this.#tunnelled.has(role);
  }

  /** Something of the first has been answered by the second through this gateway. */
  hasCarried(from: string, to: string): boolean {
    return this.#used.has(linkOf(from, to));
  }

  /** What has not ended yet. */
  get unanswered(): readonly Unanswered[] {
    return [...this.#context.unanswered];
  }

  /** Exchanges seen so far. */
  get count(): number {
    return this.#count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#servers].map((server) => closeServer(server)));
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  #route(from: string, to: string, pick: (endpoint: Endpoint) => Address): Route {
    return {
      from,
      to,
      check: this.#endpoints.get(from)?.check ?? this.#endpoints.get(to)?.check,
      upstream: () => {
        const endpoint = this.#endpoints.get(to);
        if (endpoint === undefined) {
          throw new HarnessError("NO_ROUTE", { what: `${to} has not been started yet` });
        }
        return this.#pool(pick(endpoint));
      },
      kill: async (whom) => this.#endpoints.get(whom === "sender" ? from : to)?.kill?.(),
    };
  }

  #pool(address: Address): Dispatcher {
    const { host, port, tlsName, trust } = address;
    const key = poolKey(address);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const scheme = tlsName === undefined ? "http" : "https";
      pool = new Pool(`${scheme}://${host}:${port}`, {
        connections: 256,
        pipelining: 1,
        // Below what servers use, so that no request is written to a socket that the server is closing.
        keepAliveTimeout: 2_000,
        keepAliveMaxTimeout: 2_000,
        connect: {
          timeout: 10_000,
          ...(tlsName === undefined ? {} : { servername: tlsName }),
          ...(trust === "machine" ? {} : { ca: this.#options.ca.certificate }),
        },
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }

  async #base(route: Route): Promise<string> {
    return `http://${LOOPBACK}:${portOf(await this.#listen(route))}/`;
  }

  /** @param elsewhere another route for some request targets */
  async #listen(
    route: Route,
    elsewhere: (target: string) => Route | undefined = () => undefined,
  ): Promise<Server> {
    const server = this.#server((request, response) => {
      void forward(request, response, elsewhere(request.url ?? "/") ?? route, this.#context);
    });
    const { from, to, check } = route;
    server.on("connection", (socket) =>
      this.#context.connections.add({ from, to, check, target: to }, socket, socket),
    );
    await listen(server, 0, LOOPBACK);
    return server;
  }

  /** A rule that resets a link, or changes its certificate, ends what is open. */
  #cutOpen(id: string, { name, phase, action }: LocalRule): void {
    if (phase !== "link" || (action.kind !== "reset" && action.kind !== "certificate")) return;
    const { connections } = this.#context;
    for (const connection of connections.open) {
      // Clients speak no TLS with the gateway.
      if (action.kind === "certificate" && connection.from === "client") continue;
      if (!this.rules.fires(id, subjectOf(connection))) continue;
      connections.cut(connection, name);
      recordConnection(this.#context, connection, { rules: [name], error: "reset while open" });
    }
  }

  #server(handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const server = createServer(
      {
        keepAliveTimeout: IDLE_MS,
        requestTimeout: 0,
        headersTimeout: 0,
        maxHeaderSize: 64 * 1024,
        noDelay: true,
      },
      handler,
    );
    server.on("connection", (socket) => this.#track(socket));
    this.#servers.add(server);
    return server;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #proxy(role: string): Server {
    const server = this.#server((request, response) => {
      // Plain-HTTP proxying: nothing in Matrix federation uses it, so it is refused where it can be seen.
      response.writeHead(502).end(`crucible: no plain proxying of ${request.url ?? ""}`);
    });
    server.on("connect", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.#tunnelled.add(role);
      void this.#tunnels.connect(role, request.url ?? "", socket, head);
    });
    return server;
  }

  #serveTunnel(request: IncomingMessage, response: ServerResponse): void {
    const route = this.#tunnels.routeOf(request.socket);
    if (route === undefined) {
      response.writeHead(500).end();
      return;
    }
    void forward(request, response, route, this.#context);
  }
}

function listen(server: NetServer, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, 1024, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function linkOf(from: string, to: string): string {
  return `${from} ${to}`;
}

function poolKey({ host, port, tlsName }: Address): string {
  return `${host}:${port}:${tlsName ?? ""}`;
}

function portOf(server: NetServer): number {
  return (server.address() as AddressInfo).port;
}

/** Its connections have been destroyed before. */
function closeServer(server: NetServer): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
