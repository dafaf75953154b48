/** Outcomes as elements. */
import { markOf } from "#reports/site/marks";
import { h } from "./dom.ts";

/** Shape and word. */
export function marked(letter: string): HTMLElement {
  const { shape, word, tone } = markOf(letter);
  return h(
    "span",
    { class: `mark ${tone}` },
    h("span", { "aria-hidden": "true" }, shape),
    ` ${word}`,
  );
}

/** Shapes of runs in order, told as words to who does not see them. */
export function pastMarks(letters: string): HTMLElement {
  const words = [...letters].map((letter) => markOf(letter).word).join(", ");
  const shapes = [...letters].map((letter) => {
    const { shape, tone } = markOf(letter);
    return h("span", { class: tone }, shape);
  });
  return h("span", { class: "past", role: "img", "aria-label": words, title: words }, ...shapes);
}
