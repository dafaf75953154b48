/**
 * Connections between servers: asked for by CONNECT at the sender's proxy, or opened by servers that ignore proxies with
 * the receiver's name in TLS. Rules of the link decide what becomes of them; what is let in is served as HTTP.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsServer, TLSSocket, type Server as TlsServer } from "node:tls";
import { CertificateAuthority } from "./ca.ts";
import { type Connection, recordConnection, subjectOf } from "./connections.ts";
import type { ForwardContext, Route } from "./forward.ts";
import { delayOf } from "./pace.ts";

export interface TunnelOptions {
  readonly ca: CertificateAuthority;
  readonly context: ForwardContext;
  /** Undefined: nobody has this name. */
  readonly route: (from: string, host: string) => Route | undefined;
  /** Serves what comes over a connection that has been let in. */
  readonly http: Server;
}

/** What becomes of a new connection. */
type Admission = "open" | "refuse" | "reset" | "blackhole" | "other-name" | "other-authority";

/** A name that no server has, for certificates of another name. */
const OTHER_NAME = "another.invalid";

export class Tunnels {
  readonly #options: TunnelOptions;
  readonly #routes = new WeakMap<object, Route>();
  #otherAuthority: Promise<CertificateAuthority> | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
  }

  /** The link that a connection belongs to. */
  routeOf(carrier: object): Route | undefined {
    return this.#routes.get(carrier);
  }

  /** Handles `CONNECT <target>` on a proxy. */
  async connect(from: string, target: string, socket: Socket, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    const host = target.replace(/:\d+$/, "");
    const route = this.#options.route(from, host);
    if (route === undefined) {
      // What a resolver's failure looks like through a proxy.
      recordConnection(
        this.#options.context,
        { from, to: host, check: undefined, target },
        { status: 502, error: "no such host" },
      );
      socket.end("HTTP/1.1 502 No Such Host\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const connection: Connection = { from, to: host, check: route.check, target };
    const admission = await this.#admit(connection);
    if (admission === "reset") socket.resetAndDestroy();
    else if (admission === "refuse") {
      socket.end("HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n");
    } else if (admission === "blackhole") {
      const { unanswered } = this.#options.context;
      const lost = { from, to: host, method: "CONNECT", path: target, since: Date.now() };
      unanswered.add(lost);
      socket.once("close", () => unanswered.delete(lost));
      // Read on, to see the sender leave.
      socket.resume();
      socket.on("end", () => socket.destroy());
    } else {
      const secureContext = await this.#certificate(host, admission);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      if (head.length > 0) socket.unshift(head);
      const tls = new TLSSocket(socket, {
        isServer: true,
        secureContext,
        ALPNProtocols: ["http/1.1"],
      });
      tls.on("error", () => tls.destroy());
      this.#serve(connection, route, tls, socket);
    }
  }

  /** TLS by the name that the sender asks for; a name that nobody has ends the handshake. */
  byName(from: string): TlsServer {
    const server = createTlsServer(
      {
        ALPNProtocols: ["http/1.1"],
        SNICallback: (host, done) => {
          const route = this.#options.route(from, host);
          if (route === undefined) {
            done(new Error(`no such host ${host}`));
            return;
          }
          const connection = { from, to: host, check: route.check, target: `${host}:8448` };
          this.#admit(connection)
            .then(async (admission) => {
              if (admission === "blackhole") return;
              if (admission === "refuse" || admission === "reset") done(new Error(admission));
              else done(null, await this.#certificate(host, admission));
            })
            .catch(done);
        },
      },
      (tls) => {
        const host = tls.servername === false ? "" : (tls.servername ?? "");
        const route = this.#options.route(from, host);
        if (route === undefined) {
          tls.destroy();
          return;
        }
        const connection = { from, to: host, check: route.check, target: `${host}:8448` };
        this.#serve(connection, route, tls, tls);
      },
    );
    server.on("tlsClientError", (_, tls) => tls.destroy());
    return server;
  }

  #serve(connection: Connection, route: Route, tls: TLSSocket, socket: Socket): void {
    this.#options.context.connections.add(connection, tls, socket);
    this.#routes.set(tls, route);
    this.#options.http.emit("connection", tls);
  }

  async #admit(connection: Connection): Promise<Admission> {
    const { rules } = this.#options.context;
    const taken = rules.take(subjectOf(connection), "link");
    if (taken.length === 0) return "open";
    let admission: Admission = "open";
    for (const { rule, released, random } of taken) {
      const { action } = rule;
      if (action.kind === "delay") await sleep(delayOf(action, random));
      else if (action.kind === "gate") await released;
      else if (action.kind === "certificate") admission = action.of;
      else if (action.kind === "reset") admission = "reset";
      else if (action.kind === "refuse") admission = "refuse";
      else if (action.kind === "blackhole") admission = "blackhole";
    }
    recordConnection(this.#options.context, connection, {
      rules: taken.map(({ rule }) => rule.name),
      ...outcomeOf(admission),
    });
    return admission;
  }

  async #certificate(host: string, admission: Admission) {
    const { ca } = this.#options;
    if (admission === "other-name") return await ca.contextFor(OTHER_NAME);
    if (admission !== "other-authority") return await ca.contextFor(host);
    this.#otherAuthority ??= CertificateAuthority.create("nobody trusts this");
    return await (await this.#otherAuthority).contextFor(host);
  }
}

function outcomeOf(admission: Admission): { status?: number; error?: string } {
  if (admission === "open") return { status: 200 };
  if (admission === "refuse") return { status: 504 };
  if (admission === "reset") return { error: "reset" };
  if (admission === "blackhole") return { error: "lost" };
  const other = admission === "other-name" ? "name" : "authority";
  return { status: 200, error: `the certificate is of another ${other}` };
}
