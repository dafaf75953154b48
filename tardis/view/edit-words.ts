/** Edits in a few words. */

import type { Edit } from "#tardis/edit/edits";
import { shown } from "#tardis/explain/shown";
import { writeJson } from "#tardis/model/json";
import { dateText } from "./time-text.ts";

/** @param nameOf what an event is called, by its original id */
export function editWords(edit: Edit, nameOf: (id: string) => string): string {
  switch (edit.kind) {
    case "time":
      return `${nameOf(edit.event)} claims to have been sent ${dateText(edit.time)}`;
    case "level":
      return `the sender of ${nameOf(edit.event)} has the level ${edit.level}`;
    case "content":
      return `${nameOf(edit.event)} says ${shown(writeJson(edit.content))}`;
    case "parents":
      return `${nameOf(edit.event)} follows ${listed(edit.parents, nameOf)}`;
    case "drop":
      return `${nameOf(edit.event)} never was`;
    case "copy":
      return `${nameOf(edit.event)} is there twice, again as ${shown(edit.copy)}`;
    case "deliver":
      return `${nameOf(edit.event)} comes to ${shown(edit.server)} before ${nameOf(edit.before)}`;
    case "without":
      return `shrunk: ${edit.events.length} ${edit.events.length === 1 ? "event is" : "events are"} left out of the original as well`;
  }
}

function listed(ids: readonly string[], nameOf: (id: string) => string): string {
  return ids.length === 0 ? "nothing" : ids.slice(0, 20).map(nameOf).join(" and ");
}
