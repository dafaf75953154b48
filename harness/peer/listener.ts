/** The HTTP listener of a peer: behind the gateway, which ends TLS, on loopback. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { IDLE_MS } from "#harness/http/idle";
import type { Answer } from "./answer.ts";

export interface RawRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

export class Listener implements AsyncDisposable {
  readonly #server = createServer({ keepAliveTimeout: IDLE_MS });

  private constructor(answer: (request: RawRequest) => Promise<Answer>) {
    this.#server.on("request", (request, response) => {
      // A connection that breaks is the other side's business.
      serve(request, response, answer).catch(() => response.destroy());
    });
  }

  static async open(
    answer: (request: RawRequest) => Promise<Answer>,
    { host, port }: ListenAt = { host: "127.0.0.1", port: 0 },
  ): Promise<Listener> {
    const listener = new Listener(answer);
    listener.#server.listen(port, host);
    await once(listener.#server, "listening");
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: RawRequest) => Promise<Answer>,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method = "GET", url: uri = "/", headers } = request;
  const reply = await answer({ method, uri, headers, text: Buffer.concat(chunks).toString() });
  await write(response, reply);
}

async function write(response: ServerResponse, answer: Answer): Promise<void> {
  const { status, json, raw, headers, cutAfter } = answer;
  const body = raw ?? JSON.stringify(json ?? {});
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  response.writeHead(status, {
    "content-type": "application/json",
    ...(isWhole ? { "content-length": Buffer.byteLength(body) } : {}),
    ...headers,
  });
  const pieces = isWhole ? [Buffer.from(body)] : body;
  if (cutAfter === undefined) {
    await pipeline(Readable.from(pieces), response);
  } else {
    await pipeline(Readable.from(cut(pieces, cutAfter)), response, { end: false });
    response.socket?.destroySoon();
  }
}

function* cut(pieces: Iterable<Uint8Array>, bytes: number): Generator<Uint8Array> {
  let left = bytes;
  for (const piece of pieces) {
    if (left <= 0) return;
    yield piece.subarray(0, left);
    left -= piece.length;
  }
}
