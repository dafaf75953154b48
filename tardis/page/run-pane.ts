/** What happened beside the events: faults, steps with what they found, exchanges; each leads to its moment. */
import type { FaultView, Happening, LoadedView, RunView } from "#tardis/view/messages";
import { timeText } from "#tardis/view/time-text";
import { bdi, button, h } from "./dom.ts";

export function runPane(
  view: RunView,
  loaded: LoadedView,
  row: number,
  go: (row: number) => void,
): readonly Node[] {
  const steps = listOf(view.steps, row, go);
  const exchanges = listOf(view.exchanges, row, go);
  const notes = listOf(view.notes, row, go);
  const faults = h("ul", {}, ...loaded.faults.map((fault) => faultItem(fault, row, go)));
  const problems = h("ul", {}, ...loaded.problems.map((problem) => h("li", {}, bdi(problem))));
  const part = (title: string, list: HTMLElement) =>
    list.childElementCount === 0
      ? [h("p", { class: "hint" }, `${title}: none`)]
      : [h("h3", {}, title), list];
  return [
    h("h2", {}, h("span", {}, "run")),
    ...part("faults, with the events between", faults),
    ...part("steps, and what they found", steps),
    ...part("exchanges", exchanges),
    ...(notes.childElementCount === 0 ? [] : part("notes", notes)),
    ...part("what could not be read", problems),
    h("p", { class: "hint" }, `${loaded.gaps} events are missing that others refer to`),
  ];
}

function faultItem({ text, from, to }: FaultView, row: number, go: (row: number) => void) {
  const where = `${Math.floor(from) + 1} to ${Math.floor(to) + 1}`;
  const head = button(where, () => go(Math.floor(from)), { class: "id" });
  const isNow = row >= Math.floor(from) && row <= to;
  return h("li", { class: isNow ? "now" : "" }, head, " ", bdi(text), isNow ? " (now)" : "");
}

function listOf(
  { items, earlier, later }: RunView[keyof RunView],
  row: number,
  go: (row: number) => void,
): HTMLElement {
  const more = (count: number, when: string) =>
    count === 0 ? [] : [h("li", { class: "was" }, `${count} ${when} are not shown`)];
  const list = items.map((item) => itemOf(item, row, go));
  return h("ul", {}, ...more(earlier, "earlier ones"), ...list, ...more(later, "later ones"));
}

function itemOf(
  { row: at, time, text, isOk, events, bodies }: Happening,
  row: number,
  go: (row: number) => void,
) {
  const word = isOk === null ? "" : isOk ? "✓ " : "✕ ";
  const item = h(
    "li",
    { class: at === row ? "now" : "" },
    button(timeText(time), () => go(at), { class: "id" }),
    " ",
    h("span", { class: isOk === false ? "fail" : "pass" }, word),
    bdi(text),
  );
  for (const { row: there, text: short } of events) {
    item.append(" ");
    if (there < 0) item.append(bdi(short));
    else item.append(button(short, () => go(there), { class: "mono id" }));
  }
  for (const { title, text: body } of bodies) {
    item.append(h("details", {}, h("summary", {}, title), h("pre", {}, bdi(body))));
  }
  return item;
}
