/** One figure: name, value, unit, and what it is compared with. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** `1`: a number of things. */
  readonly unit: "ms" | "s" | "1/s" | "kB" | "MB" | "1";
  readonly peer?: { readonly name: string; readonly value: number };
}

/** As `--json` prints it. */
export function figureData(figure: Figure): Record<string, unknown> {
  return { ...figure, ...(figure.peer === undefined ? {} : { ratio: ratioOf(figure) }) };
}

export function figureLine(figure: Figure): string {
  const { name, value, unit, peer } = figure;
  const own = `${name.padEnd(48)} ${number(value).padStart(8)} ${unit.padEnd(3)}`;
  if (peer === undefined) return own.trimEnd();
  return `${own}  ${peer.name}: ${number(peer.value)} ${unit}  ratio ${ratioOf(figure)?.toFixed(2) ?? "none"}`;
}

function ratioOf({ value, peer }: Figure): number | undefined {
  if (peer === undefined || peer.value === 0) return undefined;
  return Math.round((value / peer.value) * 1_000) / 1_000;
}

function number(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 3);
}
