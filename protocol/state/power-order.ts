/** Reverse topological power ordering (rooms/v2): cited events first, then by level, time and id. */
import { userLevel } from "#protocol/auth/rules";
import { type EventGraph, type GraphNode, NONE } from "./event-graph.ts";
import type { Trace } from "./trace.ts";

/** Power events: those that can take abilities away from others. */
export function isPowerEvent({ event, membership }: GraphNode): boolean {
  switch (event.type) {
    case "m.room.create":
    case "m.room.power_levels":
    case "m.room.join_rules":
      return event.stateKey === "";
    case "m.room.member":
      return (membership === "leave" || membership === "ban") && event.sender !== event.stateKey;
    default:
      return false;
  }
}

/**
 * The power events and what they cite, step by step, within the full conflicted set, in order.
 *
 * Citations that leave the set and lead back into it are not followed. The text would follow them; the implementations
 * that rooms run on do not, and an order of our own would help nobody.
 */
export function powerOrder(
  graph: EventGraph,
  powerEvents: readonly number[],
  fullConflictedSet: ReadonlySet<number>,
  trace: Trace | undefined,
): readonly number[] {
  // Citations that are still to come, and the events that wait for each.
  const waitsFor = new Map<number, number>();
  const waiting = new Map<number, number[]>();
  const stack = [...powerEvents];
  const ready = new Heap((a, b) => comesBefore(graph, a, b));
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (waitsFor.has(index)) continue;
    let count = 0;
    const { auth } = graph.node(index);
    for (const [at, cited] of auth.entries()) {
      if (!fullConflictedSet.has(cited) || auth.indexOf(cited) !== at) continue;
      count++;
      const others = waiting.get(cited);
      if (others === undefined) waiting.set(cited, [index]);
      else others.push(index);
      if (!waitsFor.has(cited)) stack.push(cited);
    }
    waitsFor.set(index, count);
    if (count === 0) ready.push(index);
  }
  const order: number[] = [];
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    order.push(next);
    if (trace !== undefined) trace(pickStep(graph, next, ready.peek(), ready.items));
    for (const index of waiting.get(next) ?? []) {
      const left = (waitsFor.get(index) ?? 0) - 1;
      waitsFor.set(index, left);
      if (left === 0) ready.push(index);
    }
  }
  return order;
}

function comesBefore(graph: EventGraph, a: number, b: number): boolean {
  const [one, other] = [graph.node(a), graph.node(b)];
  const byLevel = senderLevel(graph, other) - senderLevel(graph, one);
  // Two creators are equal, and infinity less infinity is no number.
  if (byLevel < 0) return true;
  if (byLevel > 0) return false;
  return isEarlier(one, other);
}

/** By time, then by id. */
export function isEarlier({ event: a }: GraphNode, { event: b }: GraphNode): boolean {
  if (a.originServerTs !== b.originServerTs) return a.originServerTs < b.originServerTs;
  return a.id < b.id;
}

/** The sender's level as the event's own auth events have it. */
function senderLevel(graph: EventGraph, node: GraphNode): number {
  node.senderLevel ??= findSenderLevel(graph, node);
  return node.senderLevel;
}

function findSenderLevel(graph: EventGraph, node: GraphNode): number {
  if (node.key === graph.createKey) return userLevel(node.event.sender, node, undefined);
  const cited = node.auth.find((index) => graph.node(index).key === graph.createKey);
  const create = cited ?? graph.create;
  if (create === NONE) return 0;
  const levels = node.auth.findLast((index) => graph.node(index).key === graph.powerKey);
  return userLevel(
    node.event.sender,
    graph.node(create),
    levels === undefined ? undefined : graph.node(levels).levels,
  );
}

function pickStep(
  graph: EventGraph,
  picked: number,
  runnerUp: number | undefined,
  waiting: readonly number[],
) {
  const node = graph.node(picked);
  const level = senderLevel(graph, node);
  const step = {
    kind: "pick" as const,
    id: node.event.id,
    level,
    originServerTs: node.event.originServerTs,
    waiting: waiting.map((index) => graph.node(index).event.id),
  };
  if (runnerUp === undefined) return step;
  const other = graph.node(runnerUp);
  const by =
    senderLevel(graph, other) !== level
      ? ("level" as const)
      : other.event.originServerTs !== node.event.originServerTs
        ? ("origin_server_ts" as const)
        : ("event_id" as const);
  return { ...step, runnerUp: other.event.id, by };
}

/** A binary heap of event indexes. */
class Heap {
  readonly #comesBefore: (a: number, b: number) => boolean;
  readonly #items: number[] = [];

  constructor(comesBefore: (a: number, b: number) => boolean) {
    this.#comesBefore = comesBefore;
  }

  /** As they lie. */
  get items(): readonly number[] {
    return this.#items;
  }

  peek(): number | undefined {
    return this.#items[0];
  }

  push(item: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] ?? NONE;
      if (!this.#comesBefore(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      const right = child + 1;
      if (right < items.length && this.#comesBefore(items[right] ?? NONE, items[child] ?? NONE)) {
        child = right;
      }
      const below = items[child] ?? NONE;
      if (!this.#comesBefore(below, last)) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
    return first;
  }
}
