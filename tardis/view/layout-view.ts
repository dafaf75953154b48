/** Where the events of a run stand, and the lines between them: all, or a range of them, with runs folded or not. */
import { collapse } from "#tardis/layout/collapse";
import { levelsOf } from "#tardis/layout/edge-index";
import { layOutLanes } from "#tardis/layout/lanes";
import type { Edges } from "#tardis/model/graph";
import { extremitiesIn, HAS, knowledgeOf } from "#tardis/model/knowledge";
import type { Run } from "#tardis/model/run";
import { untilOfRoom } from "./failing-moment.ts";
import { CONFLICTS, type LayoutAsk, type LayoutView, REJECTED, UNEXPECTED } from "./messages.ts";

/** What is never folded. */
const STAY = CONFLICTS | REJECTED | UNEXPECTED;

/** All rows. */
export function wholeLayout({ graph }: Run): LayoutView {
  const rows = Uint32Array.from({ length: graph.size }, (_, row) => row);
  return layoutOf(rows, graph.edges.prev, undefined);
}

/**
 * @param flags by row, as in JudgedView
 * @param servers by row, that of its sender
 */
export function layoutView(
  run: Run,
  ask: LayoutAsk,
  flags: Uint8Array,
  servers: Uint32Array,
): LayoutView {
  const [first, last] = ask.range ?? [0, run.graph.size - 1];
  const all = between(run.graph.edges.prev, first, last);
  const bands = ask.isByServer ? servers : undefined;
  if (!ask.isFolded) {
    const rows = Uint32Array.from({ length: last - first + 1 }, (_, place) => first + place);
    return layoutOf(rows, all, bands);
  }
  const keep = keptRows(run, ask, flags).slice(first, last + 1);
  for (const [newest, count] of ask.unfolded) unfold(all, keep, newest - first, count);
  const { rows, edges, hidden, through } = collapse(all, keep);
  return {
    ...layoutOf(
      rows.map((place) => first + place),
      edges,
      bands,
    ),
    hidden,
    through: through.map((place) => (place < 0 ? -1 : first + place)),
  };
}

function layoutOf(rows: Uint32Array, edges: Edges, servers: Uint32Array | undefined): LayoutView {
  const bands = servers === undefined ? {} : { bands: rows.map((row) => servers[row] ?? 0) };
  const { lane, count, top } = layOutLanes(edges, bands);
  const none = new Uint32Array(0);
  return {
    rows,
    edges,
    lane,
    lanes: count,
    top,
    levels: levelsOf(top),
    hidden: none,
    through: new Int32Array(0),
  };
}

/** The edges among some rows; what lies above them counts as a gap. */
function between({ offsets, targets }: Edges, first: number, last: number): Edges {
  if (first === 0 && last === offsets.length - 2) return { offsets, targets };
  const from = offsets[first] ?? 0;
  return {
    offsets: offsets.slice(first, last + 2).map((at) => at - from),
    targets: targets.slice(from, offsets[last + 1]).map((at) => (at < first ? -1 : at - first)),
  };
}

/** By row: conflicts, what is rejected or not as expected, what was found, the cursor, and extremities at it. */
function keptRows(run: Run, { row, server, kept }: LayoutAsk, flags: Uint8Array): Uint8Array {
  const keep = flags.map((flag) => Number((flag & STAY) !== 0));
  const known =
    server === undefined
      ? new Uint8Array(run.graph.size).fill(HAS, 0, row + 1)
      : knowledgeOf(run, server, untilOfRoom(run, row));
  for (const one of [row, ...extremitiesIn(run, known), ...kept]) keep[one] = 1;
  return keep;
}

/** As many rows of a run, from its newest up. */
function unfold({ offsets, targets }: Edges, keep: Uint8Array, newest: number, count: number) {
  let place = newest;
  for (let left = count; left > 0 && place >= 0 && place < keep.length; left--) {
    keep[place] = 1;
    place = targets[offsets[place] ?? 0] ?? -1;
  }
}
