/** One event in full. */
import type { Term } from "#tardis/explain/glossary";
import type { EventView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";
import { told } from "./terms.ts";

export function eventPane(view: EventView, go: (row: number) => void): readonly Node[] {
  const facts = h("dl");
  const fact = (term: Node | string, ...what: readonly (Node | string)[]) =>
    facts.append(h("dt", {}, term), h("dd", {}, ...what));
  const link = (text: string, row: number) =>
    row < 0
      ? h("span", {}, bdi(text), " (missing)")
      : button(text, () => go(row), { class: "mono id" });
  fact("id", h("code", {}, bdi(view.id)));
  for (const { what, text, isRight } of view.checks) {
    const tone = isRight === undefined ? "was" : isRight ? "pass" : "fail";
    const mark = isRight === undefined ? "" : isRight ? "✓ " : "✕ ";
    fact(what, h("span", { class: tone }, mark, bdi(text)));
  }
  const known = new Set<Term>();
  fact("verdict", told(view.verdict, known));
  for (const { kind, events, count } of view.links) {
    const more = count > events.length ? [`and ${count - events.length} more`] : [];
    fact(told(kind, known), ...events.flatMap(({ row, text }) => [link(text, row), " "]), ...more);
  }
  for (const { server, text } of view.arrivals) fact(bdi(`at ${server}`), told(text, known));
  for (const { whose, text } of view.inStates) {
    fact(h("span", {}, "in the state ", bdi(whose)), bdi(text));
  }
  const json = h("pre", { id: "json", tabindex: 0, "aria-label": "the event as JSON" });
  for (const { text, row } of view.json) json.append(row === undefined ? text : link(text, row));
  return [
    h("h2", {}, h("span", {}, "event")),
    h("p", { class: "caption" }, told(view.summary, known)),
    facts,
    json,
  ];
}
