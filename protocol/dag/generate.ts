/**
 * Random DAGs for judging resolvers: what is generated is decided by the version and the random numbers alone. Kinds:
 *
 * - `stale`: a linear history, and its end with one or two keys as they were at earlier moments
 * - `honest`: a linear history, and the state at one of the three moments before its end
 * - `forks`: a tree of branches, every event authorised on its own branch, and the ends of the branches
 * - `hostile`: the same with wrong citations, wrong events, wrong rejections and tampered state sets
 * - `room`: the forked room of forked-room.ts in a small size
 *
 * Left out is what Synapse can not take, since it could not have stored such an event: power levels with values that are no
 * numbers and stand unrejected, citations of events that are no state, memberships without a text, ids without a domain, the
 * create event among the citations of version 12, and rooms in which a state set lacks the create event. Left out as well
 * is where it knowingly departs from the text (docs/dag-format.md has the list).
 */
import { isObject } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { type Branch, DagAuthor, type Draft } from "./author.ts";
import { Choice } from "./choice.ts";
import type { DagEvent, DagFile, NamedState } from "./dag-file.ts";
import { forkedRoom } from "./forked-room.ts";
import { opening, randomDraft } from "./operations.ts";

export const DAG_KINDS = ["stale", "honest", "forks", "hostile", "room"] as const;
export type DagKind = (typeof DAG_KINDS)[number];

const HISTORY = 18;
/** After so many refused drafts a history stays shorter. */
const MAX_DRAFTS = 400;
/** What a wrong clock is ahead, in steps of time. */
const SKEW = 50;

/** @param random in [0, 1) */
export function generateDag(random: () => number, version: RoomVersion, kind: DagKind): DagFile {
  const generator = new Generator(new Choice(random), version);
  const { events, stateSets } = generator.generate(kind);
  return {
    id: kind,
    title: `random, ${kind}`,
    className: "random",
    events,
    stateSets,
    expected: new Map(),
    fullConflictedSet: new Map(),
  };
}

type Generated = Pick<DagFile, "events" | "stateSets">;

class Generator {
  readonly #choice: Choice;
  readonly #author: DagAuthor;
  readonly #hasWrongClocks: boolean;
  #clock = 0;
  /** Rejected events that lengthen no history. */
  #refused = 0;

  constructor(choice: Choice, version: RoomVersion) {
    this.#choice = choice;
    this.#author = new DagAuthor(version);
    this.#hasWrongClocks = choice.chance(0.4);
  }

  generate(kind: DagKind): Generated {
    switch (kind) {
      case "stale":
        return this.#history(staleSet);
      case "honest":
        return this.#history(earlierSet);
      case "forks":
        return this.#forks(false);
      case "hostile":
        return this.#forks(true);
      case "room": {
        const forks = 2 + this.#choice.integer(6);
        const users = forks + 2 + this.#choice.integer(12);
        const events = 2 * users + 20 + this.#choice.integer(120);
        return forkedRoom(this.#author.version, { events, forks, users });
      }
    }
  }

  #history(second: (choice: Choice, moments: readonly NamedState[]) => NamedState): Generated {
    const branch = this.#open();
    const moments = [Object.fromEntries(branch.state)];
    for (let drafts = 0; drafts < MAX_DRAFTS && this.#length < HISTORY; drafts++) {
      if (this.#sendIfAllowed(branch)) moments.push(Object.fromEntries(branch.state));
    }
    const last = Object.fromEntries(branch.state);
    return { events: this.#author.events, stateSets: [last, second(this.#choice, moments)] };
  }

  #forks(isHostile: boolean): Generated {
    const choice = this.#choice;
    const branches = [this.#open()];
    const trunk = 4 + choice.integer(8);
    const total = trunk + 6 + choice.integer(16);
    const maxBranches = 2 + choice.integer(3);
    for (let drafts = 0; drafts < MAX_DRAFTS && this.#length < total; drafts++) {
      const isForked = this.#length >= trunk;
      if (
        isForked &&
        branches.length < maxBranches &&
        (branches.length < 2 || choice.chance(0.2))
      ) {
        const { state, last } = choice.pick(branches);
        branches.push({ state: new Map(state), last });
      }
      const branch = choice.pick(branches);
      if (isHostile && choice.chance(0.35)) this.#sendAnyway(branch);
      else this.#sendIfAllowed(branch);
    }
    const sets = branches.map(({ state }) => Object.fromEntries(state));
    const stateSets = sets.length < 2 ? [...sets, ...sets] : sets;
    const { events } = this.#author;
    const usable = this.#mayHoldRejected ? events : events.filter((event) => !event.isRejected);
    return { events, stateSets: isHostile ? tampered(stateSets, usable, choice) : stateSets };
  }

  /** Version 1 does not say what a rejected event in a state is worth. */
  get #mayHoldRejected(): boolean {
    return this.#author.version.stateResolution !== "v1";
  }

  get #length(): number {
    return this.#author.events.length - this.#refused;
  }

  #open(): Branch {
    const branch: Branch = { state: new Map(), last: undefined };
    for (const draft of opening(this.#choice, this.#author.version)) {
      this.#author.extend(branch, this.#draft(draft, branch));
    }
    return branch;
  }

