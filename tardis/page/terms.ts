/**
 * Terms within texts: hover and focus show what one means, Escape hides it (WCAG 2.2, 1.4.13), and what screen readers tell of it lies
 * in a list that is always there.
 */
import { partsOf, TERMS, type Term } from "#tardis/explain/glossary";
import { h } from "./dom.ts";

/** Between a term and what is told of it, and from the edges of the window; in pixels. */
const GAP = 6;

/** A text of strangers or of ours, with its terms; its direction stays its own. */
export function told(text: string, known?: Set<Term>): HTMLElement {
  return h(
    "bdi",
    {},
    ...partsOf(text, known).map(({ text: part, term }) =>
      term === undefined ? part : termOf(term, part),
    ),
  );
}

/** @param text how it is written there */
export function termOf({ id }: Term, text: string): HTMLElement {
  return h("dfn", { class: "term", tabindex: 0, "aria-describedby": `term-${id}` }, text);
}

/** Once, for all terms that are and will be on the page. */
export function startTerms(): void {
  const list = h("dl", { id: "terms", hidden: true });
  for (const { id, written, meaning, source } of TERMS) {
    list.append(
      h("dt", {}, written[0] ?? id),
      h("dd", { id: `term-${id}` }, `${meaning} (${source})`),
    );
  }
  // What it says is told by the list.
  const tip = h("div", { id: "term-tip", "aria-hidden": "true", hidden: true });
  document.body.append(list, tip);
  let shown: HTMLElement | undefined;
  const hide = () => {
    tip.hidden = true;
    shown = undefined;
  };
  const show = (target: EventTarget | null) => {
    const term = termAt(target);
    if (term === undefined) return;
    shown = term;
    tip.textContent =
      document.getElementById(term.getAttribute("aria-describedby") ?? "")?.textContent ?? "";
    tip.hidden = false;
    place(tip, term.getBoundingClientRect());
  };
  const leave = (target: EventTarget | null) => {
    // Who points at what is told may read it to its end; who has the focus on the term, too.
    if (shown !== undefined && (target === tip || target === shown)) return;
    if (document.activeElement !== shown) hide();
  };
  document.addEventListener("focusin", ({ target }) => {
    if (termAt(target) === undefined) hide();
    else show(target);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("mouseover", ({ target }) => show(target));
  document.addEventListener("mouseout", ({ relatedTarget }) => leave(relatedTarget));
  // To bring a term into sight that gets the focus, too.
  document.addEventListener(
    "scroll",
    () => {
      if (shown !== undefined) place(tip, shown.getBoundingClientRect());
    },
    { capture: true },
  );
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || tip.hidden) return;
      hide();
      event.stopPropagation();
    },
    { capture: true },
  );
}

function termAt(target: EventTarget | null): HTMLElement | undefined {
  return target instanceof HTMLElement && target.matches(".term") ? target : undefined;
}

/** Below the term, or above it where there is no room; within the window. */
function place(tip: HTMLElement, { left, top, bottom }: DOMRect): void {
  const { width, height } = tip.getBoundingClientRect();
  const isBelow = bottom + GAP + height <= innerHeight;
  tip.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
  tip.style.top = `${Math.max(GAP, isBelow ? bottom + GAP : top - GAP - height)}px`;
}
