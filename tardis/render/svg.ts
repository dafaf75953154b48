/** A display list as a file in SVG: light, for print, the same bytes for the same list, and nothing in it but shapes and texts. */
import type { Picture, Shape, Tones } from "./display-list.ts";

/** As the page has them while it is light. */
export const PRINT_TONES: Tones = {
  ink: "#16181d",
  "ink-2": "#4d535f",
  paper: "#ffffff",
  line: "#dfe3e9",
  select: "#e7f0fe",
  fail: "#b32424",
  warn: "#7a4f00",
  focus: "#0b57c2",
  s0: "#0068a3",
  s1: "#8f4d00",
  s2: "#006b52",
  s3: "#93396f",
  s4: "#b53400",
  s5: "#625a00",
  s6: "#2b4fc4",
  s7: "#16181d",
};

export function svgOf({ wide, high, title, shapes }: Picture): string {
  const size = `width="${number(wide)}" height="${number(high)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${number(wide)} ${number(high)}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect ${size} fill="${PRINT_TONES.paper}"/>`,
    ...shapes.map(elementOf),
    "</svg>",
    "",
  ].join("\n");
}

function elementOf(shape: Shape): string {
  switch (shape.kind) {
    case "circle":
      return `<circle cx="${number(shape.x)}" cy="${number(shape.y)}" r="${number(shape.r)}"${styleOf(shape)}/>`;
    case "rect":
      return (
        `<rect x="${number(shape.x)}" y="${number(shape.y)}" width="${number(shape.wide)}" ` +
        `height="${number(shape.high)}"${styleOf(shape)}/>`
      );
    case "line":
      return `<polyline points="${shape.points.map(number).join(" ")}"${styleOf(shape)}/>`;
    case "polygon":
      return `<polygon points="${shape.points.map(number).join(" ")}"${styleOf(shape)}/>`;
    case "curve": {
      const [x = 0, y = 0, ...rest] = shape.points;
      return `<path d="M${number(x)} ${number(y)}C${rest.map(number).join(" ")}"${styleOf(shape)}/>`;
    }
    case "text": {
      const font = shape.isMono ? "ui-monospace, monospace" : "system-ui, sans-serif";
      const anchor = shape.isCentred ? ' text-anchor="middle"' : "";
      const runs = shape.runs.map(
        ({ text, tone, isBold }) =>
          `<tspan fill="${PRINT_TONES[tone]}"${isBold ? ' font-weight="600"' : ""}>${escaped(text)}</tspan>`,
      );
      return (
        `<text x="${number(shape.x)}" y="${number(shape.y)}" font-family="${font}" ` +
        `font-size="${shape.isMono ? 12 : 13}"${anchor} xml:space="preserve">${runs.join("")}</text>`
      );
    }
  }
}

function styleOf({
  fill,
  stroke,
  width = 2,
  dash,
  opacity,
}: Exclude<Shape, { readonly kind: "text" }>): string {
  return [
    ` fill="${fill === undefined ? "none" : PRINT_TONES[fill]}"`,
    stroke === undefined ? "" : ` stroke="${PRINT_TONES[stroke]}" stroke-width="${number(width)}"`,
    dash === undefined ? "" : ` stroke-dasharray="${dash.map(number).join(" ")}"`,
    opacity === undefined ? "" : ` opacity="${number(opacity)}"`,
  ].join("");
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

const NAMED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** What XML has no place for becomes the sign of something lost. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[&<>"]/g, (sign) => NAMED[sign] ?? "")
    .replace(/[\u0000-\u001f\ufffe\uffff]/g, "\ufffd");
}