  #sendIfAllowed(branch: Branch): boolean {
    const event = this.#draft(randomDraft(this.#scene(branch)), branch);
    if (this.#author.isAllowed(event)) {
      this.#author.extend(branch, event);
      return true;
    }
    // Some stay, rejected and with nothing built on them, so that refusals are compared too.
    if (this.#choice.chance(0.2)) {
      this.#author.send({ ...event, isRejected: true });
      this.#refused++;
    }
    return false;
  }

  /** An event that need not be allowed, or is made so that it can not be, and that servers may have judged wrongly. */
  #sendAnyway(branch: Branch): void {
    const choice = this.#choice;
    const drafted = this.#draft(randomDraft(this.#scene(branch)), branch);
    const event = choice.chance(0.5) ? this.#withOtherCitations(drafted) : drafted;
    const isRejected = this.#author.isAllowed(event) ? choice.chance(0.05) : choice.chance(0.7);
    if (choice.chance(0.1)) this.#author.send(this.#malformed(event));
    else if (this.#author.isMalformed(event)) this.#author.send({ ...event, isRejected: true });
    else if (isRejected && (!this.#mayHoldRejected || choice.chance(0.9))) {
      this.#author.send({ ...event, isRejected });
    } else this.#author.extend(branch, { ...event, isRejected });
  }

  #withOtherCitations(event: DagEvent): DagEvent {
    const choice = this.#choice;
    const { events, create } = this.#author;
    const auth = [...event.auth];
    const at = choice.integer(Math.max(auth.length, 1));
    const citable = events.filter(
      (one) => one.stateKey !== undefined && one !== create && !this.#author.isMalformed(one),
    );
    const keyOf = (id: string | undefined) => {
      const found = events.find((one) => one.id === id);
      return `${found?.type}|${found?.stateKey}`;
    };
    const alike = citable.filter((one) => keyOf(one.id) === keyOf(auth[at]));
    switch (choice.integer(4)) {
      case 0:
        auth.splice(at, 1);
        break;
      case 1:
        if (alike.length > 0) auth[at] = choice.pick(alike).id;
        break;
      case 2:
        if (citable.length > 0) auth.splice(at, 0, choice.pick(citable).id);
        break;
      case 3:
        // One that no server has.
        auth.push("unknown");
    }
    return { ...event, auth };
  }

  /** Power levels that nobody may set, or a second create event; nothing is built on either. */
  #malformed(event: DagEvent): DagEvent {
    const { version, create } = this.#author;
    if (!version.isRoomIdHash && this.#choice.chance(0.3)) {
      const second = { ...event, type: create.type, stateKey: "", auth: [] };
      const content = { room_version: version.id, creator: event.sender };
      return this.#choice.pick([
        { ...second, content, prev: [], isRejected: false },
        { ...second, content, isRejected: true },
        { ...second, content: { ...content, room_version: "none" }, prev: [], isRejected: true },
        { ...second, content: {}, prev: [], isRejected: true },
      ]);
    }
    const { content } = event;
    const users = isObject(content.users) ? content.users : {};
    const wrong = this.#choice.pick([
      { ...content, users: { ...users, bob: 50 } },
      { ...content, users: { ...users, "@bob:h1": "many" } },
      { ...content, users: { ...users, "@bob:h1": [50] } },
      ...(version.hasIntegerLevels
        ? [
            { ...content, ban: "50" },
            { ...content, kick: null },
            { ...content, events: [] },
            { ...content, notifications: { room: "50" } },
          ]
        : []),
    ]);
    const type = "m.room.power_levels";
    return { ...event, type, stateKey: "", content: wrong, isRejected: true };
  }

  #draft(draft: Draft, branch: Branch): DagEvent {
    const choice = this.#choice;
    const count = this.#author.events.length;
    // Equal times, and ids in another order than that of sending: so that every key of the orderings decides at times.
    if (count === 0 || !choice.chance(0.15)) this.#clock++;
    const isAhead = count > 3 && this.#hasWrongClocks && choice.chance(0.25);
    const id = `${choice.pick(["a", "b", "c", "d"])}${count}`;
    return this.#author.draft(draft, branch, id, this.#clock + (isAhead ? SKEW : 0));
  }

  #scene(branch: Branch) {
    return { choice: this.#choice, author: this.#author, branch };
  }
}

/** The end with one or two keys from earlier moments; a key may be absent there. */
function staleSet(choice: Choice, moments: readonly NamedState[]): NamedState {
  const state: Record<string, string> = { ...moments.at(-1) };
  const keys = Object.keys(state).filter((key) => key !== CREATE);
  const count = 1 + choice.integer(2);
  for (let change = 0; change < count; change++) {
    const key = choice.pick(keys);
    setOrDelete(state, key, choice.pick(moments)[key]);
  }
  return state;
}

function earlierSet(choice: Choice, moments: readonly NamedState[]): NamedState {
  const before = moments.slice(-4, -1);
  return before.length > 0 ? choice.pick(before) : (moments[0] ?? {});
}

/** Keys that are lost, or hold any event that was ever sent for them. */
function tampered(
  sets: readonly NamedState[],
  events: readonly DagEvent[],
  choice: Choice,
): readonly NamedState[] {
  const changed = sets.map((set): Record<string, string> => ({ ...set }));
  const states = events.slice(1).filter(({ stateKey }) => stateKey !== undefined);
  const count = choice.integer(5);
  for (let change = 0; change < count; change++) {
    const event = choice.pick(states);
    const key = `${event.type}|${event.stateKey}`;
    const isLost = choice.chance(0.3) && key !== CREATE;
    setOrDelete(choice.pick(changed), key, isLost ? undefined : event.id);
  }
  return changed;
}

const CREATE = "m.room.create|";

function setOrDelete(state: Record<string, string>, key: string, id: string | undefined): void {
  if (id === undefined) delete state[key];
  else state[key] = id;
}
