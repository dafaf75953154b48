/** The same user by sliding sync: what a client of it shows of the state. */
import { SlidingConnection } from "#harness/clients/sliding-sync/connection";
import { UNSTABLE } from "#harness/clients/sliding-sync/dialect";
import { ALL_STATE, allRooms } from "#harness/clients/sliding-sync/request";
import { membershipIn } from "#harness/clients/sliding-sync/view";
import type { StateIds } from "#harness/replay/record";
import type { Actor } from "./cast.ts";
import { Looping, type Polled, type PollOptions } from "./looping.ts";

const REQUEST = allRooms({ timelineLimit: 20, requiredState: ALL_STATE });
const EXPIRED = 400;

export class SlidingClient implements AsyncDisposable {
  readonly actor: Actor;
  readonly #connection: SlidingConnection;
  readonly #loop: Looping;

  constructor(actor: Actor) {
    this.actor = actor;
    // Its rules for each answer have a suite of their own.
    this.#connection = new SlidingConnection(actor.session, UNSTABLE, {
      onViolation: () => undefined,
    });
    this.#loop = new Looping((options) => this.#poll(options));
  }

  /** The state as it shows it; undefined: it does not show the room as joined. */
  view(roomId: string): StateIds | undefined {
    const room = this.#connection.view.room(roomId);
    if (room === undefined || membershipIn(room, this.actor.userId) !== "join") return undefined;
    return Object.fromEntries([...room.state].map(([key, { event_id: id }]) => [key, id]));
  }

  async catchUp(timeoutMs: number): Promise<void> {
    await this.#loop.catchUp(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
  }

  async #poll({ waitMs, signal }: PollOptions): Promise<Polled> {
    const timeoutMs = this.#connection.pos === undefined ? 0 : waitMs;
    const http = await this.#connection.send(REQUEST, { timeoutMs, signal });
    if (http.status === EXPIRED) {
      // The server has forgotten the position, as it may.
      await this.#connection.initial(REQUEST);
      return "news";
    }
    const { rooms } = this.#connection.process(REQUEST, http);
    return Object.keys(rooms).length > 0 ? "news" : "quiet";
  }
}
