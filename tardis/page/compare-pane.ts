/** States side by side: by other versions, as servers told, and ours of the same moment. */
import type { Term } from "#tardis/explain/glossary";
import type { CompareView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";
import { told } from "./terms.ts";

export interface CompareActions {
  readonly go: (row: number) => void;
  /** Step by step, in the explainer. */
  readonly explain: (key: string) => void;
  /** Here. */
  readonly choose: (key: string) => void;
  readonly compare: (sides: readonly string[]) => void;
}

export function comparePane(view: CompareView, actions: CompareActions): readonly Node[] {
  const { sides, unknown, isAll, rows, same } = view;
  const names = sides.map(({ name }) => name);
  const all = isAll ? ["all"] : [];
  const hasVersions = names.some((name) => /^\d/.test(name));
  return [
    h(
      "h2",
      {},
      h("span", {}, "compare"),
      button(isAll ? "only what differs" : "all keys", () =>
        actions.compare(isAll ? names : [...names, "all"]),
      ),
    ),
    ...(hasVersions ? [h("p", { class: "hint" }, IDS)] : []),
    ...(unknown.length === 0
      ? []
      : [h("p", { class: "warn" }, "not to be had here: ", bdi(unknown.join(", ")))]),
    adding(view, (name) => actions.compare([...names, name, ...all])),
    rows.length === 0
      ? h("p", { id: "compare" }, "all come to the same state")
      : table(view, actions, (name) =>
          actions.compare([...names.filter((one) => one !== name), ...all]),
        ),
    h("p", { class: "hint" }, `${same} keys are the same in all of them`),
    ...whyParts(view, actions),
  ];
}

const IDS =
  "The same events by other rules. Ids stay as they are and decide ties, unless a side has new ids: then all are hashed anew as " +
  "that version would.";

function adding({ choices }: CompareView, add: (name: string) => void): HTMLElement {
  const choice = h("select", { id: "compare-side" });
  for (const { name, title } of choices) choice.append(h("option", { value: name }, title));
  const label = h("label", { for: "compare-side" }, "beside them");
  const form = h("form", {}, label, choice, h("button", { type: "submit" }, "add"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    add(choice.value);
  });
  return h("div", { class: "edit" }, form);
}

function table(
  { sides, rows, key }: CompareView,
  { choose, go }: CompareActions,
  leaveOut: (name: string) => void,
): HTMLElement {
  const head = h("tr", {}, h("th", { scope: "col" }, "key"));
  for (const { name, title } of sides) {
    const cell = h("th", { scope: "col" }, bdi(title));
    if (sides.length > 1) {
      const label = `leave out ${title}`;
      cell.append(
        " ",
        button("×", () => leaveOut(name), { "aria-label": label }),
      );
    }
    head.append(cell);
  }
  const body = h("tbody");
  for (const { key: own, what, values, isDiffering } of rows) {
    const name = button(what, () => choose(own), { class: "key" });
    const line = h("tr", {
      "data-key": own,
      class: own === key ? "now" : isDiffering ? "diff" : "",
    });
    line.append(h("td", {}, name));
    for (const { text, row } of values) {
      const value = row < 0 ? bdi(text) : button(text, () => go(row), { class: "id" });
      line.append(h("td", { class: "mono" }, value));
    }
    body.append(line);
  }
  return h("table", { id: "compare" }, h("thead", {}, head), body);
}

function whyParts({ key, what, why }: CompareView, { explain }: CompareActions): readonly Node[] {
  if (key === undefined) return [];
  const known = new Set<Term>();
  const parts = why.flatMap(({ title, sentences }) => [
    h("h3", {}, bdi(title)),
    h("div", {}, ...sentences.map((text) => h("p", {}, told(text, known)))),
  ]);
  const steps = button("step by step", () => explain(key));
  return [
    h("h2", {}, h("span", {}, "why: ", bdi(what)), steps),
    h("div", { id: "compare-why" }, ...parts),
  ];
}
