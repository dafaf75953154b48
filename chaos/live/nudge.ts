/** One more message of a server in a room, which tells the others that there is news. */
import type { JournalWriter } from "#chaos/journal/write";
import type { Operation } from "#scenarios/plan";
import type { Cast } from "./cast.ts";
import type { Wanted } from "./converge.ts";
import type { Sampled } from "./eyes.ts";
import { factsOf, type Performed, perform } from "./perform.ts";
import type { Lookups } from "./requests.ts";

export interface NudgerOptions {
  readonly cast: Cast;
  readonly journal: JournalWriter;
  /** Number of the next step in the journal. */
  readonly nextStep: () => number;
}

const ATTEMPTS = 3;
const TIMEOUT_MS = 10_000;
/** A message needs none. */
const LOOKUPS: Lookups = {
  levels: async () => undefined,
  newest: () => undefined,
  deviceOf: () => "",
};

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
    const inRoom = samples.filter((one) => typeof one === "object");
    const sayers = inRoom.filter(({ role }) => roles?.includes(role) !== false);
    const sent = sayers.map(async ({ role, user, participants }) => {
      const id = `nudge-${epoch}-${number}-${role}`;
      const message: Operation = { op: "message", id, by: user.name, room: name, text: "nudge" };
      const performed = await this.#say(message);
      this.#options.journal.write({
        t: "step",
        id: this.#options.nextStep(),
        name: `${user.name} nudges ${name}`,
        ok: performed.outcome === "unknown" ? null : performed.outcome === "ok",
        ...(performed.events.length === 0 ? {} : { events: performed.events }),
        ...factsOf(message, performed, this.#options.cast),
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

  /**
   * A connection that was open when its server was killed breaks at its next use. The same transaction id makes one event,
   * however often it is sent.
   */
  async #say(message: Operation): Promise<Performed> {
    for (let attempt = 1; ; attempt++) {
      const performed = await perform(message, this.#options.cast, LOOKUPS, TIMEOUT_MS);
      if (performed.outcome !== "unknown" || attempt === ATTEMPTS) return performed;
    }
  }
}
