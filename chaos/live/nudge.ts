/** One more message of a server in a room, which tells the others that there is news. */
import { setTimeout as sleep } from "node:timers/promises";
import type { JournalWriter } from "#chaos/journal/write";
import { path } from "#harness/http/client";
import { at } from "#harness/match/json";
import type { Operation } from "#scenarios/plan";
import type { Actor, Cast } from "./cast.ts";
import type { Wanted } from "./converge.ts";
import type { Sampled } from "./eyes.ts";
import { factsOf, type Performed } from "./perform.ts";

export interface NudgerOptions {
  readonly cast: Cast;
  readonly journal: JournalWriter;
  readonly signal: AbortSignal;
  /** Number of the next step in the journal. */
  readonly nextStep: () => number;
}

export class Nudger {
  readonly #options: NudgerOptions;
  #count = 0;

  constructor(options: NudgerOptions) {
    this.#options = options;
  }

  /**
   * Said by the users who were seen to be joined.
   *
   * @param samples of this room
   * @param roles absent: of all servers in it
   */
  async nudge(
    epoch: number,
    name: string,
    samples: readonly Sampled[],
    roles?: readonly string[],
  ): Promise<readonly Wanted[]> {
    const number = ++this.#count;
    const room = this.#options.cast.rooms.get(name);
    const inRoom = samples.filter((one) => typeof one === "object");
    const sayers = inRoom.filter(({ role }) => roles?.includes(role) !== false);
    const sent = sayers.map(async ({ role, user, participants }) => {
      if (room === undefined) return [];
      const operation: Operation = { op: "message", id: "nudge", by: user.name, room: name };
      const txn = `${this.#options.cast.suffix}-nudge-${epoch}-${number}-${role}`;
      const performed = await this.#say(user, room.id, txn);
      this.#options.journal.write({
        t: "step",
        id: this.#options.nextStep(),
        name: `${user.name} nudges ${name}`,
        ok: performed.outcome === "unknown" ? null : performed.outcome === "ok",
        ...(performed.events.length === 0 ? {} : { events: performed.events }),
        ...factsOf(operation, performed, this.#options.cast),
        op: "nudge",
      });
      const receivers = inRoom
        .map((other) => other.role)
        .filter(
          (other) => other !== role && participants.has(this.#options.cast.serverName(other)),
        );
      return performed.events.map((event) => ({ room: name, event, from: role, receivers }));
    });
    return (await Promise.all(sent)).flat();
  }

  async #say(user: Actor, roomId: string, txn: string): Promise<Performed> {
    const began = Date.now();
    const target = path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${txn}`;
    const body = { msgtype: "m.text", body: "nudge" };
    for (let attempt = 1; ; attempt++) {
      try {
        const { status, json } = await user.session.put(target, body);
        const event = at(json, "event_id");
        const isOk = status === 200 && typeof event === "string";
        const outcome = isOk ? "ok" : status >= 500 ? "unknown" : "fail";
        const errcode = at(json, "errcode");
        return {
          outcome,
          began,
          status,
          ...(typeof errcode === "string" ? { errcode } : {}),
          txn,
          events: isOk ? [event] : [],
        };
      } catch (error) {
        if (this.#options.signal.aborted || attempt === 3) throw error;
        await sleep(100);
      }
    }
  }
}
