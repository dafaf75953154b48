/** The keys, and a dialog that tells them. */
import { button, h } from "./dom.ts";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["← →", "one event back, one on"],
  ["↑ ↓", "the same; in the explainer, one step"],
  ["Shift ← →", "the conflict before, the next one"],
  ["Home End", "the first event, the last"],
  ["[ ]", "the event of the same server before, the next one"],
  ["e", "explain: go into its steps"],
  ["s", "state: go to its keys"],
  ["d", "only what differs, or all keys"],
  ["m", "pin this event, to compare the state with; again to let it go"],
  ["1 to 9, 0", "the state of a server; the computed one"],
  ["i", "the event in full"],
  ["v", "what each server had"],
  ["c", "what other room versions make of it"],
  ["r", "the run: faults and steps"],
  ["/", "search; n and N go through what was found"],
  ["t", "dark or light"],
  ["Escape", "back to the events"],
  ["?", "this list"],
];

const SEARCH =
  "Search: words, and type: sender: server: key: id: state:yes rejected:yes merge:yes conflict:yes after: before: (numbers of " +
  "records); - before a word negates it, quotes hold words together.";

export function helpDialog(): HTMLDialogElement {
  const list = h("dl");
  for (const [keys, what] of KEYS) list.append(h("dt", {}, h("kbd", {}, keys)), h("dd", {}, what));
  const dialog = h("dialog", { id: "help", "aria-labelledby": "help-title" });
  const close = button("close", () => dialog.close());
  dialog.append(
    h("h2", { id: "help-title" }, "keys"),
    list,
    h("p", { class: "hint" }, SEARCH),
    close,
  );
  return dialog;
}
