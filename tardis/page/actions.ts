/** All that readers can do, once: keys do it, the dialog of keys lists and does it, the foot of the page has some, and links name it. */
import type { App } from "./app.ts";
import type { DagPane } from "./dag-pane.ts";
import { VIEWS } from "./place.ts";
import type { WhyPane } from "./why-pane.ts";

/** What actions act on. */
export interface Desk {
  readonly app: App;
  readonly why: WhyPane;
  readonly dag: DagPane;
  readonly search: HTMLInputElement;
}

export interface Action {
  /** Never changes, since links and reports name it. */
  readonly name: string;
  /** `key` of a keyboard event, with `Shift+` before what is no letter or sign. */
  readonly key: string;
  readonly run: (desk: Desk) => void | Promise<void>;
  /** Only while the focus is in the steps of the explainer; goes before others of the same key. */
  readonly isOfSteps?: true;
}

export interface ActionRow {
  readonly what: string;
  readonly actions: readonly Action[];
  /** In fewer words, at the foot of the page. */
  readonly foot?: string;
}

const go = (name: string, key: string, rowOf: (row: number, last: number) => number): Action => ({
  name,
  key,
  run: ({ app }) => app.go({ row: rowOf(app.place?.row ?? 0, (app.loaded?.rows.size ?? 1) - 1) }),
});

const next = (
  name: string,
  key: string,
  of: "conflict" | "hit" | "server",
  by: 1 | -1,
): Action => ({ name, key, run: ({ app }) => app.next(of, by) });

function beside({ app, dag }: Desk, by: 1 | -1): void {
  app.go({ row: dag.beside(app.place?.row ?? 0, by) });
}

