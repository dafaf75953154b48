/** Named partitions: which directed links are cut. */
import type { Choice } from "#protocol/dag/choice";
import type { PartitionName } from "./vocabulary.ts";

export interface Cut {
  /** How people call it: `halves`, `isolate hs1`, … */
  readonly title: string;
  readonly links: readonly string[];
  /** Cut and healed in turn. */
  readonly isFlapping: boolean;
}

/** @param servers their roles, two at least */
export function cutOf(name: PartitionName, servers: readonly string[], choice: Choice): Cut {
  const order = shuffled(servers, choice);
  const [one = "", other = ""] = order;
  const cut = (title: string, links: readonly string[], isFlapping = false): Cut => ({
    title,
    links,
    isFlapping,
  });
  switch (name) {
    case "halves": {
      const half = Math.ceil(order.length / 2);
      const [left, right] = [order.slice(0, half).sort(), order.slice(half).sort()];
      return cut(`halves ${left.join(" ")} and ${right.join(" ")}`, between(left, right));
    }
    case "isolate":
      return cut(`isolate ${one}`, between([one], order.slice(1)));
    case "one-way":
      return cut(`one way: ${one} does not reach ${other}`, [`${one}>${other}`]);
    case "ring":
      // Each reaches its neighbours only; of three servers, each reaches the next and not the one before.
      return cut(
        "ring",
        order.length > 3
          ? pairs(order).filter((link) => !isNeighbour(link, order))
          : order.map((each, at) => `${order[(at + 1) % order.length]}>${each}`),
      );
    case "bridge": {
      const rest = order.slice(1);
      const half = Math.ceil(rest.length / 2);
      return rest.length < 2
        ? cut(`isolate ${one}`, between([one], rest))
        : cut(`bridge by ${one}`, between(rest.slice(0, half), rest.slice(half)));
    }
    case "flapping":
      return cut(`flapping ${one}`, between([one], order.slice(1)), true);
  }
}

function between(left: readonly string[], right: readonly string[]): readonly string[] {
  return left.flatMap((from) => right.flatMap((to) => [`${from}>${to}`, `${to}>${from}`]));
}

/** All directed links. */
export function pairs(servers: readonly string[]): readonly string[] {
  return servers.flatMap((from) =>
    servers.filter((to) => to !== from).map((to) => `${from}>${to}`),
  );
}

function isNeighbour(link: string, order: readonly string[]): boolean {
  const [from = 0, to = 0] = link.split(">").map((end) => order.indexOf(end));
  const apart = Math.abs(from - to);
  return apart === 1 || apart === order.length - 1;
}

function shuffled<T>(items: readonly T[], choice: Choice): T[] {
  const left = [...items];
  return items.map(() => left.splice(choice.integer(left.length), 1)[0] as T);
}
