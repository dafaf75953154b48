/** A server for the page on loopback: who may ask it, and with which headers it answers. */
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, HarnessError } from "#harness/errors";

/** Of every answer: nobody keeps it, frames it or reads it from elsewhere. */
export const HEADERS = {
  "cache-control": "no-store",
  "content-type": "text/html; charset=utf-8",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export interface Listening extends AsyncDisposable {
  readonly url: string;
}

/** Until it is disposed of. @throws HarnessError BAD_USAGE when the port is taken */
export async function listen(port: number, answer: RequestListener): Promise<Listening> {
  const server = createServer(answer);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  }).catch((cause: unknown) => {
    throw new HarnessError("BAD_USAGE", {
      what: `nothing can listen on port ${port}`,
      facts: [describe(cause)],
      next: "port 0 takes a free one",
      cause,
    });
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Another name for this machine, or another port, is a page of somebody else that asks. */
export function isForUs({ headers: { host }, socket }: IncomingMessage): boolean {
  return ["127.0.0.1", "localhost"].some((name) => host === `${name}:${socket.localPort}`);
}

/** @throws HarnessError BAD_USAGE */
export function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port < 65_536) return port;
  throw new HarnessError("BAD_USAGE", {
    what: `there is no port ${text}`,
    next: "port 0 takes a free one",
  });
}
