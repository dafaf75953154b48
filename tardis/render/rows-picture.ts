/** Rows with their graph and their words, as a picture that stands alone. */
import { rowAt } from "#tardis/view/row-columns";
import { wordsOf } from "#tardis/view/row-words";
import { timeText } from "#tardis/view/time-text";
import { dagShapes, type Frame, pitchOf, type Scene, TEXT_ROW } from "./dag-picture.ts";
import { letterOf, type Picture, type Shape, type TextRun, toneOf } from "./display-list.ts";

const HEAD = 44;
const WIDE = 960;
const TEXT_LEFT = 148;

export interface RowsOptions {
  readonly title: string;
  /** Places, both ends included. */
  readonly first: number;
  readonly last: number;
  readonly isNewestFirst: boolean;
  /** Rows without words may be lower. */
  readonly rowHeight: number;
}

export function rowsPicture(scene: Scene, options: RowsOptions): Picture {
  const { title, first, last, isNewestFirst, rowHeight } = options;
  const count = scene.layout.rows.length;
  const top = isNewestFirst ? count - 1 - last : first;
  const high = HEAD + (last - first + 1) * rowHeight;
  const frame: Frame = {
    first,
    last,
    rowHeight,
    left: rowHeight >= TEXT_ROW ? TEXT_LEFT : 16,
    wide: WIDE,
    scrolled: top * rowHeight - HEAD,
    isNewestFirst,
  };
  const numbers = [first, last].map((place) => String((scene.layout.rows[place] ?? 0) + 1));
  const [from, to] = isNewestFirst ? numbers.toReversed() : numbers;
  const what = count === 0 ? "no events" : `events ${from} to ${to} of ${scene.rows.size}`;
  const head: readonly TextRun[] = [
    { text: `${title}  `, tone: "ink", isBold: true },
    { text: what, tone: "ink-2" },
  ];
  return {
    wide: WIDE,
    high,
    title: `${title}: ${what}`,
    shapes: [
      ...dagShapes(scene, frame),
      ...(rowHeight >= TEXT_ROW ? wordsBeside(scene, frame) : []),
      // Over lines that come from above.
      { kind: "rect", x: 0, y: 0, wide: WIDE, high: HEAD - 6, fill: "paper" },
      { kind: "text", x: 12, y: 24, runs: head },
    ],
  };
}

function wordsBeside(scene: Scene, frame: Frame): readonly Shape[] {
  const { rows, layout, flags, knowledge } = scene;
  const left = frame.left + pitchOf(layout) * layout.lanes + 14;
  const shapes: Shape[] = [];
  for (let place = frame.first; place <= frame.last; place++) {
    const row = layout.rows[place] ?? 0;
    const view = rowAt(rows, row);
    if (view === undefined) continue;
    const line = frame.isNewestFirst ? layout.rows.length - 1 - place : place;
    const y = (line + 0.5) * frame.rowHeight - frame.scrolled + 4;
    const words = wordsOf(view, flags[row] ?? 0, knowledge?.[row]);
    const folded = foldedAt(scene, place);
    const mono = (x: number, text: string, tone: TextRun["tone"]): Shape => ({
      kind: "text",
      x,
      y,
      runs: [{ text, tone }],
      isMono: true,
    });
    shapes.push(
      mono(12, String(row + 1), "ink-2"),
      mono(64, timeText(view.time), "ink-2"),
      mono(130, letterOf(view.server), toneOf(view.server)),
      {
        kind: "text",
        x: left,
        y,
        runs: [
          { text: view.label, tone: "ink", isBold: row === scene.cursor },
          ...words.map(([word, tone]) => ({
            text: `  [${word}]`,
            tone: tone === "plain" ? ("ink-2" as const) : tone,
          })),
          { text: `  ${view.sender}`, tone: "ink-2" },
          ...(folded === 0 ? [] : [{ text: `  +${folded} folded`, tone: "ink-2" as const }]),
        ],
      },
    );
  }
  return shapes;
}

function foldedAt({ layout: { edges, hidden } }: Scene, place: number): number {
  return hidden
    .subarray(edges.offsets[place] ?? 0, edges.offsets[place + 1] ?? 0)
    .reduce((sum, count) => sum + count, 0);
}
