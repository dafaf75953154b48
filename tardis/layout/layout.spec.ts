import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Edges, edgesOf } from "#tardis/model/graph";
import { collapse } from "./collapse.ts";
import { density } from "./density.ts";
import { EdgeIndex } from "./edge-index.ts";
import { type Lanes, layOutLanes } from "./lanes.ts";
import { syntheticRoom } from "./synthetic-room.ts";

/** Any graph, gaps included, parents above. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 60 })
  .map((rows) =>
    edgesOf(
      rows.map((parents, row) => [
        ...new Set(parents.map((parent) => (row === 0 || parent % 7 === 0 ? -1 : parent % row))),
      ]),
    ),
  );

function parentsOf({ offsets, targets }: Edges, row: number): readonly number[] {
  return [...targets.subarray(offsets[row], offsets[row + 1])];
}

/** Rows that lie on the line of another one, in the same lane. */
function overlaps({ lane, top }: Lanes): readonly string[] {
  const found: string[] = [];
  for (const [row, newest] of top.entries()) {
    for (let between = row + 1; between < newest; between++) {
      if (lane[between] === lane[row]) found.push(`${between} on the line of ${row}`);
      // Lines of others, which begin or pass there.
    }
  }
  return found;
}

/** Lanes in which two lines lie over each other. */
function crossings({ lane, top }: Lanes): readonly string[] {
  const found: string[] = [];
  for (const [row, newest] of top.entries()) {
    for (let other = row + 1; other < newest; other++) {
      if ((top[other] ?? -1) > row && lane[other] === lane[row]) found.push(`${other} over ${row}`);
    }
  }
  return found;
}

describe("lanes", () => {
  test("no event and no line lies on another's line, in any graph, in bands or not", () => {
    fc.assert(
      fc.property(graphs, fc.array(fc.nat(2), { minLength: 60, maxLength: 60 }), (edges, bands) => {
        for (const lanes of [layOutLanes(edges), layOutLanes(edges, { bands })]) {
          expect(overlaps(lanes)).toEqual([]);
          expect(crossings(lanes)).toEqual([]);
          expect(Math.max(...lanes.lane)).toBe(lanes.count - 1);
        }
      }),
    );
  });

  test("an event's line begins at its newest child", () => {
    fc.assert(
      fc.property(graphs, (edges) => {
        const { top } = layOutLanes(edges);
        for (const row of top.keys()) {
          const children = [...top.keys()].filter((other) => parentsOf(edges, other).includes(row));
          expect(top[row]).toBe(children.at(-1) ?? -1);
        }
      }),
    );
  });

  test("events of a band lie side by side, and apart from others", () => {
    const { edges, servers } = syntheticRoom({ events: 500, servers: 3, seed: 1 });
    const { lane } = layOutLanes(edges, { bands: servers });
    const of = (server: number) => [...lane].filter((_, row) => servers[row] === server);
    expect(Math.max(...of(0))).toBeLessThan(Math.min(...of(1)));
    expect(Math.max(...of(1))).toBeLessThan(Math.min(...of(2)));
  });

  test("a chain takes one lane, and rooms take few", () => {
    const chain = edgesOf(Array.from({ length: 100 }, (_, row) => (row === 0 ? [] : [row - 1])));
    expect(layOutLanes(chain).count).toBe(1);
    for (const [servers, most] of [
      [5, 20],
      [20, 60],
      [100, 250],
    ] as const) {
      const { edges } = syntheticRoom({ events: 2_000, servers, seed: 7 });
      expect(layOutLanes(edges).count).toBeLessThan(most);
    }
  });
});

