/** A picture as plain data: a canvas paints it, and a file in SVG says the same. Lengths are pixels, down and to the right. */

/** Names of colours; a theme says what they are. */
export const TONES = [
  "ink",
  "ink-2",
  "paper",
  "line",
  "select",
  "fail",
  "warn",
  "focus",
  "s0",
  "s1",
  "s2",
  "s3",
  "s4",
  "s5",
  "s6",
  "s7",
] as const;
export type Tone = (typeof TONES)[number];
export type Tones = Readonly<Record<Tone, string>>;

interface Style {
  readonly stroke?: Tone;
  readonly fill?: Tone;
  /** Of strokes; 2 unless given. */
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly opacity?: number;
}

export interface TextRun {
  readonly text: string;
  readonly tone: Tone;
  readonly isBold?: boolean;
}

export type Shape =
  /** Points as x and y in turns; or two ends with two points between that bend the line. */
  | (Style & { readonly kind: "line" | "curve"; readonly points: readonly number[] })
  | (Style & { readonly kind: "polygon"; readonly points: readonly number[] })
  | (Style & {
      readonly kind: "circle";
      readonly x: number;
      readonly y: number;
      readonly r: number;
    })
  | (Style & {
      readonly kind: "rect";
      readonly x: number;
      readonly y: number;
      readonly wide: number;
      readonly high: number;
    })
  /** On a line at y, one run after another. */
  | {
      readonly kind: "text";
      readonly x: number;
      readonly y: number;
      readonly runs: readonly TextRun[];
      readonly isMono?: boolean;
      readonly isCentred?: boolean;
    };

export interface Picture {
  readonly wide: number;
  readonly high: number;
  /** What it shows, in a few words. */
  readonly title: string;
  readonly shapes: readonly Shape[];
}

/** Servers have eight colours, and letters to be told apart by. */
export function toneOf(server: number): Tone {
  return TONES[TONES.indexOf("s0") + (server % 8)] ?? "s0";
}

export function letterOf(server: number): string {
  return server < 26 ? String.fromCharCode(65 + server) : String(server + 1);
}
