/**
 * What pictures of calls are drawn with. Places on the time axis are shares of the width, everything else is in pixels: a
 * picture fits a phone and a desk without its texts growing or shrinking. Never colour alone: each kind has its shape too.
 */
import { tameLine } from "#reports/finding";

/** Left and right of the time axis, percent of the width. */
const MARGIN = 2;

export interface Scale {
  readonly from: number;
  readonly to: number;
}

/** A place on the axis, percent; what lies outside is at the edge. */
export function x(scale: Scale, at: number): number {
  const share = (at - scale.from) / Math.max(1, scale.to - scale.from);
  return MARGIN + Math.min(1, Math.max(0, share)) * (100 - 2 * MARGIN);
}

/** On one line, without what turns texts around, and not longer than this; it has yet to be escaped. */
export function plain(text: string, most = 60): string {
  const line = tameLine(text);
  return line.length <= most ? line : `${[...line].slice(0, most - 1).join("")}…`;
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** As text on one line, whatever is in it, not longer than this. */
export function safe(text: string, most = 60): string {
  return escaped(plain(text, most));
}

/** Text of ours, or made harmless by `safe`. */
export function label(left: number, y: number, content: string, kind = ""): string {
  return `<text x="${left.toFixed(2)}%" y="${y}" class="${kind}">${content}</text>`;
}

export interface BarOptions {
  /** Class, which is also the kind's name in the style. */
  readonly kind: string;
  /** Shown when it is pointed at; harmless. */
  readonly says: string;
  /** Opacity at both ends, of 10. */
  readonly fade?: readonly [number, number];
  readonly height?: number;
}

/** At least as wide as can be seen. */
export function bar(
  scale: Scale,
  { from, to }: Scale,
  y: number,
  { kind, says, fade, height = 9 }: BarOptions,
): string {
  const left = x(scale, from);
  const width = Math.max(0.4, x(scale, to) - left);
  const place = `x="${left.toFixed(2)}%" y="${y}" width="${width.toFixed(2)}%" height="${height}"`;
  const mask = fade === undefined ? "" : ` mask="url(#fade-${fade.join("-")})"`;
  return `<rect ${place} class="${kind}"${mask}><title>${says}</title></rect>`;
}

export type Mark =
  | "fired"
  | "due"
  | "moved"
  | "sent"
  | "cancelled"
  | "restart"
  | "update"
  | "key"
  | "token"
  | "acted";

const SHAPES: Readonly<Record<Mark, string>> = {
  // What a server did by itself is full, what was only to be is hollow.
  fired: "M0-6 6 0 0 6-6 0Z",
  due: "M0-6 6 0 0 6-6 0Z",
  moved: "M0-4 4 0 0 4-4 0Z",
  sent: "M-5-5 6 0-5 5Z",
  cancelled: "M-4-4 4 4M4-4-4 4",
  restart: "M0-5V5",
  update: "M0-6V6",
  key: "M-5-3H5V3H-5Z",
  token: "M-5-5H5L0 4Z",
  acted: "M0-5V5",
};

export function mark(scale: Scale, at: number, y: number, kind: Mark, says: string): string {
  return `<svg x="${x(scale, at).toFixed(2)}%" y="${y}" overflow="visible"><path d="${SHAPES[kind]}" class="${kind}"/><title>${says}</title></svg>`;
}

export function line(scale: Scale, from: number, to: number, y: number, kind: string): string {
  return `<line x1="${x(scale, from).toFixed(2)}%" x2="${x(scale, to).toFixed(2)}%" y1="${y}" y2="${y}" class="${kind}"/>`;
}

export function grid(left: number, from: number, to: number): string {
  return `<line x1="${left.toFixed(2)}%" x2="${left.toFixed(2)}%" y1="${from}" y2="${to}" class="grid"/>`;
}

/** Seconds between marks of the axis, so that there are at most six. */
export function step({ from, to }: Scale): number {
  const seconds = Math.max(0.001, (to - from) / 1_000) / 6;
  const decade = 10 ** Math.floor(Math.log10(seconds));
  return ([1, 2, 5, 10].find((each) => each * decade >= seconds) ?? 10) * decade;
}

/** Lines of at most so many characters, broken between words. @param text not yet escaped */
export function wrapped(text: string, most: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word.match(new RegExp(`^.{0,${most}}`, "su"))?.[0] ?? "");
  }
  return lines;
}

