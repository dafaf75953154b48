/** One event in full. */
import type { EventView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";

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
  fact("verdict", bdi(view.verdict));
  for (const { kind, events, count } of view.links) {
    const more = count > events.length ? [`and ${count - events.length} more`] : [];
    fact(kind, ...events.flatMap(({ row, text }) => [link(text, row), " "]), ...more);
  }
  for (const { server, text } of view.arrivals) fact(bdi(`at ${server}`), bdi(text));
  for (const { whose, text } of view.inStates) {
    fact(h("span", {}, "in the state ", bdi(whose)), bdi(text));
  }
  const json = h("pre", { id: "json", tabindex: 0, "aria-label": "the event as JSON" });
  for (const { text, row } of view.json) json.append(row === undefined ? text : link(text, row));
  return [
    h("h2", {}, h("span", {}, "event")),
    h("p", { class: "caption" }, bdi(view.summary)),
    facts,
    json,
  ];
}
