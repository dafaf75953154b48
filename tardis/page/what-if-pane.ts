/** What if: edits of the event at the cursor, what all edits change, and smaller rooms in which they still do. */
import { describe } from "#harness/errors";
import type { Edit } from "#tardis/edit/edits";
import type { EditableView, ShrinkView, WhatIfView } from "#tardis/view/messages";
import { bdi, button, h } from "./dom.ts";
import { saveText } from "./saving.ts";
import { otherDifferences, stateDifference } from "./what-if-difference.ts";

export interface WhatIfActions {
  readonly edits: () => string;
  /** Tells what can not be done. */
  readonly edit: (edits: string) => Promise<void>;
  readonly shrink: (key: string, ms: number) => Promise<ShrinkView>;
  readonly scenario: () => Promise<string>;
  readonly go: (row: number) => void;
  readonly explain: (key: string) => void;
}

/** Of one turn of shrinking: then others have theirs. */
const TURN_MS = 150;
/** After which shrinking ends with what it has. */
const MOST_MS = 30_000;

export class WhatIfPane {
  readonly #parent: HTMLElement;
  readonly #actions: WhatIfActions;
  /** Lists of edits that were taken back, the last at the end. */
  #undone: string[] = [];
  #isShrinking = false;
  #said = "";

  constructor(parent: HTMLElement, actions: WhatIfActions) {
    this.#parent = parent;
    this.#actions = actions;
  }

  show(view: WhatIfView, key: string | undefined): void {
    const focused = document.activeElement?.id ?? "";
    const isInside = this.#parent.contains(document.activeElement);
    this.#parent.replaceChildren(...this.#parts(view, key));
    if (isInside && focused !== "") document.getElementById(focused)?.focus();
  }

  focus(): void {
    document.getElementById("edit-time")?.focus();
  }

