/** Where the reader is, and the same in the address: `#at=…&view=…`. */
import type { LoadedView } from "#tardis/view/messages";
import { rowNamed, textAt } from "#tardis/view/row-columns";

/** In the order of their tabs. */
export const VIEWS = [
  { name: "why", key: "e", what: "explain: go into its steps" },
  { name: "event", key: "i", what: "the event in full" },
  { name: "servers", key: "v", what: "what each server had" },
  { name: "compare", key: "o", what: "lay states by other versions, and of servers, side by side" },
  { name: "what-if", key: "x", what: "what if: edit the event, and see what that changes" },
  { name: "run", key: "r", what: "the run: faults, steps and exchanges" },
] as const;
export type ViewName = (typeof VIEWS)[number]["name"];

/** How the graph is drawn. */
export const DRAW_OPTIONS = ["folded", "by-server", "newest-first"] as const;
export type DrawOption = (typeof DRAW_OPTIONS)[number];

export interface Place {
  readonly row: number;
  readonly view: ViewName;
  /** `type|state_key` that is explained; undefined: the one that fits. */
  readonly key: string | undefined;
  /** Of the explainer, from 0. */
  readonly step: number;
  /** Whose state; undefined: that after the event. */
  readonly server: number | undefined;
  /** Only what differs. */
  readonly isDiff: boolean;
  /** To compare with. */
  readonly pin: number | undefined;
  /** A server whose state it is compared with, instead. */
  readonly beside: number | undefined;
  /** What is searched for. */
  readonly q: string;
  readonly draw: readonly DrawOption[];
  /** The only rows of the graph, both ends included. */
  readonly range: readonly [first: number, last: number] | undefined;
  /** Sides that are compared: see view/compare.ts; empty for the usual ones. */
  readonly cmp: string;
  /** What if: as edits.ts writes them. */
  readonly edits: string;
}

export function placeIn(hash: string, loaded: LoadedView): Place {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const [at, server, pin, beside] = ["at", "server", "pin", "beside"].map((name) =>
    given.get(name),
  );
  const step = Number(given.get("step") ?? "1");
  const row = rowOf(at ?? null, loaded);
  // Who says which event says the rest too.
  const start = row === undefined ? loaded.start : undefined;
  return {
    row: row ?? loaded.start.row,
    view: VIEWS.find(({ name }) => name === given.get("view"))?.name ?? start?.view ?? "why",
    key: given.get("key") ?? start?.key,
    step: Number.isInteger(step) && step > 0 ? step - 1 : 0,
    server: serverOf(server ?? null, loaded) ?? start?.server,
    isDiff: given.get("diff") === "1",
    pin: rowOf(pin ?? null, loaded),
    beside: serverOf(beside ?? null, loaded),
    q: given.get("q") ?? "",
    draw: DRAW_OPTIONS.filter((option) => (given.get("draw") ?? "").split(",").includes(option)),
    range: rangeOf(given.get("from"), given.get("to"), loaded),
    cmp: given.get("cmp") ?? "",
    edits: editsIn(hash),
  };
}

export function hashOf(
  { row, view, key, step, server, isDiff, pin, beside, q, cmp, edits, draw, range }: Place,
  loaded: LoadedView,
): string {
  const given = new URLSearchParams();
  const idOf = (at: number) => (at < loaded.rows.size ? textAt(loaded.rows.ids, at) : "");
  const src = sourceOf(location.hash);
  if (src !== undefined) given.set("src", src);
  given.set("at", idOf(row));
  given.set("view", view);
  if (key !== undefined) given.set("key", key);
  if (step > 0) given.set("step", String(step + 1));
  if (server !== undefined) given.set("server", loaded.servers[server] ?? "");
  if (isDiff) given.set("diff", "1");
  if (pin !== undefined) given.set("pin", idOf(pin));
  if (beside !== undefined) given.set("beside", loaded.servers[beside] ?? "");
  if (q !== "") given.set("q", q);
  if (draw.length > 0) given.set("draw", draw.join(","));
  if (range !== undefined) {
    given.set("from", idOf(range[0]));
    given.set("to", idOf(range[1]));
  }
  if (cmp !== "") given.set("cmp", cmp);
  if (edits !== "") given.set("edits", edits);
  return `#${given}`;
}

export function editsIn(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, "")).get("edits") ?? "";
}

/** A scenario that the address itself holds. */
export function sourceOf(hash: string): string | undefined {
  return new URLSearchParams(hash.replace(/^#/, "")).get("src") ?? undefined;
}

/** Names of actions that a link wants done once all is there. */
export function actionsIn(hash: string): readonly string[] {
  const names = new URLSearchParams(hash.replace(/^#/, "")).get("do") ?? "";
  return names.split(",").filter((name) => name !== "");
}

/** By id, by name, or by the number of a record. */
function rowOf(at: string | null, { rows }: LoadedView): number | undefined {
  if (at === null || at === "") return undefined;
  const named = rowNamed(rows, at);
  if (named >= 0) return named;
  if (!/^\d+$/.test(at)) return undefined;
  const later = rows.seq.findIndex((seq) => seq > Number(at));
  return Math.max(0, later < 0 ? rows.size - 1 : later - 1);
}

function rangeOf(from: string | null, to: string | null, loaded: LoadedView): Place["range"] {
  const [first = 0, last = loaded.rows.size - 1] = [rowOf(from, loaded), rowOf(to, loaded)];
  return (from === null && to === null) || first > last ? undefined : [first, last];
}

function serverOf(name: string | null, { servers }: LoadedView): number | undefined {
  const number = servers.indexOf(name ?? "");
  return number < 0 ? undefined : number;
}
