/** The state as a table: what changed first, with what it was, and whether it went back. */
import { letterOf } from "#tardis/render/display-list";
import type { StateRow, StateView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";
import type { Place } from "./place.ts";

export interface StateActions {
  readonly explain: (key: string) => void;
  readonly go: (row: number) => void;
  readonly diff: () => void;
  readonly server: (server: number | undefined) => void;
}

const MOST_ROWS = 400;

export function statePane(
  view: StateView,
  { isDiff, server, pin, beside }: Place,
  { names, recorded }: { readonly names: readonly string[]; readonly recorded: readonly number[] },
  actions: StateActions,
): readonly Node[] {
  const rows = isDiff ? view.rows.filter(({ change }) => change !== "same") : view.rows;
  const shownRows = rows.slice(0, MOST_ROWS);
  const resets = view.rows.filter(({ was }) => was.some(({ isReset }) => isReset)).length;
  const whose = h("div", { class: "whose", role: "group", "aria-label": "whose state" });
  for (const one of [undefined, ...recorded]) {
    const name = one === undefined ? "computed" : `${letterOf(one)} ${names[one] ?? ""}`;
    const choose = () => actions.server(one);
    whose.append(button(name, choose, { "aria-pressed": one === server ? "true" : "false" }));
  }
  const head = h(
    "h2",
    {},
    h("span", {}, "state ", bdi(view.where)),
    button(isDiff ? "all keys" : "only what differs", actions.diff, { "aria-keyshortcuts": "d" }),
  );
  const against =
    view.against === "" ? "nothing to compare with" : `${besideWhat(pin, beside)}: ${view.against}`;
  const parts: Node[] = [head];
  if (recorded.length > 0) parts.push(whose);
  parts.push(h("p", { class: "hint" }, bdi(against)));
  if (resets > 0) {
    const what = `${resets} ${resets === 1 ? "key goes" : "keys go"} back to an older event`;
    parts.push(h("p", { class: "warning" }, h("b", {}, "state reset: "), what));
  }
  const body = h("tbody");
  for (const row of shownRows) body.append(rowOf(row, actions));
  parts.push(
    h(
      "table",
      { id: "state-table" },
      h("thead", { class: "hidden" }, h("tr", {}, h("th", {}, "key"), h("th", {}, "value"))),
      body,
    ),
  );
  if (rows.length === 0) parts.push(h("p", { class: "hint" }, "nothing differs"));
  if (rows.length > MOST_ROWS) {
    parts.push(h("p", { class: "hint" }, `${rows.length - MOST_ROWS} more are not shown`));
  }
  return parts;
}

function besideWhat(pin: number | undefined, beside: number | undefined): string {
  if (beside !== undefined) return "beside that of a server";
  return pin === undefined ? "beside what it follows" : "beside what is pinned";
}

function rowOf(row: StateRow, { explain, go }: StateActions): HTMLElement {
  const what = button(row.what, () => explain(row.key), { class: "key", title: "explain" });
  const value = h("td", {}, h("b", {}, bdi(row.value)));
  if (row.change !== "same") value.append(" ", h("span", { class: "tag plain" }, row.change));
  if (row.isConflicted) value.append(" ", h("span", { class: "tag warn" }, "conflict"));
  if (row.was.some(({ isReset }) => isReset)) {
    value.append(" ", h("span", { class: "tag fail" }, "reset"));
  }
  const { event, expected } = row;
  if (event !== undefined) {
    const id = button(event.short, () => go(event.row), { class: "mono id" });
    value.append(h("div", { class: "mono" }, id, " · ", bdi(event.sender)));
  }
  for (const { where, text, isReset } of row.was) {
    const words = isReset ? "goes back to an older event; was " : "was ";
    value.append(h("div", { class: "was" }, words, bdi(text), " ", bdi(where)));
  }
  if (expected !== undefined) {
    const verdict = expected.isMet ? "✓ as expected" : `✕ the file expects ${expected.short}`;
    value.append(h("div", { class: expected.isMet ? "pass" : "fail" }, verdict));
  }
  const classes = row.change === "same" ? "" : "diff";
  return h("tr", { class: classes, "data-key": row.key }, h("td", {}, what), value);
}
