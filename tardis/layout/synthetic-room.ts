/**
 * Graphs of rooms of any size, always the same for a seed: for measuring and for trying the layout. Servers send at random, each
 * on top of what has come to it; deliveries take time, and splits hold them up.
 */
import { type Edges, edgesOf } from "#tardis/model/graph";

export interface SyntheticRoom {
  readonly edges: Edges;
  /** By row, the server that sent it. */
  readonly servers: Uint8Array;
}

export interface SyntheticRoomSize {
  readonly events: number;
  /** At most 256. */
  readonly servers: number;
  readonly seed: number;
}

/** As Synapse has it. */
const MOST_PREVIOUS = 10;
/** In events sent meanwhile, on average. */
const DELAY = 3;
const SPLIT_EVERY = 2_000;
const SPLIT_LENGTH = 150;

export function syntheticRoom({ events, servers: count, seed }: SyntheticRoomSize): SyntheticRoom {
  const random = mulberry32(seed);
  const servers = Array.from({ length: count }, () => new Server(events));
  const sentBy = new Uint8Array(events);
  const rows: number[][] = [];
  for (let row = 0; row < events; row++) {
    const isSplit = row % SPLIT_EVERY >= SPLIT_EVERY - SPLIT_LENGTH;
    const from = Math.floor(random() * count);
    const server = servers[from];
    if (server === undefined) break;
    server.receive(row, rows);
    // Nothing can begin a room but its first event.
    if (row > 0 && server.heads.size === 0) server.learn(0, rows);
    const previous = [...server.heads].slice(-MOST_PREVIOUS);
    rows.push(previous);
    sentBy[row] = from;
    server.learn(row, rows);
    for (const [to, other] of servers.entries()) {
      if (to === from) continue;
      const isCut = isSplit && to < count / 2 !== from < count / 2;
      const delay = 1 + Math.floor(random() * 2 * DELAY) + (isCut ? SPLIT_LENGTH : 0);
      other.send(row, row + delay);
    }
  }
  return { edges: edgesOf(rows), servers: sentBy };
}

class Server {
  readonly heads = new Set<number>();
  readonly #knows: Uint8Array;
  /** Rows by when they come. */
  readonly #coming = new Map<number, number[]>();
  #seen = 0;

  constructor(events: number) {
    this.#knows = new Uint8Array(events);
  }

  send(row: number, at: number): void {
    const others = this.#coming.get(at);
    if (others === undefined) this.#coming.set(at, [row]);
    else others.push(row);
  }

  receive(now: number, rows: readonly (readonly number[])[]): void {
    for (; this.#seen <= now; this.#seen++) {
      for (const row of this.#coming.get(this.#seen) ?? []) this.learn(row, rows);
      this.#coming.delete(this.#seen);
    }
  }

  /** With all that is before it, which it would ask for. */
  learn(row: number, rows: readonly (readonly number[])[]): void {
    const stack = [row];
    const learned: number[] = [];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      if (this.#knows[top] === 1) continue;
      this.#knows[top] = 1;
      learned.push(top);
      stack.push(...(rows[top] ?? []));
    }
    for (const each of learned.sort((a, b) => a - b)) {
      for (const previous of rows[each] ?? []) this.heads.delete(previous);
      this.heads.add(each);
    }
  }
}

/** Small, fast, and good enough to draw by. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
