/** A dialog that lists what can be done, with its keys, and does it. */
import { SEARCH_FIELDS } from "#tardis/view/search-words";
import { ACTIONS, type Desk, keyText, shortcutOf } from "./actions.ts";
import { button, h } from "./dom.ts";
import { letters } from "./keys.ts";

export function helpDialog(desk: Desk): HTMLDialogElement {
  const dialog = h("dialog", { id: "help", "aria-labelledby": "help-title" });
  const list = h("dl");
  for (const { what, actions } of ACTIONS) {
    const keys = h("dt");
    for (const { name, key, run } of actions) {
      const press = () => {
        dialog.close();
        run(desk);
      };
      const named = { title: name, "aria-label": `${keyText(key)}: ${what}`, "data-action": name };
      keys.append(button(keyText(key), press, { class: "cap", ...named }), " ");
    }
    list.append(keys, h("dd", {}, what));
  }
  const fields = h("dl");
  for (const [field, what] of Object.entries(SEARCH_FIELDS)) {
    fields.append(h("dt", {}, h("code", {}, `${field}:`)), h("dd", {}, what));
  }
  const isOn = h("input", { type: "checkbox", checked: letters.isOn, id: "letters" });
  isOn.addEventListener("change", () => letters.turn(isOn.checked));
  dialog.append(
    h("h2", { id: "help-title" }, "keys"),
    list,
    h("p", {}, h("label", {}, isOn, " letters and signs are keys, too")),
    h("h2", {}, "search"),
    h(
      "p",
      { class: "hint" },
      "Events that meet every word. - before a word negates it; quotes hold words together.",
    ),
    fields,
    button("close", () => dialog.close()),
  );
  return dialog;
}

/** Some of them, at the foot of the page. */
export function footItems(desk: Desk): readonly HTMLElement[] {
  return ACTIONS.flatMap(({ what, foot, actions }) => {
    if (foot === undefined) return [];
    const item = h("span");
    for (const { key, run } of actions) {
      const named = {
        "aria-label": `${keyText(key)}: ${what}`,
        "aria-keyshortcuts": shortcutOf(key),
      };
      item.append(
        button(keyText(key), () => run(desk), { class: "cap", ...named }),
        " ",
      );
    }
    item.append(foot);
    return [item];
  });
}