export const ACTIONS: readonly ActionRow[] = [
  {
    what: "one event back, one on",
    foot: "step",
    actions: [
      go("step-back", "ArrowLeft", (row) => row - 1),
      go("step-on", "ArrowRight", (row) => row + 1),
    ],
  },
  {
    what: "the row above, the row below",
    actions: [
      { name: "row-up", key: "ArrowUp", run: (desk) => beside(desk, -1) },
      { name: "row-down", key: "ArrowDown", run: (desk) => beside(desk, 1) },
    ],
  },
  {
    what: "the conflict before, the next one",
    foot: "conflict",
    actions: [
      next("conflict-before", "Shift+ArrowLeft", "conflict", -1),
      next("conflict-next", "Shift+ArrowRight", "conflict", 1),
    ],
  },
  {
    what: "the first event, the last",
    actions: [go("first", "Home", () => 0), go("last", "End", (_, last) => last)],
  },
  {
    what: "the event of the same server before, the next one",
    actions: [next("server-before", "[", "server", -1), next("server-next", "]", "server", 1)],
  },
  {
    what: "an event that it follows, one that follows it; again: the next such one",
    actions: [
      { name: "parent", key: "p", run: ({ app }) => app.kin("parents") },
      { name: "child", key: "c", run: ({ app }) => app.kin("children") },
    ],
  },
  {
    what: "begin with this event: p and c go on from here",
    actions: [{ name: "anchor", key: "Enter", run: ({ app }) => app.go({}) }],
  },
  {
    what: "find all that it cites, and what that cites; again: find nothing",
    actions: [{ name: "auth-chain", key: "a", run: ({ app }) => app.findAuthChain() }],
  },
  ...VIEWS.map(({ name, key, what }) => ({
    what,
    ...(name === "why" ? { foot: "explain" } : {}),
    actions: [{ name: `view-${name}`, key, run: ({ app }: Desk) => void app.into(name) }],
  })),
  {
    what: "in the explainer, one step back, one on",
    actions: [
      { name: "explain-back", key: "ArrowUp", isOfSteps: true, run: ({ why }) => why.move(-1) },
      { name: "explain-on", key: "ArrowDown", isOfSteps: true, run: ({ why }) => why.move(1) },
    ],
  },
  {
    what: "go to the state",
    foot: "state",
    actions: [{ name: "state", key: "s", run: ({ app }) => app.focusState() }],
  },
  {
    what: "only what differs, or all keys",
    foot: "diff",
    actions: [
      {
        name: "diff",
        key: "d",
        run: ({ app }) => app.go({ isDiff: !(app.place?.isDiff ?? false) }),
      },
    ],
  },
  {
    what: "lay the state beside that of each server in turn, then again beside what it follows or what is pinned",
    actions: [{ name: "beside", key: "b", run: ({ app }) => app.besideNext() }],
  },
  {
    what: "pin this event, to compare the state with; again: let it go",
    actions: [{ name: "pin", key: "m", run: ({ app }) => app.pin() }],
  },
  {
    what: "the computed state, or that of the first to the ninth server",
    actions: Array.from({ length: 10 }, (_, digit) => ({
      name: `server-${digit}`,
      key: String(digit),
      run: ({ app }: Desk) => app.server(digit),
    })),
  },
  {
    what: "take back the last edit, do it again",
    actions: [
      { name: "undo", key: "u", run: ({ app }) => void app.whatIf.undo() },
      { name: "redo", key: "U", run: ({ app }) => void app.whatIf.redo() },
    ],
  },
  {
    what: "search",
    foot: "search",
    actions: [
      {
        name: "search",
        key: "/",
        run: ({ search }) => {
          search.focus();
          search.select();
        },
      },
    ],
  },
  {
    what: "the next that was found, the one before",
    actions: [next("hit-next", "n", "hit", 1), next("hit-before", "N", "hit", -1)],
  },
  {
    what: "fold runs of events that follow one another, or show them all",
    foot: "fold",
    actions: [{ name: "fold", key: "f", run: ({ dag }) => dag.toggle("folded") }],
  },
  {
    what: "larger rows, smaller ones, up to the whole room at once",
    actions: [
      { name: "zoom-in", key: "W", run: ({ dag }) => dag.zoom(-1) },
      { name: "zoom-out", key: "S", run: ({ dag }) => dag.zoom(1) },
    ],
  },
  {
    what: "lanes by server, or by branch; the newest event on top, or below",
    actions: [
      { name: "by-server", key: "l", run: ({ dag }) => dag.toggle("by-server") },
      { name: "newest-first", key: "y", run: ({ dag }) => dag.toggle("newest-first") },
    ],
  },
  {
    what: "leave out what is before this event, what is after it; nothing",
    actions: [
      { name: "from-here", key: "(", run: ({ dag }) => dag.from() },
      { name: "to-here", key: ")", run: ({ dag }) => dag.to() },
      { name: "all-events", key: "=", run: ({ app }) => app.go({ range: undefined }) },
    ],
  },
  {
    what: "save the explanation as Markdown",
    actions: [
      {
        name: "save-markdown",
        key: "M",
        run: async ({ app, why }) => {
          await app.into("why");
          why.save();
        },
      },
    ],
  },
  {
    what: "save what is in sight as SVG, as PNG",
    actions: [
      { name: "save-svg", key: "g", run: ({ dag }) => dag.saveSvg() },
      { name: "save-png", key: "G", run: ({ dag }) => dag.savePng() },
    ],
  },
  {
    what: "pass it on: a link that holds the room, or all of it as one file",
    actions: [{ name: "share", key: "k", run: ({ app }) => app.share() }],
  },
  { what: "dark or light", actions: [{ name: "theme", key: "t", run: ({ app }) => app.theme() }] },
  {
    what: "back to the events",
    actions: [{ name: "events", key: "Escape", run: ({ dag }) => dag.focus() }],
  },
  {
    what: "this list",
    foot: "all keys",
    actions: [{ name: "help", key: "?", run: ({ app }) => app.help() }],
  },
];

const ALL = ACTIONS.flatMap(({ actions }) => actions);

/** What a key does; undefined: nothing. */
export function actionOf(key: string, isInSteps: boolean): Action | undefined {
  const fitting = ALL.filter((action) => action.key === key);
  return (
    fitting.find(({ isOfSteps }) => isOfSteps === true && isInSteps) ??
    fitting.find(({ isOfSteps }) => isOfSteps === undefined)
  );
}

/** By the name in a link. */
export function actionNamed(name: string): Action | undefined {
  return ALL.find((action) => action.name === name);
}

const SIGNS: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
};

/** As it stands on keyboards. */
export function keyText(key: string): string {
  const [, shift = "", plain = key] = /^(Shift\+)?(.+)$/.exec(key) ?? [];
  const isCapital = /^[A-Z]$/.test(plain);
  return `${shift !== "" || isCapital ? "⇧" : ""}${SIGNS[plain] ?? plain.toLowerCase()}`;
}

/** As `aria-keyshortcuts` wants it. */
export function shortcutOf(key: string): string {
  return /^[A-Z]$/.test(key) ? `Shift+${key}` : key;
}
