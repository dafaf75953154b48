/**
 * A participant of LiveKit that neither sends nor receives media: its signalling connection alone, which is what the SFU knows
 * participants by. What comes over it is not read.
 */
import { randomBytes } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import { HarnessError } from "#harness/errors";

/** Of the signalling protocol; the SFU's own is newer. */
const PROTOCOL = "15";
const TIMEOUT_MS = 10_000;

export interface SfuConnection extends AsyncDisposable {
  /** Gone without a word, as when the process of a client dies. */
  lose(): void;
}

/**
 * Connects, and resolves once the SFU has let the participant in.
 *
 * @throws HarnessError HS_NO_ANSWER when it does not
 */
export function connectToSfu(websocketUrl: string, token: string): Promise<SfuConnection> {
  const url = new URL("rtc", websocketUrl.replace(/^ws/, "http").replace(/\/*$/, "/"));
  url.searchParams.set("protocol", PROTOCOL);
  url.searchParams.set("auto_subscribe", "1");
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => {
      clearTimeout(timer);
      handshake.destroy();
      reject(
        new HarnessError("HS_NO_ANSWER", {
          what: `the SFU at ${url.origin} did not let a participant in: ${why}`,
          next: "see the log of the SFU",
        }),
      );
    };
    const handshake = request(url, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
        authorization: `Bearer ${token}`,
      },
    });
    const timer = setTimeout(() => refuse(`nothing within ${TIMEOUT_MS} ms`), TIMEOUT_MS);
    handshake.on("error", (error) => refuse(error.message));
    handshake.on("response", ({ statusCode }) => refuse(`status ${statusCode}`));
    handshake.on("upgrade", (_, socket: Socket, head) => {
      const onJoined = () => {
        clearTimeout(timer);
        resolve({
          lose: () => socket.resetAndDestroy(),
          [Symbol.asyncDispose]: async () => {
            socket.destroy();
          },
        });
      };
      socket.on("error", () => undefined);
      // The first message says that it has joined; what follows is dropped.
      if (head.length > 0) onJoined();
      else socket.once("data", onJoined);
      socket.resume();
    });
    handshake.end();
  });
}
