/** A whole room where a row has less than a few pixels: how many events lie at a height and in a lane, and marks beside them. */
import { density } from "#tardis/layout/density";
import { CONFLICTS, REJECTED } from "#tardis/view/messages";
import { pitchOf, type Scene } from "./dag-picture.ts";
import type { Shape, Tone } from "./display-list.ts";

export interface Strip {
  readonly left: number;
  readonly high: number;
  readonly isNewestFirst: boolean;
  readonly hits: ReadonlySet<number>;
}

/** Beside CONFLICTS and REJECTED. */
const HIT = 128;
const MARKS: readonly (readonly [bit: number, tone: Tone, x: number])[] = [
  [HIT, "focus", 8],
  [CONFLICTS, "warn", 16],
  [REJECTED, "fail", 24],
];

export function densityShapes(
  { layout, flags }: Scene,
  { left, high, isNewestFirst, hits }: Strip,
): readonly Shape[] {
  const { rows, lane, lanes } = layout;
  const buckets = Math.max(1, Math.min(rows.length, Math.floor(high)));
  const series = Math.max(1, lanes);
  const marksOf = Array.from(
    rows,
    (row) => ((flags[row] ?? 0) & (CONFLICTS | REJECTED)) | (hits.has(row) ? HIT : 0),
  );
  const { counts, marks } = density(lane, marksOf, { series, buckets });
  const most = counts.reduce((one, other) => Math.max(one, other), 1);
  const pitch = pitchOf(layout);
  const tall = high / buckets;
  const shapes: Shape[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const y = (isNewestFirst ? buckets - 1 - bucket : bucket) * tall;
    const rect = { kind: "rect", y, high: Math.max(1, tall) } as const;
    for (let at = 0; at < series; at++) {
      const count = counts[bucket * series + at] ?? 0;
      if (count === 0) continue;
      const [x, wide] = [left + pitch * at, Math.max(1, pitch - 1)];
      const opacity = 0.25 + (0.75 * count) / most;
      shapes.push({ ...rect, x, wide, fill: "ink-2", opacity: Math.round(opacity * 20) / 20 });
    }
    for (const [bit, fill, x] of MARKS) {
      if (((marks[bucket] ?? 0) & bit) !== 0) {
        shapes.push({ ...rect, x, wide: 6, high: Math.max(2, tall), fill });
      }
    }
  }
  return shapes;
}
