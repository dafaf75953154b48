/** The HTTP listener of a peer: behind the gateway, which ends TLS, on loopback. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Answer } from "./answer.ts";

export interface RawRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

export class Listener implements AsyncDisposable {
  readonly #server = createServer({ keepAliveTimeout: 60_000 });

  private constructor(answer: (request: RawRequest) => Promise<Answer>) {
    this.#server.on("request", (request, response) => {
      // A connection that breaks is the other side's business.
      serve(request, response, answer).catch(() => response.destroy());
    });
  }

  static async open(answer: (request: RawRequest) => Promise<Answer>): Promise<Listener> {
    const listener = new Listener(answer);
    listener.#server.listen(0, "127.0.0.1");
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
  const pieces = isWhole ? [Buffer.from(body)] : body;
  response.writeHead(status, {
    "content-type": "application/json",
    ...(isWhole ? { "content-length": Buffer.byteLength(body) } : {}),
    ...headers,
  });
  let left = cutAfter ?? Number.POSITIVE_INFINITY;
  for (const piece of pieces) {
    const part = piece.length <= left ? piece : piece.subarray(0, left);
    left -= part.length;
    if (!response.write(part))
      await Promise.race([once(response, "drain"), once(response, "close")]);
    if (response.destroyed) return;
    if (left === 0) break;
  }
  if (cutAfter === undefined) response.end();
  else response.destroy();
}
