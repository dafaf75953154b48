/** What checks of splits share: clients of both servers that make maps of what they are told to stick, and what they have to hold. */
import { awakeMs } from "#harness/awake";
import { StickyMap } from "#harness/clients/rtc/sticky-map";
import { expectEqual } from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { Shared } from "#harness/world/sharing";
import type { World } from "#harness/world/world";
import { LAST_ONLY, stick } from "./sticky.ts";

const KEYS = ["a", "b", "c"];
const CONVERGED_MS = 30_000;

/** A client that makes a map of what it is told to stick. */
export class Observer {
  readonly session: Session;
  readonly map = new StickyMap();
  readonly roomId: string;
  #since: string | undefined;

  constructor(session: Session, roomId: string) {
    this.session = session;
    this.roomId = roomId;
  }

  async sync(): Promise<void> {
    const body = await this.session.sync({ since: this.#since, filter: LAST_ONLY });
    this.map.take(body, this.roomId, awakeMs());
    this.#since = body.next_batch;
  }

  /** Ids of what counts now. */
  ids(): readonly string[] {
    return this.map
      .at(awakeMs())
      .map(({ event }) => event.event_id)
      .toSorted();
  }
}

export async function observe({ alice, bob, roomId }: Shared): Promise<readonly Observer[]> {
  const observers = [alice, bob].map((session) => new Observer(session, roomId));
  for (const observer of observers) await observer.sync();
  return observers;
}

/** A sticky event, and who sent it. */
export interface Sent {
  readonly session: Session;
  readonly id: string;
}

/** Sends a value for one of a few keys. */
export async function writeValue(world: World, session: Session, roomId: string): Promise<Sent> {
  const key = KEYS[world.integer(KEYS.length)] ?? "";
  const content = { msc4354_sticky_key: key, mark: world.name("value") };
  return { session, id: await stick(session, roomId, { content }) };
}

/** The observers come to hold, by what their servers tell them, what has to be made of all that was sent. */
export async function expectTold(
  world: World,
  observers: readonly Observer[],
  sent: readonly Sent[],
): Promise<void> {
  const expected = new StickyMap();
  for (const { session, id } of sent) {
    const [observer] = observers;
    if (observer !== undefined) expected.add(await session.event(observer.roomId, id), awakeMs());
  }
  const ids = expected.at(awakeMs()).map(({ event }) => event.event_id);
  for (const observer of observers) {
    await world.eventually(
      async () => {
        await observer.sync();
        const what = `the values by ${observer.session.server.serverName}`;
        expectEqual(observer.ids(), ids.toSorted(), what);
      },
      { deadlineMs: CONVERGED_MS },
    );
  }
}
