/** Format A: events in the federation format, one a line or in a JSON array, each with its `event_id` or without. */
import { isObject } from "#protocol/events/event";
import { Drafts, type Input, isCreate, type Part } from "./part.ts";

export function readRoom({ items, problems }: Input): Part {
  return {
    format: "room",
    isOrdered: false,
    versions: new Map(),
    creates: items.map(({ value }) => value).filter(isCreate),
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      for (const { place, value } of items) {
        if (isObject(value)) told.pdu(place, undefined, value);
        else told.problems.push({ ...place, what: "no object" });
      }
      return told;
    },
  };
}
