/** Checks of events against a state that grows: what both versions of state resolution are made of. */
import type { Rejection } from "#protocol/auth/rejection";
import { type AuthState, checkState } from "#protocol/auth/rules";
import { SLOTS, type Slot } from "#protocol/auth/selection";
import type { State } from "./conflicts.ts";
import { type EventGraph, type GraphNode, NONE } from "./event-graph.ts";
import type { Trace } from "./trace.ts";

const CREATE = SLOTS.indexOf("create");

/** The state that decides about one event, by slot, NONE where there is none. Used anew for each event. */
export class Deciding {
  readonly #graph: EventGraph;
  readonly #indexes: number[] = SLOTS.map(() => NONE);
  readonly #isResolved: boolean[] = SLOTS.map(() => false);

  constructor(graph: EventGraph) {
    this.#graph = graph;
  }

  /** First what the event cites, unless it was rejected, then what is resolved, which counts more. */
  fill(node: GraphNode, resolved: State, citesOwn: boolean): void {
    const graph = this.#graph;
    const needs = node.needs(graph);
    const indexes = this.#indexes;
    indexes.fill(NONE);
    if (citesOwn) {
      for (const cited of node.auth) {
        const { key, isRejected } = graph.node(cited);
        if (isRejected) continue;
        for (let slot = 0; slot < needs.length; slot++) {
          if (needs[slot] === key) indexes[slot] = cited;
        }
      }
    }
    for (let slot = 0; slot < needs.length; slot++) {
      const key = needs[slot] ?? NONE;
      const index = key === NONE ? NONE : (resolved[key] ?? NONE);
      const isUsable = index !== NONE && !graph.node(index).isRejected;
      if (isUsable) indexes[slot] = index;
      this.#isResolved[slot] = isUsable;
    }
    // No event of version 12 cites the create event, and the state it is replayed on may not have it yet (MSC4291).
    if (indexes[CREATE] === NONE && node.version.isRoomIdHash) indexes[CREATE] = graph.create;
  }

  check(node: GraphNode): Rejection | undefined {
    return checkState(node, this.#state(), node.version);
  }

  /** For the trace: what was used, and whence. */
  used(): { slot: Slot; id: string; from: "resolved" | "auth-events" | "room" }[] {
    return SLOTS.flatMap((slot, at) => {
      const index = this.#indexes[at] ?? NONE;
      if (index === NONE) return [];
      const from = this.#isResolved[at]
        ? "resolved"
        : slot === "create" && this.#graph.version.isRoomIdHash
          ? "room"
          : "auth-events";
      return [{ slot, id: this.#graph.node(index).event.id, from }];
    });
  }

  #state(): AuthState {
    const [create, powerLevels, joinRules, sender, target, authoriser, thirdPartyInvite] =
      this.#indexes;
    return {
      create: this.#node(create),
      powerLevels: this.#node(powerLevels),
      joinRules: this.#node(joinRules),
      sender: this.#node(sender),
      target: this.#node(target),
      authoriser: this.#node(authoriser),
      thirdPartyInvite: this.#node(thirdPartyInvite),
    };
  }

  #node(index: number | undefined): GraphNode | undefined {
    return index === undefined || index === NONE ? undefined : this.#graph.nodes[index];
  }
}

/**
 * Iterative auth checks (rooms/v2): each event in order is checked against the state so far, with its own auth events where
 * that has nothing, and joins the state when it is allowed. Changes `state`. An event that was rejected when it came is
 * never admitted: so do Synapse and those that follow it, although the specification would check it again.
 */
export function iterativeAuthChecks(
  graph: EventGraph,
  order: readonly number[],
  state: State,
  pass: "power" | "ordinary",
  trace: Trace | undefined,
): void {
  const deciding = new Deciding(graph);
  for (const index of order) {
    const node = graph.node(index);
    if (node.isRejected || node.key === NONE) continue;
    deciding.fill(node, state, true);
    const rejection = deciding.check(node);
    const before = state[node.key] ?? NONE;
    if (rejection === undefined) state[node.key] = index;
    if (trace === undefined) continue;
    trace({
      kind: "check",
      pass,
      id: node.event.id,
      used: deciding.used(),
      ...(rejection === undefined ? {} : { rejection }),
      ...(rejection === undefined && before !== NONE
        ? { replaces: graph.node(before).event.id }
        : {}),
    });
  }
}
