/** What other room versions would make of the events. */
import type { CompareView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";

export function comparePane(
  { versions, rows, same }: CompareView,
  explain: (key: string) => void,
): readonly Node[] {
  const head = h("tr", {}, h("th", { scope: "col" }, "key"));
  for (const version of versions) head.append(h("th", { scope: "col" }, version));
  const body = h("tbody");
  for (const { key, what, values } of rows) {
    const line = h(
      "tr",
      {},
      h(
        "td",
        {},
        button(what, () => explain(key), { class: "key" }),
      ),
    );
    for (const value of values) line.append(h("td", { class: "mono" }, bdi(value)));
    body.append(line);
  }
  return [
    h("h2", {}, h("span", {}, "other room versions")),
    h(
      "p",
      { class: "hint" },
      "the same events by other rules; ids stay as they are, and decide ties",
    ),
    rows.length === 0
      ? h("p", {}, "all come to the same state")
      : h("table", { id: "compare" }, h("thead", {}, head), body),
    h("p", { class: "hint" }, `${same} keys are the same in all of them`),
  ];
}
