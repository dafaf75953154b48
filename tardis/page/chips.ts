/** What a run is, in a few words at the head of the page. */
import type { JudgedView, LoadedView } from "#tardis/view/messages";
import { bdi, h } from "./dom.ts";

export function chipsOf(
  loaded: LoadedView,
  judged: JudgedView | undefined,
  isEdited: boolean,
): readonly Node[] {
  const chips: Node[] = [];
  const add = (tone: "" | "pass" | "warn" | "fail", text: string | Node, id?: string) =>
    chips.push(h("span", { class: tone === "" ? "chip" : `chip ${tone}`, id }, text));
  add("", bdi(loaded.title));
  for (const { version } of loaded.rooms.slice(0, 3)) add("", `room version ${version}`);
  add("", `${loaded.servers.length} servers`);
  if (isEdited) add("warn", "what if: not what happened", "edited");
  const failed = loaded.steps.filter(({ isOk }) => isOk === false).length;
  if (failed > 0) add("fail", `✕ ${failed} ${failed === 1 ? "step" : "steps"} failed`);
  if (loaded.problems.length > 0) add("warn", `${loaded.problems.length} not read`);
  if (judged !== undefined && judged.expected > 0) {
    const { expected, unexpected } = judged;
    if (unexpected === 0) add("pass", `✓ all ${expected} keys as expected`, "expected");
    else add("fail", `✕ ${unexpected} of ${expected} keys not as expected`, "expected");
  }
  return chips;
}
