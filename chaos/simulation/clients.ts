/** Users of a server who sync all the time: what they are told, written to the journal. */
import type { Pdu } from "#chaos/events/make-event";
import type { StateIds } from "#harness/replay/record";
import type { State } from "#protocol/state/conflicts";
import type { Edu } from "./outbox.ts";
import type { Replica } from "./replica.ts";
import type { SimulatedServer } from "./server.ts";

/** What a user knows of a room. */
interface Known {
  state: State;
  named: StateIds;
  isJoined: boolean;
}

const NOTHING: State = new Int32Array(0);

export class Clients {
  readonly #server: SimulatedServer;
  /** Devices by user id. */
  readonly devices = new Map<string, string[]>();
  /** Events of each room that were not told yet. */
  readonly #news = new Map<string, Pdu[]>();
  readonly #known = new Map<string, Known>();

  constructor(server: SimulatedServer) {
    this.#server = server;
  }

  show(replica: Replica, pdu: Pdu): void {
    const news = this.#news.get(replica.roomId) ?? [];
    this.#news.set(replica.roomId, news);
    news.push(pdu);
    // Who comes is somebody whose devices nobody here has heard of.
    const { event } = pdu;
    if (event.type === "m.room.member" && event.content.membership === "join") {
      this.devicesChanged(event.stateKey ?? "");
    }
  }

  /** One answer of sync to each user. */
  flush(): void {
    if (!this.#server.isUp || this.#server.isPaused) return;
    for (const [roomId, news] of this.#news) {
      const replica = this.#server.rooms.get(roomId);
      if (replica !== undefined) this.#tell(replica, news);
    }
    this.#news.clear();
  }

  /** What a client that was told all this believes; undefined: it is not in the room. */
  view(user: string, roomId: string): StateIds | undefined {
    const known = this.#known.get(`${user} ${roomId}`);
    return known?.isJoined ? known.named : undefined;
  }

  toDevice(message: Extract<Edu, { kind: "to-device" }>): void {
    for (const device of this.devices.get(message.target) ?? []) {
      this.#server.world.journal.write({
        t: "to-device",
        server: this.#server.name,
        user: message.target,
        device,
        sender: message.sender,
        content: message.content,
      });
    }
  }

  devicesChanged(changed: string): void {
    const { rooms, world, name } = this.#server;
    for (const user of this.devices.keys()) {
      const shares = [...rooms.values()].some(
        (room) => room.membership(user) === "join" && room.membership(changed) === "join",
      );
      if (!shares && user !== changed) continue;
      world.journal.write({ t: "device-lists", server: name, user, changed: [changed], left: [] });
    }
  }

  #tell(replica: Replica, news: readonly Pdu[]): void {
    const { world, name } = this.#server;
    const named = replica.history.named(replica.current);
    for (const user of this.devices.keys()) {
      const key = `${user} ${replica.roomId}`;
      const before = this.#known.get(key) ?? { state: NOTHING, named: {}, isJoined: false };
      const isJoined = replica.membership(user) === "join";
      if (!isJoined && !before.isJoined) continue;
      const isNew = isJoined && !before.isJoined;
      const known = isNew ? {} : before.named;
      const changes = Object.entries(named).filter(([at, id]) => known[at] !== id);
      // Who joins is not shown what was before, who left not what came after.
      const own = news.findLastIndex(({ id }) => id === named[`m.room.member|${user}`]);
      const shown = isNew && own >= 0 ? news.slice(own) : isJoined ? news : news.slice(0, own + 1);
      this.#known.set(key, { state: replica.current, named, isJoined });
      world.journal.write({
        t: "sync",
        server: name,
        user,
        room: replica.roomId,
        section: isJoined ? "join" : "leave",
        timeline: shown.map(({ id, event }) => ({
          event_id: id,
          ...(event.stateKey === undefined ? {} : { key: `${event.type}|${event.stateKey}` }),
        })),
        limited: isNew,
        state: isJoined ? Object.fromEntries(changes) : {},
        is_state_after: true,
      });
    }
  }
}
