/**
 * Synapse's admin API: from the forward extremities (GET /_synapse/admin/v1/rooms/{room}/forward_extremities) back along what
 * events cite (GET /_synapse/admin/v1/fetch_event/{event}). Everything that the server has accepted is there, whoever may see
 * it, and what it soft-failed is told; rejected events are not, which the database has.
 */
import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import type { JsonObject } from "#protocol/events/event";
import { idsIn, objectsAt, type Recorder, stateIdsOf } from "./recorder.ts";
import { AskedServer, follow, knownVersion, type Source, type Wanted } from "./source.ts";

/** Events that are asked for at the same time. */
const AT_ONCE = 8;
const SOFT_FAILED = "io.element.synapse.soft_failed";

/** @throws HarnessError */
export async function adminSource(baseUrl: string, token: string, wanted: Wanted): Promise<Source> {
  const server = new AskedServer(baseUrl, token, wanted.signal);
  const name = await server.ownName();
  const room = path`/_synapse/admin/v1/rooms/${wanted.room}`;
  const version = knownVersion(textAt(await server.get(room), "version"));
  const about = await server.about();
  return {
    version,
    title: `${wanted.room} as ${name} has it`,
    run: async (recorder) => {
      recorder.server(name, ...about);
      const source = new AdminSource(server, name, wanted, recorder);
      await follow(wanted, recorder, () => source.look());
    },
  };
}

class AdminSource {
  readonly #server: AskedServer;
  readonly #name: string;
  readonly #wanted: Wanted;
  readonly #recorder: Recorder;
  /** What the server has not, or does not tell. */
  readonly #missing = new Set<string>();
  #before = "";

  constructor(server: AskedServer, name: string, wanted: Wanted, recorder: Recorder) {
    this.#server = server;
    this.#name = name;
    this.#wanted = wanted;
    this.#recorder = recorder;
  }

  /** Tells what has come since the last look; returns when to look again. */
  async look(): Promise<number> {
    const extremities = await this.#extremities();
    if (extremities.join() !== this.#before) await this.#tell(extremities);
    this.#before = extremities.join();
    return this.#wanted.everyMs;
  }

  async #extremities(): Promise<readonly string[]> {
    const target = path`/_synapse/admin/v1/rooms/${this.#wanted.room}/forward_extremities`;
    const results = objectsAt(await this.#server.get(target), "results");
    return results.map((one) => String(one.event_id)).sort();
  }

  /** What leads to these and was not told, oldest first, and the state that the server has now. */
  async #tell(extremities: readonly string[]): Promise<void> {
    const found = new Map<string, JsonObject>();
    const isNew = (id: string) =>
      !found.has(id) && !this.#recorder.has(id) && !this.#missing.has(id);
    for (let ids = extremities; ids.length > 0 && found.size < this.#wanted.limit; ) {
      const next = new Set<string>();
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        const batch = ids.slice(from, from + AT_ONCE).filter(isNew);
        for (const [id, event] of await Promise.all(batch.map((one) => this.#fetch(one)))) {
          if (event === undefined) this.#missing.add(id);
          else {
            found.set(id, event);
            for (const key of ["prev_events", "auth_events"])
              for (const cited of idsIn(event[key])) next.add(cited);
          }
        }
      }
      ids = [...next].filter(isNew);
    }
    const inOrder = [...found].sort(([, a], [, b]) => Number(a.depth) - Number(b.depth));
    for (const [id, event] of inOrder) {
      const isSoft = at(event, "unsigned", SOFT_FAILED) === true;
      const verdict = isSoft ? "soft_failed" : "accepted";
      this.#recorder.event(event, { server: this.#name, via: "unknown", verdict }, id);
    }
    const state = await this.#server.get(path`/_synapse/admin/v1/rooms/${this.#wanted.room}/state`);
    this.#recorder.state({
      server: this.#name,
      source: "admin",
      state: stateIdsOf(at(state, "state")),
      extremities,
    });
  }

  async #fetch(id: string): Promise<readonly [id: string, event: JsonObject | undefined]> {
    const answer = await this.#server.find(path`/_synapse/admin/v1/fetch_event/${id}`);
    const [event] = objectsAt({ events: [at(answer, "event")] }, "events");
    return [id, event];
  }
}
