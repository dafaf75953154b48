/** The call of a check as one picture: an SVG that needs nothing else, light or dark as its reader's screen is. */
import type { CallTimeline } from "#harness/results/call-timeline";
import { tameLine } from "#reports/finding";
import { type Drawn, fadeOf, memberLane, placeLane, ruleLane } from "./call-lane.ts";
import { legendOf } from "./call-legend.ts";
import { momentsOf } from "./call-moments.ts";
import {
  definitions,
  escaped,
  grid,
  label,
  opening,
  plain,
  type Scale,
  safe,
  step,
  wrapped,
  x,
} from "./call-shapes.ts";

export interface CallTitle {
  readonly requirement: string;
  readonly check: string;
  readonly outcome: string;
}

/** Lanes of members; more are told as a number. */
const MOST_LANES = 24;
const MOST_RULES = 8;
/** Characters of a line that a phone shows. */
const COLUMNS = 54;
const LINE = 15;

export function callPicture(
  timeline: CallTimeline,
  { requirement, check, outcome }: CallTitle,
): string {
  const pad = (timeline.to - timeline.from) * 0.01;
  const scale: Scale = { from: timeline.from - pad, to: timeline.to + pad };
  const title = wrapped(plain(check, 200), COLUMNS);
  const head = 24 + title.length * 16;
  const axis = head + 26;
  const lanes: string[] = [];
  let y = axis + 12;
  const add = ({ svg, height }: Drawn) => {
    lanes.push(...svg);
    y += height;
  };
  for (const place of timeline.places) add(placeLane(scale, place, y));
  for (const rule of timeline.rules.slice(0, MOST_RULES)) add(ruleLane(scale, rule, y));
  for (const lane of timeline.members.slice(0, MOST_LANES)) {
    lanes.push(`<line x1="0" x2="100%" y1="${y}" y2="${y}" class="rule-line"/>`);
    add(memberLane(scale, lane, y));
  }
  const bottom = y;
  const notes = notesOf(timeline);
  const { lines, more } = momentsOf(timeline);
  const words = lines.flatMap(({ at, says }) => {
    const time = `+${((at - timeline.from) / 1_000).toFixed(3)}`.padStart(8, "\u00a0");
    return wrapped(says, COLUMNS - 10).map((text, index) =>
      index === 0 ? `${time} ${text}` : `${"\u00a0".repeat(8)} ${text}`,
    );
  });
  const below = [
    ...notes.flatMap((note) => wrapped(note, COLUMNS)).map((text) => [text, "soft small"] as const),
    ["What happened, in seconds", "who"] as const,
    ...words.map((text) => [text, "mono"] as const),
    ...(more > 0 ? [[`and ${more} lines more: crucible call --json`, "soft small"] as const] : []),
  ];
  const legend = legendOf(lanes.join(""), bottom + 22);
  const text = bottom + 22 + legend.length * LINE;
  const height = text + below.length * LINE + 8;
  const name = safe(`${tameLine(requirement)}: ${tameLine(check)}, ${outcome}`, 300);
  const fades = new Map(
    timeline.members.flatMap(({ published }) =>
      published.flatMap((one) => {
        const starts = [one.from, ...one.updates];
        return starts.flatMap((from, at) => {
          const fade = fadeOf(one, { from, to: starts[at + 1] ?? one.to });
          return fade === undefined ? [] : [[fade.join("-"), fade] as const];
        });
      }),
    ),
  );
  return `${[
    ...opening(name, height),
    definitions(fades.values()),
    `<rect width="100%" height="100%" class="paper"/>`,
    label(2, 22, `${safe(requirement, 44)} <tspan class="soft">${safe(outcome, 12)}</tspan>`, "h"),
    ...title.map((text, at) => label(2, 40 + at * 16, escaped(text))),
    ...axisOf(timeline, scale, axis, bottom),
    ...lanes,
    ...legend,
    ...below.map(([words, kind], at) => label(2, text + at * LINE, escaped(words), kind)),
    "</svg>",
  ].join("\n")}\n`;
}

function axisOf(
  { from, to }: CallTimeline,
  scale: Scale,
  y: number,
  bottom: number,
): readonly string[] {
  const every = step(scale);
  const digits = every < 1 ? Math.ceil(-Math.log10(every)) : 0;
  const count = Math.floor((to - from) / 1_000 / every);
  return Array.from({ length: count + 1 }, (_, at) => {
    const left = x(scale, from + at * every * 1_000);
    const kind = at === 0 ? "soft small" : "soft small middle";
    return grid(left, y + 4, bottom) + label(left, y, `${(at * every).toFixed(digits)} s`, kind);
  });
}

/** What is not in the picture, or only looks as if. */
function notesOf({ from, cut, members, rules }: CallTimeline): readonly string[] {
  const left = Math.max(0, members.length - MOST_LANES);
  const others = Math.max(0, rules.length - MOST_RULES);
  return [
    `0 s is ${new Date(from).toISOString()}`,
    ...(members.length === 0
      ? ["no member, no delayed event and no connection is in these records"]
      : []),
    ...(left > 0 ? [`${left} lanes of members are left out`] : []),
    ...(others > 0 ? [`${others} rules are left out`] : []),
    ...(cut > 0
      ? [`${cut} exchanges were too long for the trace: what was in them is missing`]
      : []),
  ];
}
