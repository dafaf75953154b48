/**
 * The federation peer of the harness: it joins the room as a server of its own and tells what other servers are told: the answer to
 * /send_join, what /backfill has from before, transactions as they come, what lies between by /get_missing_events, and what the
 * server says that the state before an event was, by /state_ids (server-server API). It leaves when it ends.
 */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { remark } from "#cli/io";
import { CheckFailure, describe, HarnessError } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import type { FederationClient } from "#harness/peer/client";
import { Peer } from "#harness/peer/peer";
import type { PeerRoom } from "#harness/peer/room";
import type { ReceivedPdu } from "#harness/peer/server";
import type { JsonObject } from "#protocol/events/event";
import { idsIn, objectsAt, type Recorder } from "./recorder.ts";
import { pause, type Source, type Wanted } from "./source.ts";

export interface PeerSettings {
  /** Server name of who is asked. */
  readonly server: string;
  /** Host part of our own server name. */
  readonly name: string;
  readonly keyFile: string;
  readonly listen: string;
  readonly proxy?: string | undefined;
  readonly ca?: string | undefined;
}

const PAGE = 100;
const USER = "recorder";

/** @throws HarnessError */
export async function peerSource(settings: PeerSettings, wanted: Wanted): Promise<Source> {
  const { server, name, keyFile } = settings;
  const agent = agentOf(settings);
  const seed = seedIn(keyFile);
  // What it still says when it has to end is not cut off by that.
  const { signal } = new AbortController();
  const peer = await Peer.start({
    name,
    signal,
    timeoutScale: 1,
    nextName: (prefix) => (prefix === "key" ? seed : prefix === USER ? USER : randomUUID()),
    onExchange: () => undefined,
    homeserver: server,
    link: async () => ({ agent }),
    unlink: async () => undefined,
    listen: listenAt(settings.listen),
  }).catch((cause: unknown) => {
    throw new HarnessError("BAD_USAGE", {
      what: `${settings.listen} can not be listened on`,
      facts: [describe(cause)],
      next: "--listen with another port",
      cause,
    });
  });
  try {
    const user = peer.user(USER);
    remark(`${user} joins ${wanted.room} through ${server}`);
    const room = await peer.join(wanted.room, user).catch((cause: unknown) => {
      throw new HarnessError("BAD_USAGE", {
        what: `${server} does not let ${user} join ${wanted.room}`,
        facts: factsOf(cause),
        next: "the room has to be public, or to have invited that user; that server has to reach ours by its name",
        cause,
      });
    });
    const source = new PeerSource(peer, room, server, wanted);
    return {
      version: room.version,
      title: `${wanted.room} as ${peer.serverName} is told of it`,
      run: (recorder) => source.run(recorder),
      close: async () => {
        await peer
          .leave(wanted.room, user)
          .catch((error: unknown) =>
            remark(`${user} could not leave: ${factsOf(error).join(", ")}`),
          );
        await peer[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
}

class PeerSource {
  readonly #peer: Peer;
  readonly #room: PeerRoom;
  readonly #server: string;
  readonly #wanted: Wanted;
  readonly #client: FederationClient;
  /** Keys of the state by event id. */
  readonly #keys = new Map<string, string>();
  /** Events that are in the graph, with what they follow: all but those that came with a state. */
  readonly #placed = new Set<string>();
  /** What came is dealt with one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(peer: Peer, room: PeerRoom, server: string, wanted: Wanted) {
    this.#peer = peer;
    this.#room = room;
    this.#server = server;
    this.#wanted = wanted;
    this.#client = peer.client(server);
  }

  async run(recorder: Recorder): Promise<void> {
    const about = at((await this.#client.version()).json, "server");
    const [implementation, version] = [at(about, "name"), at(about, "version")].map(textOr);
    recorder.server(this.#server, implementation, version);
    recorder.server(this.#peer.serverName, "peer");
    const [joined] = this.#room.extremities;
    for (const { pdu, before } of this.#room.entries) {
      const verdict = before === undefined ? "outlier" : "accepted";
      this.#tell(recorder, pdu.json, "send_join", verdict);
    }
    if (joined !== undefined) await this.#backfill(recorder, joined);
    await this.#state(recorder, joined);
    const ended = new AbortController();
    this.#peer.pdus.listen((received) => {
      if (received.room !== this.#room) return;
      this.#turn = this.#turn
        .then(() => this.#came(recorder, received))
        .catch((error: unknown) => {
          this.#failure = error;
          ended.abort();
        });
    });
    const { isOnce, signal } = this.#wanted;
    while (!isOnce && !signal.aborted && !ended.signal.aborted)
      await pause(this.#wanted.everyMs, AbortSignal.any([signal, ended.signal]));
    await this.#turn;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** From before the join, the newest first. */
  async #backfill(recorder: Recorder, joined: string): Promise<void> {
    let from = this.#room.find(joined)?.event.prevEvents ?? [];
    for (let left = this.#wanted.limit; left > 0 && from.length > 0; ) {
      const answer = await this.#client.backfill(this.#wanted.room, from, Math.min(PAGE, left));
      const pdus = bodyOf("/backfill", answer, "pdus").toSorted(byDepth);
      const told = pdus.filter((pdu) => this.#tell(recorder, pdu, "backfill", "unknown"));
      left -= pdus.length;
      const following = told.flatMap(({ prev_events: before }) => idsIn(before));
      from = [...new Set(following)].filter((id) => !this.#placed.has(id));
      if (told.length === 0) return;
    }
  }

  async #came(recorder: Recorder, { pdu, origin, problem }: ReceivedPdu): Promise<void> {
    const missing = idsIn(pdu.json.prev_events).filter((id) => !this.#placed.has(id));
    if (missing.length > 0) {
      const earliest = recorder.extremities.filter((id) => this.#placed.has(id));
      const answer = await this.#peer
        .client(origin)
        .missingEvents(this.#wanted.room, earliest, [pdu.id], { limit: PAGE });
      for (const between of bodyOf("/get_missing_events", answer, "events").toSorted(byDepth))
        this.#tell(recorder, between, "get_missing_events", "unknown", { from: origin });
    }
    const more = { from: origin, ...(problem === undefined ? {} : { reason: problem }) };
    const verdict = problem === undefined ? "accepted" : "rejected";
    this.#tell(recorder, pdu.json, "send", verdict, more);
    await this.#state(recorder, pdu.id);
  }

  /** False for what was there already, or is no event. */
  #tell(
    recorder: Recorder,
    json: JsonObject,
    via: "send_join" | "backfill" | "get_missing_events" | "send",
    verdict: "accepted" | "rejected" | "outlier" | "unknown",
    { from = this.#server, ...more }: { readonly from?: string; readonly reason?: string } = {},
  ): boolean {
    const came = { server: this.#peer.serverName, via, verdict, from, ...more };
    const id = recorder.event(json, came);
    if (id === undefined) return false;
    const { type, state_key: stateKey } = json;
    if (typeof stateKey === "string") this.#keys.set(id, `${type}|${stateKey}`);
    if (verdict === "outlier" || this.#placed.has(id)) return false;
    this.#placed.add(id);
    return true;
  }

  /** What the server says that the state before an event was; events of it that nobody has shown are left out. */
  async #state(recorder: Recorder, eventId: string | undefined): Promise<void> {
    if (eventId === undefined) return;
    const answer = await this.#client.stateIds(this.#wanted.room, eventId);
    // It may have rejected the event, or not have it yet.
    if (answer.status !== 200) return;
    const state = idsIn(at(answer.json, "pdu_ids")).flatMap((id): [string, string][] => {
      const key = this.#keys.get(id);
      return key === undefined ? [] : [[key, id]];
    });
    recorder.state({
      server: this.#server,
      at_event: eventId,
      source: "state_ids",
      state: Object.fromEntries(state.sort(([a], [b]) => (a < b ? -1 : 1))),
      extremities: [],
    });
  }
}

function byDepth(one: JsonObject, other: JsonObject): number {
  return Number(one.depth) - Number(other.depth);
}

/** @throws HarnessError when it refuses */
function bodyOf(what: string, { status, json, text }: HttpResponse, key: string) {
  if (status === 200) return objectsAt(json, key);
  throw new HarnessError("BAD_USAGE", {
    what: `${what}: ${status}`,
    facts: [text.slice(0, 200)],
    next: "the server does not tell other servers of the room: record it as a user, or an admin",
  });
}

function agentOf({ proxy, ca }: PeerSettings): Dispatcher {
  const tls = ca === undefined ? {} : { ca: textOf(ca, "--ca") };
  if (proxy === undefined) return new Agent({ connect: tls });
  if (URL.canParse(proxy))
    return new ProxyAgent({ uri: proxy, requestTls: { ...tls, allowH2: false } });
  throw new HarnessError("BAD_USAGE", { what: "--proxy is no address", next: "http://host:port" });
}

/** A name keeps its key: others remember it for days. Made where there is none. */
function seedIn(file: string): string {
  try {
    writeFileSync(file, `${randomUUID()}${randomUUID()}\n`, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
      throw new HarnessError("BAD_FILE", {
        what: `${file} can not be written`,
        facts: [describe(cause)],
        next: "--key-file in a folder that exists",
        cause,
      });
    }
  }
  const seed = textOf(file, "--key-file").trim();
  if (seed.length >= 32) return seed;
  throw new HarnessError("BAD_FILE", {
    what: `${file} holds no key of ours`,
    next: "--key-file with a new name: it is made",
  });
}

function textOf(file: string, flag: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `${file} can not be read`,
      facts: [describe(cause)],
      next: `check the path of ${flag}`,
      cause,
    });
  }
}

function listenAt(given: string): { readonly host: string; readonly port: number } {
  const [, host = "127.0.0.1", port = ""] = /^(?:(.+):)?(\d{1,5})$/.exec(given) ?? [];
  if (port !== "" && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new HarnessError("BAD_USAGE", { what: `--listen is ${given}`, next: "[host:]port" });
}

function factsOf(cause: unknown): readonly string[] {
  return cause instanceof CheckFailure
    ? [`expected ${cause.expected}`, `got ${cause.actual}`]
    : [describe(cause)];
}

function textOr(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
