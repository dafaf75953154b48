/** A server that is asked about a room by its client or admin API, with a token that stays in memory. */
import { readFileSync } from "node:fs";
import { describe, HarnessError } from "#harness/errors";
import {
  createClient,
  type HttpClient,
  type HttpResponse,
  path,
  type Query,
} from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { type RoomVersion, roomVersion } from "#protocol/rooms/room-version";
import type { Recorder } from "./recorder.ts";

/** One way to be told of a room. */
export interface Source {
  readonly version: RoomVersion;
  /** What the page calls it. */
  readonly title: string;
  /** Tells all there is, and then what comes until the signal, unless that is not wanted. */
  run(recorder: Recorder): Promise<void>;
  /** Gives up what it holds, whether it ran or not. */
  readonly close?: () => Promise<void>;
}

export interface Wanted {
  readonly room: string;
  /** At most so many events of what there is. */
  readonly limit: number;
  /** Not what comes after that. */
  readonly isOnce: boolean;
  /** Milliseconds between two looks, where a source has to be looked at. */
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** Name of the environment variable with a token. */
export const TOKEN_VARIABLE = "CRUCIBLE_TOKEN";
const REQUEST_MS = 60_000;
/** A server that is away for so many tries is given up. */
const MOST_FAILURES = 10;
/** By status. */
const NEXT: Readonly<Record<number, string>> = {
  401: "the server does not know the token: get a new one",
  403: "the token's user may not see this: join the room, or ask as an admin",
  404: "check the room id and the address",
};

/** Out of a file, else out of the environment: a command line can be read by others. @throws HarnessError BAD_USAGE, BAD_FILE */
export function tokenOf(file: string | undefined): string {
  let token = process.env[TOKEN_VARIABLE];
  if (file !== undefined) {
    try {
      token = readFileSync(file, "utf8");
    } catch (cause) {
      throw new HarnessError("BAD_FILE", {
        what: `${file} can not be read`,
        facts: [describe(cause)],
        next: "--token-file <file> with the access token in it",
        cause,
      });
    }
  }
  // What else a header would carry is refused by its client with the header in the message.
  if (token !== undefined && /^[\x21-\x7e]+$/.test(token.trim())) return token.trim();
  throw new HarnessError("BAD_USAGE", {
    what: token === undefined ? "there is no access token" : "this is no access token",
    next: `write it into ${TOKEN_VARIABLE}, or name a file with it: --token-file <file>`,
  });
}

export class AskedServer {
  readonly #http: HttpClient;
  readonly #token: string;

  /** @throws HarnessError BAD_USAGE for what is no address */
  constructor(baseUrl: string, accessToken: string, signal: AbortSignal) {
    const url = URL.parse(baseUrl);
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
      throw new HarnessError("BAD_USAGE", {
        what: "this is no address of a homeserver",
        next: "give it as https://matrix.example.org, without a name and a password",
      });
    }
    this.#token = accessToken;
    const base = url.href.replace(/\/+$/, "");
    this.#http = createClient({ baseUrl: base, accessToken, signal, timeoutMs: REQUEST_MS });
  }

  /** Undefined: 404. @throws HarnessError when it refuses */
  async find(target: string, query: Query = {}): Promise<unknown> {
    const response = await this.#http.request("GET", target, { query });
    if (response.status === 404) return undefined;
    return this.#bodyOf(target, response);
  }

  /** @throws HarnessError when it refuses */
  async get(target: string, query: Query = {}): Promise<unknown> {
    return this.#bodyOf(target, await this.#http.request("GET", target, { query }));
  }

  /** Server name of the user that the token is of. */
  async ownName(): Promise<string> {
    const user = textAt(await this.get("/_matrix/client/v3/account/whoami"), "user_id");
    return user.slice(user.indexOf(":") + 1);
  }

  /** Implementation and version, where it tells them. */
  async about(): Promise<readonly [implementation?: string, version?: string]> {
    const { status, json } = await this.#http.request("GET", "/_matrix/federation/v1/version");
    const [name, version] = [at(json, "server", "name"), at(json, "server", "version")];
    if (status !== 200 || typeof name !== "string") return [];
    return typeof version === "string" ? [name, version] : [name];
  }

  /** As a joined user sees it. */
  async roomVersion(room: string): Promise<RoomVersion> {
    const create = await this.get(path`/_matrix/client/v3/rooms/${room}/state/m.room.create/`);
    const id = at(create, "room_version");
    return knownVersion(typeof id === "string" ? id : "1");
  }

  #bodyOf(target: string, { status, text, json }: HttpResponse): unknown {
    if (status === 200) return json;
    const [where] = target.split("?");
    throw new HarnessError("BAD_USAGE", {
      what: `GET ${where}: ${status}`,
      // A server that repeats what it was asked with is not quoted with the token.
      facts: [text.replaceAll(this.#token, "<token>").slice(0, 200)],
      next: NEXT[status] ?? "check the address",
    });
  }
}

/** @throws HarnessError BAD_FILE */
export function knownVersion(id: string): RoomVersion {
  const version = roomVersion(id);
  if (version !== undefined) return version;
  throw new HarnessError("BAD_FILE", {
    what: `the room is of version ${id}`,
    next: "versions 1 to 12 are known",
  });
}

/**
 * Asks until the signal, or once. A server that goes away is waited for; one that was never there is not.
 *
 * @param ask returns after how many milliseconds it wants to be called again; undefined: there is no more
 */
export async function follow(
  { isOnce, everyMs, signal }: Wanted,
  recorder: Recorder,
  ask: () => Promise<number | undefined>,
): Promise<void> {
  let waitMs = await ask();
  for (let failures = 0; !isOnce && waitMs !== undefined; ) {
    await pause(waitMs, signal);
    if (signal.aborted) return;
    try {
      waitMs = await ask();
      failures = 0;
    } catch (error) {
      const isAway = error instanceof HarnessError && error.code === "HS_NO_ANSWER";
      if (signal.aborted || !isAway || ++failures === MOST_FAILURES) throw error;
      recorder.note(`no answer, try ${failures}: ${describe(error)}`);
      waitMs = everyMs;
    }
  }
}

/** Waits so long; less when the signal comes. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
