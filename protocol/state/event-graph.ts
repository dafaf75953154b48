/**
 * The events of one room, interned: ids, and pairs of type and state key, become small integers. An event's index is
 * greater than those of the events that it cites, so that one pass over indexes walks whole auth chains.
 */
import { AuthEvent } from "#protocol/auth/auth-event";
import { SLOTS, selectAuthState } from "#protocol/auth/selection";
import type { RoomEvent } from "#protocol/events/event";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { sortByReferences } from "./topological.ts";

/** No event, no key. */
export const NONE = -1;

export class GraphNode extends AuthEvent {
  readonly index: number;
  /** Number of its type and state key; NONE for events that are no state. */
  readonly key: number;
  /** Indexes of the events that it cites and that are known, in the order given. */
  readonly auth: readonly number[];
  /** The first power-levels event among them, or NONE. */
  readonly powerParent: number;
  readonly isRejected: boolean;
  /** By slot (see SLOTS) the key of the state that authorises it; filled when first asked for. */
  #needs: readonly number[] | undefined;
  /** Of its sender by its own auth events, once it was asked for. */
  senderLevel: number | undefined;

  constructor(
    event: RoomEvent,
    version: RoomVersion,
    place: Pick<GraphNode, "index" | "key" | "auth" | "powerParent" | "isRejected">,
  ) {
    super(event, version);
    this.index = place.index;
    this.key = place.key;
    this.auth = place.auth;
    this.powerParent = place.powerParent;
    this.isRejected = place.isRejected;
  }

  needs(graph: EventGraph): readonly number[] {
    this.#needs ??= neededKeys(this, graph);
    return this.#needs;
  }
}

function neededKeys({ event, version }: GraphNode, graph: EventGraph): readonly number[] {
  const keys: number[] = SLOTS.map(() => NONE);
  for (const { slot, type, stateKey } of selectAuthState(event, version)) {
    keys[SLOTS.indexOf(slot)] = graph.keyOf(type, stateKey);
  }
  return keys;
}

export class EventGraph {
  readonly version: RoomVersion;
  readonly nodes: GraphNode[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #keys = new Map<string, Map<string, number>>();
  readonly #keyNames: (readonly [type: string, stateKey: string])[] = [];
  /** Key of m.room.create and m.room.power_levels. */
  readonly createKey: number;
  readonly powerKey: number;
  /** Index of the room's create event, the first that was added, or NONE. */
  create: number = NONE;

  constructor(version: RoomVersion) {
    this.version = version;
    this.createKey = this.keyOf("m.room.create", "");
    this.powerKey = this.keyOf("m.room.power_levels", "");
  }

  /**
   * A graph of these events in any order. An event that cites itself by way of others, which ids of room versions 1 and 2
   * allow, loses that citation.
   *
   * @param rejected ids of events that were refused when they came
   */
  static of(
    events: Iterable<RoomEvent>,
    version: RoomVersion,
    rejected: ReadonlySet<string> = new Set(),
  ): EventGraph {
    const graph = new EventGraph(version);
    for (const event of sortByReferences(events, ({ authEvents }) => authEvents)) {
      graph.add(event, rejected.has(event.id));
    }
    return graph;
  }

  /** Adds an event after those that it cites; citations of unknown events are left out. Returns its index. */
  add(event: RoomEvent, isRejected = false): number {
    const known = this.#indexes.get(event.id);
    if (known !== undefined) return known;
    const node = this.#place(event, isRejected);
    const { index } = node;
    this.nodes.push(node);
    this.#indexes.set(event.id, index);
    if (this.create === NONE && node.key === this.createKey) this.create = index;
    return index;
  }

  /** Forgets the event that was added last: for searches that try one after another. Numbers of keys stay. */
  removeLast(): void {
    const node = this.nodes.pop();
    if (node === undefined) return;
    this.#indexes.delete(node.event.id);
    if (this.create === node.index) this.create = NONE;
  }

  /** The node that an event would become, for checks before it is one. */
  draft(event: RoomEvent): GraphNode {
    return this.#place(event, false);
  }

  #place(event: RoomEvent, isRejected: boolean): GraphNode {
    const auth: number[] = [];
    let powerParent = NONE;
    for (const id of event.authEvents) {
      const cited = this.#indexes.get(id);
      if (cited === undefined) continue;
      auth.push(cited);
      if (powerParent === NONE && this.node(cited).key === this.powerKey) powerParent = cited;
    }
    const key = event.stateKey === undefined ? NONE : this.keyOf(event.type, event.stateKey);
    const index = this.nodes.length;
    return new GraphNode(event, this.version, { index, key, auth, powerParent, isRejected });
  }

  node(index: number): GraphNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`the graph has no event ${index}`);
    return node;
  }

  indexOf(id: string): number | undefined {
    return this.#indexes.get(id);
  }

  /** The number of a type and state key; a new one when it was not seen before. */
  keyOf(type: string, stateKey: string): number {
    let ofType = this.#keys.get(type);
    if (ofType === undefined) {
      ofType = new Map();
      this.#keys.set(type, ofType);
    }
    let key = ofType.get(stateKey);
    if (key === undefined) {
      key = this.#keyNames.length;
      this.#keyNames.push([type, stateKey]);
      ofType.set(stateKey, key);
    }
    return key;
  }

  /** How many keys have a number. */
  get keyCount(): number {
    return this.#keyNames.length;
  }

  /** Type and state key of a number. */
  keyName(key: number): readonly [type: string, stateKey: string] {
    return this.#keyNames[key] ?? ["", ""];
  }
}
