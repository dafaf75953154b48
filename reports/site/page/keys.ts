/** Everything has a key, and the keys are shown: at the foot, and in a dialog. */
import { FIELDS } from "#reports/site/filter";
import { button, h } from "./dom.ts";
import { remembered } from "./remembered.ts";

export interface Action {
  readonly keys: readonly string[];
  readonly what: string;
  /** At the foot of the page, as fits there. */
  readonly foot?: string;
  readonly run: (key: string) => void;
}

const letters = remembered("letters");

export function listen(actions: readonly Action[], field: HTMLInputElement): void {
  document.addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey || !(target instanceof HTMLElement)) return;
    if (target.closest("dialog") !== null) return;
    const isField = target === field;
    if (isField && !["Escape", "Enter", "ArrowDown"].includes(key)) return;
    if (target.matches("select") || (key === "Enter" && !isField)) return;
    // Who speaks to the page, or hits keys, may turn letters off (WCAG 2.1.4).
    if (key.length === 1 && letters.value === "off") return;
    const action = actions.find(({ keys }) => keys.includes(key));
    if (action === undefined) return;
    event.preventDefault();
    action.run(key);
  });
}

export function footOf(actions: readonly Action[]): readonly HTMLElement[] {
  return actions.flatMap(({ keys: [key = ""], what, foot, run }) =>
    foot === undefined
      ? []
      : [
          h(
            "span",
            {},
            button(key, () => run(key), { class: "cap", "aria-label": `${key}: ${what}` }),
            ` ${foot}`,
          ),
        ],
  );
}

export function helpDialog(actions: readonly Action[]): HTMLDialogElement {
  const dialog = h("dialog", { id: "help", "aria-labelledby": "help-title" });
  const keys = actions.flatMap(({ keys, what }) => [
    h("dt", {}, ...keys.flatMap((key) => [h("kbd", {}, key), " "])),
    h("dd", {}, what),
  ]);
  const fields = Object.entries(FIELDS).flatMap(([field, what]) => [
    h("dt", {}, h("code", {}, `${field}:`)),
    h("dd", {}, what),
  ]);
  const isOn = h("input", { type: "checkbox", checked: letters.value !== "off" });
  isOn.addEventListener("change", () => {
    letters.value = isOn.checked ? "on" : "off";
  });
  dialog.append(
    h("h2", { id: "help-title" }, "keys"),
    h("dl", {}, ...keys),
    h("p", {}, h("label", {}, isOn, " letters and signs are keys, too")),
    h("h2", {}, "filter"),
    h(
      "p",
      {},
      "Requirements that meet every word: in id, rule or source. - before a word negates it, quotes hold words together; changed and sensitive are words of their own.",
    ),
    h("dl", {}, ...fields),
    button("close", () => dialog.close()),
  );
  return dialog;
}
