/**
 * A homeserver that answers just enough for a run to start on it, and misbehaves when it is asked to log somebody in or
 * for sliding sync: what the specs of trouble run against.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { SLIDING_SYNC_FLAG, UNSTABLE_PATH } from "#harness/clients/sliding-sync/dialect";

const HUGE_BYTES = 200 * 1024 * 1024;
const LOGIN = "/_matrix/client/v3/login";
const LATE_MS = 2_500;

const NOTHING_NEW = JSON.stringify({ pos: "1", lists: {}, rooms: {}, extensions: {} });

const MISDEEDS = {
  hugeBody: async (_: Socket, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json" });
    const piece = Buffer.alloc(1024 * 1024, "[");
    for (let sent = 0; sent < HUGE_BYTES && !response.destroyed; sent += piece.length) {
      if (!response.write(piece)) await drained(response);
    }
    response.end();
  },
  invalidJson: async (_: Socket, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json" }).end('{"user_id": "@alice');
  },
  html: async (_: Socket, response: ServerResponse) => {
    response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad \u001b[2J Gateway</h1>");
  },
  endlessHeaders: async (socket: Socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    for (let line = 0; !socket.destroyed; line++) {
      if (!socket.write(`x-filler-${line}: ${"x".repeat(1000)}\r\n`)) await drained(socket);
    }
  },
  silence: async () => undefined,
  late: async (_: Socket, response: ServerResponse) => {
    await sleep(LATE_MS);
    response.writeHead(200, { "content-type": "application/json" }).end(NOTHING_NEW);
  },
  cut: async (socket: Socket, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1000 });
    response.write(NOTHING_NEW, () => socket.destroy());
  },
} satisfies Record<string, (socket: Socket, response: ServerResponse) => Promise<void>>;

export type Misdeed = keyof typeof MISDEEDS;

export class HostileServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #misdeeds: Misdeed[];
  readonly #misdeedOf = new Map<string, Misdeed | undefined>();
  readonly #passwords = new Map<string, string>();

  private constructor(misdeeds: readonly Misdeed[]) {
    this.#misdeeds = [...misdeeds];
    this.#server = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  /**
   * @param misdeeds one for each of the first users that log in or sync, in this order; the later ones are served well.
   */
  static async start(...misdeeds: readonly Misdeed[]): Promise<HostileServer> {
    const hostile = new HostileServer(misdeeds);
    await new Promise<void>((resolve) => hostile.#server.listen(0, "127.0.0.1", resolve));
    return hostile;
  }

  /** As `--hs` takes it. */
  get spec(): string {
    return `url:http://127.0.0.1:${(this.#server.address() as AddressInfo).port},server-name=hostile`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #misdeedAgainst(localpart: string): Misdeed | undefined {
    // What probes a server at the start is no check.
    if (!localpart.startsWith("probe-") && !this.#misdeedOf.has(localpart))
      this.#misdeedOf.set(localpart, this.#misdeeds.shift());
    return this.#misdeedOf.get(localpart);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}") as Record<string, unknown>;
    const json = (status: number, answer: object) =>
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(JSON.stringify(answer));
    const { pathname } = new URL(request.url ?? "/", "http://hostile");
    switch (`${request.method} ${pathname}`) {
      case "GET /_matrix/client/versions":
        return void json(200, {
          versions: ["v1.11"],
          unstable_features: { [SLIDING_SYNC_FLAG]: true },
        });
      case "POST /_matrix/client/v3/register":
        if (body.auth === undefined)
          return void json(401, { flows: [{ stages: ["m.login.dummy"] }] });
        this.#passwords.set(String(body.username), String(body.password));
        return void json(200, session(String(body.username)));
      case `GET ${LOGIN}`:
        return void json(200, { flows: [{ type: "m.login.password" }] });
      case `POST ${LOGIN}`: {
        const { user = "" } = (body.identifier ?? {}) as { user?: string };
        const localpart = user.replace(/^@|:.*$/g, "");
        const misdeed = this.#misdeedAgainst(localpart);
        if (misdeed !== undefined) return MISDEEDS[misdeed](request.socket, response);
        const isRight = this.#passwords.get(localpart) === body.password;
        return void (isRight
          ? json(200, session(localpart))
          : json(403, { errcode: "M_FORBIDDEN", error: "no" }));
      }
      case `POST ${UNSTABLE_PATH}`: {
        const localpart = request.headers.authorization?.replace("Bearer syt_", "") ?? "";
        const misdeed = this.#misdeedAgainst(localpart);
        if (misdeed !== undefined) return MISDEEDS[misdeed](request.socket, response);
        return void json(200, JSON.parse(NOTHING_NEW));
      }
      default:
        return void json(404, { errcode: "M_UNRECOGNIZED", error: "unknown endpoint" });
    }
  }
}

function session(localpart: string): object {
  return { user_id: `@${localpart}:hostile`, access_token: `syt_${localpart}`, device_id: "D" };
}

/** Resolves when more can be written, or nobody reads any more. */
function drained(stream: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
}
