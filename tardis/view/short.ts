/** What an event is called where there is little room. */
import { shown } from "#tardis/explain/shown";
import type { Run } from "#tardis/model/run";

/** The name in its scenario, or the beginning of an id. */
export function shortOf({ pdus }: Run, row: number, id: string): string {
  const name = pdus[row]?.name;
  if (name !== undefined) return shown(name);
  return /^\$[\w+/-]{43}$/.test(id) ? id.slice(0, 7) : shown(id);
}
