/** The explainer: why a key has its value, in the sentences of `crucible tardis explain`, one step at a time. */
import type { Explanation, Sentence } from "#tardis/explain/explanation";
import { partsOf, type Term } from "#tardis/explain/glossary";
import { explanationMarkdown } from "#tardis/explain/markdown";
import type { StateView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";
import { fileName, saveText } from "./saving.ts";
import { termOf, told } from "./terms.ts";

export interface WhyActions {
  readonly choose: (key: string) => void;
  /** Events that the sentences in sight are about. */
  readonly mark: (ids: readonly string[]) => void;
  /** The reader went to a step. */
  readonly stepped: (step: number) => void;
}

/** All others are explained from the table of the state. */
const MOST_KEYS = 250;

export class WhyPane {
  readonly #parent: HTMLElement;
  readonly #actions: WhyActions;
  #items: readonly HTMLElement[] = [];
  #explanation: Explanation | undefined;
  #step = 0;

  constructor(parent: HTMLElement, actions: WhyActions) {
    this.#parent = parent;
    this.#actions = actions;
  }

  show(explanation: Explanation, { rows, caption }: StateView, step: number): void {
    this.#explanation = explanation;
    const { verdict, steps, algorithm, roomVersion, key } = explanation;
    const chooser = h("select", { "aria-label": "key to explain", id: "why-key" });
    for (const row of rows.filter((one, at) => at < MOST_KEYS || one.key === key)) {
      const mark = row.isConflicted ? "conflict: " : row.change === "same" ? "" : `${row.change}: `;
      const selected = row.key === key;
      chooser.append(h("option", { value: row.key, selected }, `${mark}${row.what}`));
    }
    chooser.addEventListener("change", () => this.#actions.choose(chooser.value));
    const list = h("ol", { id: "why-steps", tabindex: -1 });
    this.#items = steps.map(({ title, sentences }, at) => {
      const own = sentences.filter(({ isOfKey }) => isOfKey).length;
      const count = `${sentences.length} ${sentences.length === 1 ? "sentence" : "sentences"}`;
      const head = button(title, () => this.#actions.stepped(at), { class: "step" });
      const known = new Set<Term>();
      const body = h(
        "div",
        { class: "sentences", id: `step-${at}` },
        ...sentences.map((sentence) => sentenceOf(sentence, known)),
      );
      const what = h("small", {}, own === 0 ? count : `${count}, ${own} about the key`);
      const [term] = partsOf(title).flatMap((part) => part.term ?? []);
      // Within a button it could not be reached.
      if (term !== undefined) what.append(" · ", termOf(term, "what it is"));
      return h(
        "li",
        { "data-step": at },
        h("span", { class: "n" }, String(at + 1)),
        h("div", {}, head, " ", what, body),
      );
    });
    list.append(...this.#items);
    const known = new Set<Term>();
    const how =
      steps.length === 0
        ? "no branches met that differ in it: there was nothing to resolve"
        : `how state resolution ${algorithm} comes to it, by room version ${roomVersion}; ↑ ↓ step`;
    this.#parent.replaceChildren(
      h(
        "h2",
        {},
        h("span", {}, "why, step by step"),
        chooser,
        button("Markdown", () => this.save(), { title: "save this explanation as Markdown" }),
      ),
      ...(caption === undefined ? [] : [h("p", { class: "caption" }, bdi(caption))]),
      h("div", { id: "verdict" }, ...verdict.map(({ text }) => h("p", {}, told(text, known)))),
      h("p", { class: "hint" }, told(how, known)),
      list,
    );
    if (!this.step(step)) this.step(0);
  }

  save(): void {
    if (this.#explanation === undefined) return;
    const name = fileName(`why ${this.#explanation.key}`);
    saveText(explanationMarkdown(this.#explanation), `${name}.md`, "text/markdown");
  }

  /** Goes to a step, if there is one. */
  step(at: number): boolean {
    const steps = this.#explanation?.steps ?? [];
    if (at < 0 || at >= steps.length) return false;
    this.#step = at;
    for (const [index, item] of this.#items.entries()) {
      item.classList.toggle("now", index === at);
      const head = item.querySelector("button");
      head?.setAttribute("aria-expanded", String(index === at));
      if (index === at) head?.setAttribute("aria-current", "step");
      else head?.removeAttribute("aria-current");
    }
    this.#items[at]?.scrollIntoView({ block: "nearest" });
    this.#actions.mark(steps[at]?.sentences.flatMap(({ events }) => events) ?? []);
    return true;
  }

  /** Moves the focus to the step in sight; false where there is none. */
  focus(): boolean {
    const head = this.#items[this.#step]?.querySelector("button");
    head?.focus();
    return head !== null && head !== undefined;
  }

  move(by: number): void {
    const steps = this.#explanation?.steps.length ?? 0;
    const to = this.#step + by;
    if (to < 0 || to >= steps) return;
    this.#actions.stepped(to);
    this.focus();
  }
}

function sentenceOf({ text, isOfKey }: Sentence, known: Set<Term>): HTMLElement {
  return h("p", { class: isOfKey ? "own" : "" }, told(text, known));
}
