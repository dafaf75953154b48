/** How a process becomes a client, and what it is told for it. */
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { bundled } from "#harness/runs/bundled";
import type { ServerInfo } from "#harness/world/run-info";
import { Session } from "#harness/world/session";
import type { CryptoPolicy, SyncKind } from "../crypto-client.ts";
import type { StorePlace } from "../setup.ts";

/** Whose device it is to be. */
export interface HandedSession {
  readonly server: ServerInfo;
  readonly account: {
    readonly userId: string;
    readonly localpart: string;
    readonly password: string;
    readonly accessToken: string;
    readonly deviceId: string;
    readonly serviceToken?: string;
  };
  readonly check: string;
  readonly timeoutScale: number;
}

/** The first question of a process, `launch`. */
export interface Launch extends HandedSession {
  readonly policy: CryptoPolicy;
  readonly sync: SyncKind;
  readonly place?: StorePlace;
  readonly log?: string;
}

export function handed(session: Session): HandedSession {
  const { server, context, userId, localpart, password, accessToken, deviceId, service } = session;
  const serviceToken = service?.accessToken;
  return {
    server,
    account: {
      userId,
      localpart,
      password,
      accessToken,
      deviceId,
      ...(serviceToken === undefined ? {} : { serviceToken }),
    },
    check: context.check,
    timeoutScale: context.timeoutScale,
  };
}

/** In the process that has been told. */
export function takenOver({ server, account, check, timeoutScale }: HandedSession): Session {
  const prefix = randomBytes(6).toString("hex");
  let names = 0;
  return new Session(
    server,
    {
      check,
      timeoutScale,
      signal: new AbortController().signal,
      onExchange: () => undefined,
      onRoom: () => undefined,
      nextName: (of) => `${of}-${prefix}-${++names}`,
    },
    account,
  );
}

let child: Promise<string> | undefined;

/** The process of a client that runs in Node. */
export async function nodeChild(kind: string) {
  const [, extension = "ts"] = /\.(\w+)$/.exec(import.meta.url) ?? [];
  child ??= bundled(fileURLToPath(new URL(`./child.${extension}`, import.meta.url)));
  return { command: process.execPath, args: [await child, kind] };
}