describe("the index of lines", () => {
  const brute = (top: Int32Array, first: number, last: number) =>
    [...top.keys()].filter(
      (row) => (top[row] ?? -1) >= first && row <= last && (top[row] ?? -1) >= row,
    );

  test("finds what crosses a window, each once", () => {
    const { edges } = syntheticRoom({ events: 6_000, servers: 6, seed: 3 });
    const { top } = layOutLanes(edges);
    const index = new EdgeIndex(top);
    for (const [first, last] of [
      [0, 40],
      [250, 260],
      [255, 513],
      [3_000, 3_050],
      [5_990, 9_999],
      [0, 6_000],
    ] as const) {
      expect(index.crossing(first, last).sort((a, b) => a - b)).toEqual(brute(top, first, last));
    }
  });

  test("finds lines of every length, at the bounds of blocks too", () => {
    for (const length of [0, 1, 255, 256, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537]) {
      const top = new Int32Array(70_000).fill(-1);
      top[300] = 300 + length;
      const index = new EdgeIndex(top);
      expect(index.crossing(0, 69_999), `${length}`).toEqual([300]);
      expect(index.crossing(300 + length, 300 + length)).toEqual([300]);
      expect(index.crossing(301 + length, 69_999)).toEqual([]);
      expect(index.crossing(0, 299)).toEqual([]);
    }
  });

  test("stays small however long the lines are", () => {
    // Ends that stay open all the way: each line crosses everything.
    const size = 150_000;
    const top = Int32Array.from({ length: size }, (_, row) =>
      row < size / 2 ? size - 1 - row : -1,
    );
    const index = new EdgeIndex(top);
    const window = index.crossing(70_000, 70_040);
    expect(window.length).toBe(new Set(window).size);
    expect(window).toHaveLength(brute(top, 70_000, 70_040).length);
  });
});

describe("collapsing", () => {
  test("a run is folded between its ends, unless it is short or has to stay", () => {
    const chain = edgesOf(Array.from({ length: 10 }, (_, row) => (row === 0 ? [] : [row - 1])));
    const all = collapse(chain, new Uint8Array(10));
    expect([...all.rows]).toEqual([0, 1, 8, 9]);
    expect([...all.hidden]).toEqual([0, 6, 0]);
    expect([...all.through]).toEqual([-1, 7, -1]);
    const keep = new Uint8Array(10);
    keep[4] = 1;
    expect([...collapse(chain, keep).rows]).toEqual([0, 1, 4, 8, 9]);
    keep[6] = 1;
    expect([...collapse(chain, keep).rows]).toEqual([0, 1, 4, 5, 6, 7, 8, 9]);
  });

  test("what is left is connected as it was, and everything is counted", () => {
    fc.assert(
      fc.property(
        graphs,
        fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
        (edges, kept) => {
          const size = edges.offsets.length - 1;
          const keep = Uint8Array.from({ length: size }, (_, row) => Number(kept[row]));
          const { rows, edges: left, hidden, through } = collapse(edges, keep);
          for (const [row, isKept] of keep.entries()) if (isKept) expect(rows).toContain(row);
          expect(rows.length + hidden.reduce((sum, count) => sum + count, 0)).toBe(size);
          for (const [place, row] of rows.entries()) {
            const before = parentsOf(edges, row);
            const after = parentsOf(left, place);
            expect(after).toHaveLength(before.length);
            for (const [at, parent] of before.entries()) {
              const edge = (left.offsets[place] ?? 0) + at;
              let end = parent;
              for (let step = hidden[edge] ?? 0; step > 0; step--)
                end = parentsOf(edges, end)[0] ?? -1;
              expect(through[edge]).toBe(hidden[edge] === 0 ? -1 : parent);
              expect(end < 0 ? after[at] : rows[after[at] ?? 0]).toBe(end);
            }
          }
        },
      ),
    );
  });
});

test("density counts every event once, in order, and keeps marks", () => {
  const servers = [0, 1, 1, 0, 2];
  const marks = [0, 1, 0, 0, 4];
  const { counts, marks: found } = density(servers, marks, { series: 3, buckets: 2 });
  expect([...counts]).toEqual([1, 2, 0, 1, 0, 1]);
  expect([...found]).toEqual([1, 4]);
});

test("rooms of a seed are always the same, forked, and whole", () => {
  const size = { events: 3_000, servers: 5, seed: 11 };
  const room = syntheticRoom(size);
  expect(syntheticRoom(size)).toEqual(room);
  expect(syntheticRoom({ ...size, seed: 12 })).not.toEqual(room);
  const merges = [...room.servers.keys()].filter((row) => parentsOf(room.edges, row).length > 1);
  expect(merges.length).toBeGreaterThan(size.events / 3);
  for (const row of room.servers.keys()) {
    const parents = parentsOf(room.edges, row);
    expect(parents.length > 0 || row === 0).toBe(true);
    expect(parents.every((parent) => parent >= 0 && parent < row)).toBe(true);
  }
});
