/** What a reader has to know of a recording before anything else. */
import { isObject } from "#protocol/events/event";
import { shown, visible } from "#tardis/explain/shown";
import type { Run } from "#tardis/model/run";

const MOST_LETTERS = 500;

/** That it was cut, or that what people wrote was taken out; undefined when it is whole. */
export function noticeOf({ meta }: Run): string | undefined {
  const { truncated: cut, redacted } = meta;
  const parts: string[] = [];
  if (isObject(cut)) {
    const { kept, total, all } = cut;
    const how = `cut to ${shown(String(kept))} of ${shown(String(total))} events about the failure`;
    const whole =
      typeof all === "string" ? `; all of it: ${visible(all.slice(0, MOST_LETTERS))}` : "";
    parts.push(how + whole);
  }
  if (redacted === true)
    parts.push("what people wrote was taken out of the events; ids are as they were");
  return parts.length === 0 ? undefined : parts.join(". ");
}
