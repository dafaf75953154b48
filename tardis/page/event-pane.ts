/** One event in full. */
import type { EventView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";

export function eventPane(view: EventView, go: (row: number) => void): readonly Node[] {
  const facts = h("dl");
  const fact = (term: string, ...what: readonly (Node | string)[]) =>
    facts.append(h("dt", {}, term), h("dd", {}, ...what));
  fact("id", h("code", {}, bdi(view.id)));
  fact("its id", view.idCheck);
  fact("verdict", bdi(view.verdict));
  const kinds = new Set(view.links.map(({ kind }) => kind));
  for (const kind of kinds) {
    const links = view.links.filter((link) => link.kind === kind);
    const parts = links.flatMap(({ row, text }) => [
      row < 0
        ? h("span", {}, bdi(text), " (missing)")
        : button(text, () => go(row), { class: "mono id" }),
      " ",
    ]);
    fact(kind, ...parts);
  }
  for (const { server, text } of view.arrivals) fact(`at ${server}`, bdi(text));
  return [
    h("h2", {}, h("span", {}, "event")),
    h("p", { class: "caption" }, bdi(view.summary)),
    facts,
    h("pre", { id: "json", tabindex: 0, "aria-label": "the event as JSON" }, view.json),
  ];
}
