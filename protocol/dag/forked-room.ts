/**
 * A room of any size with forks, always the same: for measuring, and for comparing resolvers at size. Users take turns in
 * joining again and in setting topic, name and join rules, the founder sets power levels; every event is authorised.
 */
import type { JsonObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import type { DagEvent, DagFile } from "./dag-file.ts";

export interface ForkedRoomSize {
  readonly events: number;
  readonly forks?: number;
  /** More than forks. */
  readonly users?: number;
}

type Fork = { readonly state: Map<string, string>; last: string | undefined };
type Step = Pick<DagEvent, "type" | "content"> & { readonly stateKey: string };

const SERVERS = 5;
const FORKS_BEGIN_AT = 1_000_000;

/** One state set a fork: its state at the end. */
export function forkedRoom(version: RoomVersion, size: ForkedRoomSize): DagFile {
  const { events: count, forks: forkCount = 50, users = 100 } = size;
  const writer = new Writer(version, users);
  const trunk: Fork = { state: new Map(), last: undefined };
  writer.found(trunk);
  for (let step = 0; writer.events.length < count / 2; step++) {
    writer.step(trunk, step, step % users, 1000 + step);
  }
  const forks = Array.from({ length: forkCount }, () => ({
    ...trunk,
    state: new Map(trunk.state),
  }));
  const rounds = Math.floor(count / 2 / forkCount);
  for (let round = 0; round < rounds; round++) {
    for (const [at, fork] of forks.entries()) {
      writer.step(fork, round, at + 1, FORKS_BEGIN_AT + round * forkCount + at);
    }
  }
  return {
    id: `forked-room-${count}`,
    title: `${count} events, ${forkCount} forks`,
    className: "control",
    events: writer.events,
    stateSets: forks.map(({ state }) => Object.fromEntries(state)),
    expected: new Map(),
    fullConflictedSet: new Map(),
  };
}

class Writer {
  readonly events: DagEvent[] = [];
  readonly #users: readonly string[];
  readonly #levels: JsonObject;

  constructor(version: RoomVersion, users: number) {
    this.#users = Array.from({ length: users }, (_, at) => `@u${at}:h${at % SERVERS}`);
    const [founder = "", ...others] = this.#users;
    const levels = Object.fromEntries(others.map((user) => [user, 50]));
    this.#levels = version.hasPrivilegedCreators ? levels : { [founder]: 100, ...levels };
  }

  found(trunk: Fork): void {
    const [founder = "", ...others] = this.#users;
    this.#send(trunk, founder, 1, { type: "m.room.create", stateKey: "", content: {} });
    this.#send(trunk, founder, 2, join(founder, {}));
    this.#send(trunk, founder, 3, this.#powerLevels({}));
    this.#send(trunk, founder, 4, joinRules("public"));
    for (const [at, user] of others.entries()) this.#send(trunk, user, 5 + at, join(user, {}));
  }

  step(fork: Fork, step: number, who: number, ts: number): void {
    const sender = this.#users[step % 10 === 0 ? 0 : who] ?? "";
    this.#send(fork, sender, ts, this.#action(step, sender));
  }

  #action(step: number, sender: string): Step {
    switch (step % 10) {
      case 0:
        return this.#powerLevels({ "x.step": step % 50 });
      case 7:
        return { type: "m.room.topic", stateKey: "", content: { topic: `t${step}` } };
      case 8:
        return { type: "m.room.name", stateKey: "", content: { name: `n${step}` } };
      case 9:
        return joinRules(step % 20 === 9 ? "public" : "invite");
      default:
        return join(sender, { displayname: `d${step}` });
    }
  }

  #powerLevels(events: JsonObject): Step {
    return { type: "m.room.power_levels", stateKey: "", content: { users: this.#levels, events } };
  }

  #send(fork: Fork, sender: string, ts: number, { type, stateKey, content }: Step): void {
    const id = `e${String(this.events.length).padStart(6, "0")}`;
    const needed = [
      "m.room.power_levels|",
      `m.room.member|${sender}`,
      ...(type === "m.room.member" ? ["m.room.join_rules|"] : []),
    ];
    this.events.push({
      id,
      type,
      stateKey,
      sender,
      content,
      auth: needed.flatMap((key) => fork.state.get(key) ?? []),
      prev: fork.last === undefined ? [] : [fork.last],
      ts,
      isRejected: false,
    });
    fork.state.set(`${type}|${stateKey}`, id);
    fork.last = id;
  }
}

function join(user: string, profile: JsonObject): Step {
  return {
    type: "m.room.member",
    stateKey: user,
    content: { membership: "join", ...profile },
  };
}

function joinRules(rule: string): Step {
  return { type: "m.room.join_rules", stateKey: "", content: { join_rule: rule } };
}