  /** Takes back the last edit. */
  async undo(): Promise<void> {
    const edits = listIn(this.#actions.edits());
    if (edits.length === 0) return this.say("there is no edit to take back");
    this.#undone.push(JSON.stringify(edits));
    await this.#take(edits.slice(0, -1), `took back edit ${edits.length}`);
  }

  /** Does again what was taken back last. */
  async redo(): Promise<void> {
    const edits = this.#undone.pop();
    if (edits === undefined) return this.say("there is no edit to be done again");
    await this.#take(listIn(edits), `did edit ${listIn(edits).length} again`);
  }

  async #add(edit: Edit): Promise<void> {
    const edits = [...listIn(this.#actions.edits()), edit];
    if (await this.#take(edits, `did edit ${edits.length}`)) this.#undone = [];
  }

  async #take(edits: readonly unknown[], said: string): Promise<boolean> {
    try {
      this.#said = said;
      await this.#actions.edit(edits.length === 0 ? "" : JSON.stringify(edits));
      return true;
    } catch (error) {
      this.say(describe(error));
      return false;
    }
  }

  /** What was done, or why it was not. */
  say(text: string): void {
    this.#said = text;
    const place = document.getElementById("what-if-said");
    if (place !== null) place.textContent = text;
  }

  #parts(view: WhatIfView, key: string | undefined): readonly Node[] {
    const { event, edits, rows } = view;
    const tools = h("div", { class: "whose", role: "group", "aria-label": "edits" });
    const shrunk = rows[0]?.key ?? key;
    tools.append(
      button("undo", () => void this.undo(), { id: "undo", "aria-keyshortcuts": "u" }),
      button("redo", () => void this.redo(), { id: "redo", "aria-keyshortcuts": "Shift+U" }),
      button("shrink", () => void this.#shrink(shrunk), { id: "shrink" }),
      button("stop", () => this.#stop(), { id: "stop" }),
      button("save as scenario", () => void this.#save(), { id: "save" }),
    );
    const done = h("ol", { id: "edits" });
    for (const [at, text] of edits.entries()) {
      done.append(h("li", {}, h("span", { class: "n" }, String(at + 1)), bdi(text)));
    }
    return [
      h("h2", {}, h("span", {}, "what if")),
      tools,
      h("p", { id: "what-if-said", role: "status" }, this.#said),
      h("h3", {}, "edits"),
      edits.length === 0 ? h("p", { class: "hint" }, "none: this is what happened") : done,
      ...(edits.length === 0 ? [] : stateDifference(view, this.#actions)),
      ...this.#form(event),
      ...(edits.length === 0 ? [] : otherDifferences(view, this.#actions)),
    ];
  }

  #form(event: EditableView): readonly Node[] {
    const { id, text, time, date, sender, level, content, parents, isCreate, arrivals } = event;
    const form = h("div", { class: "edit" });
    const line = (
      name: string,
      label: readonly (Node | string)[],
      field: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement,
      edit: (value: string) => Edit,
    ) => {
      field.id = `edit-${name}`;
      const own = h("form", {}, h("label", { for: field.id }, ...label), field);
      own.append(h("button", { type: "submit", id: `do-${name}` }, "set"));
      own.addEventListener("submit", (submitted) => {
        submitted.preventDefault();
        try {
          void this.#add(edit(field.value));
        } catch (error) {
          this.say(describe(error));
        }
      });
      form.append(own);
    };
    const input = (value: string, type = "text") => h("input", { type, value });
    line("time", ["its time in ms, ", date], input(String(time), "number"), (value) => ({
      kind: "time",
      event: id,
      time: Number(value),
    }));
    if (level !== undefined) {
      line("level", ["level of ", bdi(sender)], input(String(level), "number"), (value) => ({
        kind: "level",
        event: id,
        level: Number(value),
      }));
    }
    if (content !== undefined) {
      line("content", ["its content"], h("textarea", { rows: 3 }, content), (value) => ({
        kind: "content",
        event: id,
        content: JSON.parse(value),
      }));
    }
    if (!isCreate) {
      line("parents", ["it follows"], input(parents.join(" ")), (value) => ({
        kind: "parents",
        event: id,
        parents: value.split(/\s+/).filter((one) => one !== ""),
      }));
    }
    for (const { server, before } of arrivals) {
      const choice = h("select", {});
      for (const [at, one] of before.entries()) {
        choice.append(h("option", { value: at }, one.text));
      }
      const label = ["it comes to ", bdi(server), " before"];
      line(`deliver-${server}`, label, choice, (value) => ({
        kind: "deliver",
        event: id,
        server,
        before: before[Number(value)]?.id ?? "",
      }));
    }
    const copy = () => `${id}-again-${1 + listIn(this.#actions.edits()).length}`;
    const other = h("p", {});
    if (!isCreate) {
      other.append(
        button("drop it", () => void this.#add({ kind: "drop", event: id }), { id: "drop" }),
        " ",
        button("send it twice", () => void this.#add({ kind: "copy", event: id, copy: copy() }), {
          id: "copy",
        }),
      );
    }
    return [h("h3", {}, "the event ", bdi(text)), form, other];
  }

  #stop(): void {
    if (this.#isShrinking) this.#isShrinking = false;
    else this.say("nothing is going on");
  }

  async #shrink(key: string | undefined): Promise<void> {
    if (this.#isShrinking) return;
    if (key === undefined) return this.say("choose a key to explain: it is what stays");
    const before = this.#actions.edits();
    const until = performance.now() + MOST_MS;
    this.#isShrinking = true;
    try {
      let found: ShrinkView;
      do {
        found = await this.#actions.shrink(key, TURN_MS);
        this.say(`${found.left} events left, ${found.tried} rooms tried`);
        // Somebody edits or moves on meanwhile: then this is over.
        if (this.#actions.edits() !== before) return;
      } while (!found.isDone && this.#isShrinking && performance.now() < until);
      const how = found.isDone ? "no single one can go" : "stopped: more may go";
      if (found.edits !== before) {
        this.#undone = [];
        await this.#take(listIn(found.edits), `shrunk to ${found.left} events, ${how}`);
      } else this.say(`none of the ${found.left} events can go`);
    } catch (error) {
      this.say(describe(error));
    } finally {
      this.#isShrinking = false;
    }
  }

  async #save(): Promise<void> {
    try {
      saveText(await this.#actions.scenario(), "what-if.json5", "application/json5");
      this.say("saved as what-if.json5, with what it expects");
    } catch (error) {
      this.say(describe(error));
    }
  }
}

function listIn(edits: string): readonly unknown[] {
  return edits === "" ? [] : (JSON.parse(edits) as readonly unknown[]);
}
