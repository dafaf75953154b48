/** Who is above and below an event in its graph: rows as a byte each, 1 for those that are. */
import type { Edges, Graph } from "#tardis/model/graph";

/** All that it follows. */
export function ancestorsOf({ edges }: Graph, row: number): Uint8Array {
  return reached(edges.prev, row);
}

/** All that it cites, and what that cites. */
export function authChainOf({ edges }: Graph, row: number): Uint8Array {
  return reached(edges.auth, row);
}

/** All that follows it. */
export function descendantsOf({ size, edges: { prev } }: Graph, row: number): Uint8Array {
  const { offsets, targets } = prev;
  const found = new Uint8Array(size);
  // Rows come after those that they follow, so that one pass is enough.
  for (let at = row + 1; at < size; at++) {
    for (let edge = offsets[at] ?? 0; edge < (offsets[at + 1] ?? 0); edge++) {
      const target = targets[edge] ?? -1;
      if (target === row || found[target] === 1) found[at] = 1;
    }
  }
  return found;
}

/** By row, how many events follow it. */
export function followersOf({ size, edges: { prev } }: Graph): Uint32Array {
  const counts = new Uint32Array(size);
  for (const target of prev.targets) if (target >= 0) counts[target] = (counts[target] ?? 0) + 1;
  return counts;
}

function reached({ offsets, targets }: Edges, row: number): Uint8Array {
  const found = new Uint8Array(offsets.length - 1);
  const stack = [row];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (let edge = offsets[at] ?? 0; edge < (offsets[at + 1] ?? 0); edge++) {
      const target = targets[edge] ?? -1;
      if (target < 0 || found[target] === 1) continue;
      found[target] = 1;
      stack.push(target);
    }
  }
  return found;
}
