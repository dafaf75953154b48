/** The page's colours, as contrasts that WCAG 2.2 asks for: 4.5 to 1 for texts, 3 to 1 for what is drawn. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PRINT_TONES } from "./render/svg.ts";

const STYLE = readFileSync(new URL("./page/page.css", import.meta.url), "utf8");
const PAIRS = new Map(
  Array.from(
    STYLE.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g),
    ([, name = "", light = "", dark = ""]) => [name, { light, dark }],
  ),
);
const SERVERS = Array.from({ length: 8 }, (_, server) => `s${server}`);

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test.each(["light", "dark"] as const)(
  "texts and marks can be told from their ground: %s",
  (theme) => {
    const colour = (name: string) => PAIRS.get(name)?.[theme] ?? expect.unreachable(name);
    const texts = ["ink", "ink-2", "ink-3", "pass", "fail", "warn", "focus", ...SERVERS];
    const weak = ["paper", "panel", "raise", "select"].flatMap((ground) =>
      texts
        .filter((text) => contrast(colour(text), colour(ground)) < 4.5)
        .map((t) => `${t} on ${ground}`),
    );
    expect(weak).toEqual([]);
  },
);

test("no two servers of a theme have the same colour", () => {
  for (const theme of ["light", "dark"] as const) {
    expect(new Set(SERVERS.map((name) => PAIRS.get(name)?.[theme])).size).toBe(SERVERS.length);
  }
});

test("what is printed has the colours of the light page", () => {
  for (const [tone, colour] of Object.entries(PRINT_TONES)) {
    expect(PAIRS.get(tone)?.light, tone).toBe(colour);
  }
});
