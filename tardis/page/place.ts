/** Where the reader is, and the same in the address: `#at=…&view=…`. */
import type { LoadedView } from "#tardis/view/messages";

export const VIEWS = ["why", "event", "servers", "compare", "run"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Place {
  readonly row: number;
  readonly view: ViewName;
  /** `type|state_key` that is explained; undefined: the one that fits. */
  readonly key: string | undefined;
  /** Whose state; undefined: that after the event. */
  readonly server: number | undefined;
  /** Only what differs. */
  readonly isDiff: boolean;
  /** To compare with. */
  readonly pin: number | undefined;
}

export function placeIn(hash: string, loaded: LoadedView): Place {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const [at, server, pin] = ["at", "server", "pin"].map((name) => given.get(name));
  const number = loaded.servers.indexOf(server ?? "");
  return {
    row: rowOf(at ?? null, loaded) ?? loaded.start,
    view: VIEWS.find((view) => view === given.get("view")) ?? "why",
    key: given.get("key") ?? undefined,
    server: number < 0 ? undefined : number,
    isDiff: given.get("diff") === "1",
    pin: rowOf(pin ?? null, loaded),
  };
}

export function hashOf({ row, view, key, server, isDiff, pin }: Place, loaded: LoadedView): string {
  const given = new URLSearchParams();
  const src = sourceOf(location.hash);
  if (src !== undefined) given.set("src", src);
  given.set("at", loaded.rows[row]?.id ?? "");
  given.set("view", view);
  if (key !== undefined) given.set("key", key);
  if (server !== undefined) given.set("server", loaded.servers[server] ?? "");
  if (isDiff) given.set("diff", "1");
  if (pin !== undefined) given.set("pin", loaded.rows[pin]?.id ?? "");
  return `#${given}`;
}

/** A scenario that the address itself holds. */
export function sourceOf(hash: string): string | undefined {
  return new URLSearchParams(hash.replace(/^#/, "")).get("src") ?? undefined;
}

/** By id, by name, or by the number of a record. */
function rowOf(at: string | null, { rows }: LoadedView): number | undefined {
  if (at === null || at === "") return undefined;
  const named = rows.findIndex(({ id, short }) => id === at || short === at);
  if (named >= 0) return named;
  if (!/^\d+$/.test(at)) return undefined;
  const later = rows.findIndex(({ seq }) => seq > Number(at));
  return Math.max(0, later < 0 ? rows.length - 1 : later - 1);
}
