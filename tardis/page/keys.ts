/** Keys of the page: actions.ts says what each does. */
import { actionOf, type Desk } from "./actions.ts";
import { Remembered } from "./remembered.ts";

const remembered = new Remembered("letters");

/** Letters and signs do something only while this is on: whoever speaks to the page, or hits keys, may turn it off. */
export const letters = {
  get isOn(): boolean {
    return remembered.value !== "off";
  },
  turn(isOn: boolean): void {
    remembered.value = isOn ? "on" : "off";
  },
};

export function keyActions(desk: Desk): (event: KeyboardEvent) => void {
  const { app, dag, search } = desk;
  return (event) => {
    const { key, target, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (ctrlKey || metaKey || altKey || !(target instanceof HTMLElement)) return;
    if (target.closest("dialog") !== null) return;
    if (target === search) {
      if (key === "Escape") dag.focus();
      if (key === "Enter") {
        app.next("hit", shiftKey ? -1 : 1);
        dag.focus();
      }
      return;
    }
    const isLetter = key.length === 1;
    if (key === "Enter" && target.matches("button, summary, a, input, select")) return;
    // Lists, sliders and tabs have arrow keys of their own, and fields all letters.
    const hasArrows = target.matches("select, [role=tab], input, textarea");
    if (hasArrows && /^(?:Arrow|Home|End)/.test(key)) return;
    if (isLetter && target.matches("input:not([type=range], [type=checkbox]), select, textarea")) {
      return;
    }
    if (isLetter && !letters.isOn) return;
    const isInSteps = target.closest("#why-steps") !== null;
    const action = actionOf(isLetter || !shiftKey ? key : `Shift+${key}`, isInSteps);
    if (action === undefined) return;
    event.preventDefault();
    action.run(desk);
    if (isInSteps && /Left|Right/.test(action.key)) dag.focus();
  };
}