/** Colours of the house, in light and in dark. */
const TONES = [
  ["ink", "#16181d", "#e8eaf0"],
  ["ink-2", "#565c68", "#a2a9b8"],
  ["paper", "#ffffff", "#101318"],
  ["line", "#dfe3e9", "#2b313c"],
  ["pass", "#1a7f4b", "#4cc38a"],
  ["fail", "#c02b2b", "#ff7b72"],
  ["warn", "#8a5a00", "#e3b341"],
  ["member", "#0072b2", "#56b4e9"],
  ["sfu", "#00795c", "#2bc79a"],
  ["value", "#a3457f", "#dd93bd"],
] as const;

function tones(theme: 1 | 2): string {
  return TONES.map((tone) => `--${tone[0]}:${tone[theme]}`).join(";");
}

const STYLE = `<style>
svg{color-scheme:light dark;${tones(1)}}
@media(prefers-color-scheme:dark){svg{${tones(2)}}}
.paper{fill:var(--paper)}
text{font:12px system-ui,"Segoe UI",Roboto,sans-serif;fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
text.h{font-size:15px;font-weight:600}text.who{font-weight:600}text.soft{fill:var(--ink-2)}text.small{font-size:11px}
text.bad,tspan.fail{fill:var(--fail);font-weight:600}tspan.soft{fill:var(--ink-2);font-weight:400}text.mono{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:11px}
text.middle{text-anchor:middle}text.end{text-anchor:end}
.grid{stroke:var(--line)}.rule-line{stroke:var(--line);stroke-width:1}
.member{fill:var(--member)}.legacy{fill:var(--member);stroke:var(--ink);stroke-width:1}.sticky{fill:var(--value)}
.sfu{fill:url(#sfu)}.heard{fill:var(--pass)}.silent{fill:none;stroke:var(--ink-2);stroke-dasharray:2 2}
.missing-key{fill:url(#missing)}.failed,.down{fill:url(#failed)}.ghost,.eavesdropper{fill:none;stroke:var(--fail);stroke-width:2;stroke-dasharray:4 2}
.rule{fill:none;stroke:var(--warn)}
.wait{stroke:var(--ink-2);stroke-width:1.5}.left-to{stroke:var(--sfu);stroke-width:3}
.fired{fill:var(--ink)}.due,.moved{fill:var(--paper);stroke:var(--ink);stroke-width:1.5}.moved{stroke:var(--ink-2)}.sent{fill:var(--ink)}
.cancelled{stroke:var(--fail);stroke-width:2.5;fill:none}.restart,.acted{stroke:var(--ink);stroke-width:2}.update{stroke:var(--paper);stroke-width:2}
.key{fill:var(--warn)}.token{fill:var(--sfu)}.plot{fill:var(--member)}.median{stroke:var(--fail);stroke-width:2}
</style>`;

/** Patterns and, for what fades, masks: opacity at both ends in tenths. */
export function definitions(fades: Iterable<readonly [number, number]>): string {
  const pattern = (id: string, tone: string, path: string) =>
    `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" fill="var(--${tone})" opacity=".25"/><path d="${path}" stroke="var(--${tone})" stroke-width="1.5"/></pattern>`;
  const masks = [...fades].map(([from, to]) => {
    const stop = (offset: number, share: number) =>
      `<stop offset="${offset}" stop-color="#fff" stop-opacity="${share / 10}"/>`;
    const id = `${from}-${to}`;
    return `<linearGradient id="g-${id}">${stop(0, from)}${stop(1, to)}</linearGradient><mask id="fade-${id}" maskContentUnits="objectBoundingBox"><rect width="1" height="1" fill="url(#g-${id})"/></mask>`;
  });
  return `<defs>${[
    pattern("sfu", "sfu", "M0 3H6"),
    pattern("missing", "warn", "M3 0V6"),
    pattern("failed", "fail", "M0 6 6 0"),
    ...masks,
  ].join("")}</defs>`;
}

/** How much smaller browsers of phones show what is no page made for them: as if they were 980 pixels wide. */
const PHONE = 2.4;

/** @param name what is in the picture, harmless */
export function opening(name: string, height: number): readonly string[] {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" id="picture" width="100%" height="${height}" role="img" aria-labelledby="name">`,
    `<title id="name">${name}</title>`,
    STYLE,
    `<style>@media(pointer:coarse)and (min-width:900px)and (max-width:1000px){#picture{zoom:${PHONE}}}</style>`,
  ];
}
