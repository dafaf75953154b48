/** What edits change: the state at the cursor, ids, verdicts, signatures. */
import type { WhatIfView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";

interface Steps {
  readonly go: (row: number) => void;
  readonly explain: (key: string) => void;
}

export function stateDifference(
  { where, rows, same }: WhatIfView,
  { go, explain }: Steps,
): readonly Node[] {
  const body = h("tbody");
  for (const { key, what, was, is, row } of rows) {
    const name = button(what, () => explain(key), { class: "key" });
    const now = row < 0 ? bdi(is) : button(is, () => go(row), { class: "id" });
    const cells = [name, bdi(was), now].map((cell) => h("td", {}, cell));
    body.append(h("tr", { "data-key": key }, ...cells));
  }
  const titles = ["key", "original", "with the edits"];
  const head = h("tr", {}, ...titles.map((title) => h("th", { scope: "col" }, title)));
  return [
    h("h3", {}, "what differs ", bdi(where)),
    rows.length === 0
      ? h("p", { id: "what-if-states" }, "nothing: the state is the same here")
      : h("table", { id: "what-if-states" }, h("thead", {}, head), body),
    h("p", { class: "hint" }, `${same} keys are the same`),
  ];
}

export function otherDifferences(
  { ids, idCount, invalid, verdicts, dropped }: WhatIfView,
  { go }: Steps,
): readonly Node[] {
  const moved = h("tbody");
  for (const { row, name, was, is, why } of ids) {
    const event = row < 0 ? bdi(name) : button(name, () => go(row), { class: "id" });
    const map = h("td", { class: "mono" }, bdi(was), " → ", bdi(is));
    moved.append(h("tr", {}, h("td", {}, event), map, h("td", {}, why)));
  }
  const part = (title: string, texts: readonly string[]) =>
    texts.length === 0
      ? []
      : [h("h3", {}, title), h("ul", {}, ...texts.map((text) => h("li", {}, bdi(text))))];
  return [
    ...part("dropped", dropped),
    ...part("other verdicts", verdicts),
    h("h3", {}, `other ids: ${idCount}`),
    ...(ids.length === 0 ? [] : [h("table", { id: "what-if-ids" }, moved)]),
    ...part(
      "signatures that are not valid any more",
      invalid.map(({ name, servers }) => `${name}: ${servers.join(", ")}`),
    ),
  ];
}
