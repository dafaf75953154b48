/**
 * State resolution of room version 1 (rooms/v1): conflicts of power levels, join rules, memberships, then the rest; in each
 * the candidates by depth, the last that the one before it allows.
 */
import { sha1 } from "@noble/hashes/legacy.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { Deciding } from "./auth-checks.ts";
import { type State, separate } from "./conflicts.ts";
import { type EventGraph, type GraphNode, NONE } from "./event-graph.ts";
import type { Trace } from "./trace.ts";

export function resolveV1(
  graph: EventGraph,
  sets: readonly (readonly number[])[],
  trace: Trace | undefined,
): State {
  const { unconflicted, conflicted, conflictedKeys } = separate(graph, sets, "where-present");
  const byKey = Map.groupBy(conflicted, (index) => graph.node(index).key);
  for (const index of conflicted) graph.node(index).needs(graph);
  const state = new Int32Array(graph.keyCount).fill(NONE);
  state.set(unconflicted);
  const resolver = new Resolver(graph, state, trace);
  const keysOf = (type: string) =>
    conflictedKeys.filter((key) => graph.keyName(key)[0] === type && byKey.has(key));
  const groups = [[graph.powerKey], keysOf("m.room.join_rules"), keysOf("m.room.member")];
  const done = new Set(groups.flat());
  for (const keys of groups) {
    // Results of a group count from the next group on.
    const winners = keys.map((key) => [key, resolver.auth(key, byKey.get(key) ?? [])] as const);
    for (const [key, winner] of winners) if (winner !== NONE) state[key] = winner;
  }
  const rest = conflictedKeys.filter((key) => !done.has(key));
  const winners = rest.map((key) => [key, resolver.ordinary(key, byKey.get(key) ?? [])] as const);
  for (const [key, winner] of winners) if (winner !== NONE) state[key] = winner;
  return state;
}

class Resolver {
  readonly #graph: EventGraph;
  readonly #state: State;
  readonly #trace: Trace | undefined;
  readonly #deciding: Deciding;

  constructor(graph: EventGraph, state: State, trace: Trace | undefined) {
    this.#graph = graph;
    this.#state = state;
    this.#trace = trace;
    this.#deciding = new Deciding(graph);
  }

  /** From the least depth up, while each is allowed on top of the one before. */
  auth(key: number, candidates: readonly number[]): number {
    const ordered = this.#byDepth(key, candidates);
    let [winner = NONE] = ordered;
    for (const index of ordered.slice(1)) {
      const before = this.#state[key] ?? NONE;
      this.#state[key] = winner;
      const isAllowed = this.#isAllowed(index);
      this.#state[key] = before;
      if (!isAllowed) break;
      winner = index;
    }
    return winner;
  }

  /** From the greatest depth down, the first that is allowed; the least when none is. */
  ordinary(key: number, candidates: readonly number[]): number {
    const ordered = this.#byDepth(key, candidates).toReversed();
    return ordered.find((index) => this.#isAllowed(index)) ?? ordered.at(-1) ?? NONE;
  }

  #isAllowed(index: number): boolean {
    const node = this.#graph.node(index);
    this.#deciding.fill(node, this.#state, false);
    const rejection = this.#deciding.check(node);
    this.#trace?.({
      kind: "check",
      pass: "v1",
      id: node.event.id,
      used: this.#deciding.used(),
      ...(rejection === undefined ? {} : { rejection }),
    });
    return rejection === undefined;
  }

  #byDepth(key: number, candidates: readonly number[]): readonly number[] {
    const nodes = candidates.map((index) => this.#graph.node(index));
    nodes.sort(compareDepth);
    const [type, stateKey] = this.#graph.keyName(key);
    this.#trace?.({
      kind: "depth-order",
      key: { type, stateKey },
      ids: nodes.map(({ event }) => event.id),
    });
    return nodes.map(({ index }) => index);
  }
}

/** Least depth first; at equal depth the greater SHA-1 of the id first. */
function compareDepth({ event: a }: GraphNode, { event: b }: GraphNode): number {
  if (a.depth !== b.depth) return a.depth - b.depth;
  return hexSha1(a.id) < hexSha1(b.id) ? 1 : -1;
}

function hexSha1(id: string): string {
  return bytesToHex(sha1(utf8ToBytes(id)));
}
