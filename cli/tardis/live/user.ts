/**
 * A joined user: GET /sync and GET /messages with `event_format` federation (client-server API §Filtering), which gives
 * events as servers have them, without any right of an admin. What the user may not see is not there.
 */
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import type { JsonObject } from "#protocol/events/event";
import { type Came, objectsAt, type Recorder, stateIdsOf } from "./recorder.ts";
import { AskedServer, follow, type Source, type Wanted } from "./source.ts";

const PAGE = 250;
const SYNC_MS = 30_000;

/** @throws HarnessError */
export async function userSource(baseUrl: string, token: string, wanted: Wanted): Promise<Source> {
  const server = new AskedServer(baseUrl, token, wanted.signal);
  const [name, version, about] = [
    await server.ownName(),
    await server.roomVersion(wanted.room),
    await server.about(),
  ];
  return {
    version,
    title: `${wanted.room} as a user of ${name} sees it`,
    run: async (recorder) => {
      recorder.server(name, ...about);
      const source = new UserSource(server, name, wanted, recorder);
      await follow(wanted, recorder, () => source.look());
    },
  };
}

class UserSource {
  readonly #server: AskedServer;
  readonly #wanted: Wanted;
  readonly #recorder: Recorder;
  readonly #came: Came;
  readonly #filter: string;
  #since: string | undefined;

  constructor(server: AskedServer, name: string, wanted: Wanted, recorder: Recorder) {
    this.#server = server;
    this.#wanted = wanted;
    this.#recorder = recorder;
    this.#came = { server: name, via: "unknown", verdict: "accepted" };
    const none = { types: [] };
    this.#filter = JSON.stringify({
      event_format: "federation",
      presence: none,
      account_data: none,
      room: {
        rooms: [wanted.room],
        timeline: { limit: 100 },
        ephemeral: none,
        account_data: none,
      },
    });
  }

  /** One answer of /sync; returns when to ask again, undefined: not at all. */
  async look(): Promise<number | undefined> {
    const since = this.#since;
    const before = this.#recorder.size;
    const { room, limit, everyMs } = this.#wanted;
    const query = { filter: this.#filter, since, timeout: since === undefined ? 0 : SYNC_MS };
    const answer = await this.#server.get("/_matrix/client/v3/sync", query);
    const [joined, left] = [at(answer, "rooms", "join", room), at(answer, "rooms", "leave", room)];
    const told = joined ?? left;
    if (since === undefined && joined === undefined) {
      throw new HarnessError("BAD_USAGE", {
        what: `the user is not in ${room}`,
        next: "join it, or ask with an admin's token: crucible tardis live admin",
      });
    }
    const timeline = objectsAt(told, "timeline", "events");
    const start = at(told, "timeline", "prev_batch");
    if (at(told, "timeline", "limited") === true && typeof start === "string")
      this.#tell(await this.#before(start, limit));
    const states = ["state", "state_after"].flatMap((part) => objectsAt(told, part, "events"));
    this.#tell([...states, ...timeline]);
    if (since === undefined || [...states, ...timeline].some(isState)) await this.#state();
    this.#since = String(at(answer, "next_batch"));
    if (left !== undefined) {
      this.#recorder.note("the user has left the room: no more is told");
      return undefined;
    }
    // A server may answer at once, again and again, without anything new.
    return this.#recorder.size > before ? 0 : everyMs;
  }

  /** What lies before a place and was not told, oldest first. */
  async #before(start: string, limit: number): Promise<readonly JsonObject[]> {
    const { room } = this.#wanted;
    const found: JsonObject[] = [];
    for (let from = start; found.length < limit; ) {
      const target = path`/_matrix/client/v3/rooms/${room}/messages`;
      const filter = JSON.stringify({ event_format: "federation" });
      const size = Math.min(PAGE, limit - found.length);
      const answer = await this.#server.get(target, { dir: "b", from, limit: size, filter });
      const chunk = objectsAt(answer, "chunk");
      const isNew = ({ event_id: id }: JsonObject) => !this.#recorder.has(String(id));
      found.push(...chunk.filter(isNew));
      const end = at(answer, "end");
      if (chunk.length === 0 || typeof end !== "string" || !chunk.every(isNew)) break;
      from = end;
    }
    return found.reverse();
  }

  #tell(events: readonly JsonObject[]): void {
    for (const event of events) {
      if (this.#recorder.event(event, this.#came) !== undefined) continue;
      throw new HarnessError("BAD_USAGE", {
        what: "the server does not tell what events follow",
        facts: ["it was asked with event_format federation, a part of filters that it has to know"],
        next: "with rights on it: crucible tardis live admin, or live database",
      });
    }
  }

  /** What the server shows to be the state now. */
  async #state(): Promise<void> {
    const target = path`/_matrix/client/v3/rooms/${this.#wanted.room}/state`;
    const state = stateIdsOf(await this.#server.find(target));
    const { extremities } = this.#recorder;
    this.#recorder.state({ server: this.#came.server, source: "client", state, extremities });
  }
}

function isState(event: unknown): boolean {
  return at(event, "state_key") !== undefined;
}
