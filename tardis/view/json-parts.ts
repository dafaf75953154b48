/** An event as indented JSON, in which ids of events that are there are parts of their own. */
import { visible } from "#tardis/explain/shown";
import { writeJson } from "#tardis/model/json";
import type { JsonPart } from "./messages.ts";

const MOST_LETTERS = 200_000;
const MOST_LINKS = 200;

/**
 * With the digits that were read: written in one line first, and parted outside of texts.
 *
 * @param rowOf of an event id; below 0 where there is none
 */
export function jsonParts(json: unknown, rowOf: (id: string) => number): readonly JsonPart[] {
  const line = writeJson(json);
  const cut = line.length > MOST_LETTERS ? line.slice(0, MOST_LETTERS) : line;
  const parts: JsonPart[] = [];
  let [depth, text, links] = [0, "", 0];
  const open = () => `\n${"  ".repeat(depth)}`;
  for (const [part] of cut.matchAll(/"(?:[^"\\]|\\.)*"?|\[\]|\{\}|[{}[\],:]|[^"{}[\],:]+/g)) {
    if (part.startsWith('"')) {
      const row = links < MOST_LINKS ? rowIn(part, rowOf) : -1;
      if (row < 0) text += visible(part);
      else {
        parts.push({ text, row: undefined }, { text: visible(part), row });
        text = "";
        links++;
      }
    } else if (part === "{" || part === "[") {
      depth++;
      text += part + open();
    } else if (part === "}" || part === "]") {
      depth = Math.max(0, depth - 1);
      text += open() + part;
    } else if (part === ",") text += part + open();
    else text += part === ":" ? ": " : part;
  }
  if (line.length > MOST_LETTERS) {
    text += `\n… ${line.length - MOST_LETTERS} more letters are not shown`;
  }
  return [...parts, { text, row: undefined }];
}

function rowIn(part: string, rowOf: (id: string) => number): number {
  try {
    return rowOf(JSON.parse(part));
  } catch {
    // Cut in the middle.
    return -1;
  }
}
