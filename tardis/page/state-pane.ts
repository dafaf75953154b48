/** The state as a table: what changed first, with what it was, and whether it went back. */
import { letterOf } from "#tardis/render/display-list";
import type { StateRow, StateView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";
import type { Place } from "./place.ts";
import { told } from "./terms.ts";

export interface StateActions {
  readonly explain: (key: string) => void;
  readonly go: (row: number) => void;
  readonly diff: () => void;
  readonly server: (server: number | undefined) => void;
  /** What to compare with: a server, or what there is without one. */
  readonly beside: (server: number | undefined) => void;
}

interface Names {
  readonly names: readonly string[];
  readonly recorded: readonly number[];
}

/** More come when they are asked for: the page stays quick, whatever the room. */
const ROWS_AT_ONCE = 40;

export class StatePane {
  readonly #parent: HTMLElement;
  readonly #actions: StateActions;
  /** Stays as it is while the reader moves. */
  readonly #filter = h("input", {
    type: "search",
    id: "state-filter",
    placeholder: "type, user or value",
    "aria-label": "only keys with this in their type, user or value",
  });
  readonly #table = h("div");
  #view: StateView | undefined;
  #isDiff = false;
  #most = ROWS_AT_ONCE;

  constructor(parent: HTMLElement, actions: StateActions) {
    this.#parent = parent;
    this.#actions = actions;
    this.#filter.addEventListener("input", () => {
      this.#most = ROWS_AT_ONCE;
      this.#fill();
    });
  }

  show(view: StateView, place: Place, names: Names): void {
    this.#view = view;
    this.#most = ROWS_AT_ONCE;
    this.#isDiff = place.isDiff;
    const isFocused = document.activeElement === this.#filter;
    const { diff } = this.#actions;
    const toggle = { "aria-keyshortcuts": "d" };
    this.#parent.replaceChildren(
      h(
        "h2",
        {},
        h("span", {}, "state ", bdi(view.where)),
        button(place.isDiff ? "all keys" : "only what differs", diff, toggle),
      ),
      ...this.#choices(place, names),
      h("p", { class: "hint" }, bdi(againstWhat(view, place))),
      h("p", {}, this.#filter),
      ...resets(view),
      this.#table,
    );
    if (isFocused) this.#filter.focus();
    this.#fill();
  }

  /** Whose state, and beside whose. */
  #choices({ server, beside }: Place, { names, recorded }: Names): readonly Node[] {
    if (recorded.length === 0) return [];
    const group = (
      label: string,
      none: string,
      chosen: number | undefined,
      choose: (server: number | undefined) => void,
    ) => {
      const element = h("div", { class: "whose", role: "group", "aria-label": label });
      element.append(h("small", {}, label));
      for (const one of [undefined, ...recorded]) {
        const name = one === undefined ? none : `${letterOf(one)} ${names[one] ?? ""}`;
        const pressed = { "aria-pressed": one === chosen ? "true" : "false" };
        element.append(button(name, () => choose(one), pressed));
      }
      return element;
    };
    return [
      group("whose state", "computed", server, this.#actions.server),
      group("beside", "what was before", beside, this.#actions.beside),
    ];
  }

  #fill(): void {
    const all = this.#view?.rows ?? [];
    const wanted = this.#filter.value.toLowerCase();
    const rows = all.filter(
      (row) => (!this.#isDiff || row.change !== "same") && isAbout(row, wanted),
    );
    const body = h("tbody");
    for (const row of rows.slice(0, this.#most)) body.append(rowOf(row, this.#actions));
    const head = h("tr", {}, h("th", {}, "key"), h("th", {}, "value"));
    const parts: Node[] = [
      h("table", { id: "state-table" }, h("thead", { class: "hidden" }, head), body),
    ];
    const hint = (text: string) => parts.push(h("p", { class: "hint" }, text));
    if (rows.length === 0) hint(wanted === "" ? "nothing differs" : "no such key");
    if (rows.length > this.#most) {
      const more = () => {
        this.#most += ROWS_AT_ONCE;
        this.#fill();
      };
      parts.push(h("p", {}, button(`${rows.length - this.#most} more`, more)));
    }
    this.#table.replaceChildren(...parts);
  }
}

function isAbout({ key, what, value, event }: StateRow, wanted: string): boolean {
  return `${key} ${what} ${value} ${event?.sender ?? ""}`.toLowerCase().includes(wanted);
}

function resets({ rows }: StateView): readonly Node[] {
  const count = rows.filter(({ was }) => was.some(({ isReset }) => isReset)).length;
  if (count === 0) return [];
  const what = `${count} ${count === 1 ? "key goes" : "keys go"} back to an older event`;
  return [h("p", { class: "warning" }, h("b", {}, told("state reset"), ": "), what)];
}

function againstWhat({ against }: StateView, { pin, beside }: Place): string {
  if (against === "") return "nothing to compare with";
  if (beside !== undefined) return `beside that of a server: ${against}`;
  return `${pin === undefined ? "beside what it follows" : "beside what is pinned"}: ${against}`;
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
    if (event.since !== "") value.append(h("div", { class: "was" }, `since ${event.since}`));
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
