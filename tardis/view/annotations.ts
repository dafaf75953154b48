/** What a scenario says of its events, by their names, fit to be shown. */
import { isObject, type JsonValue } from "#protocol/events/event";
import { visible } from "#tardis/explain/shown";
import type { Run } from "#tardis/model/run";

const MOST = 2_000;

export interface Annotations {
  readonly title: string | undefined;
  /** A sentence about what happens at an event. */
  caption(name: string): string | undefined;
  /** A few words for the row of an event. */
  label(name: string): string | undefined;
}

export function annotationsOf({ meta }: Run): Annotations {
  const found = own(meta.scenario, "annotations");
  return {
    title: textOf(own(found, "title")),
    caption: (name) => textOf(own(own(found, "titles"), name)),
    label: (name) => textOf(own(own(found, "events"), name)),
  };
}

function own(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value !== "string") return undefined;
  return visible(
    value
      .slice(0, MOST)
      .toWellFormed()
      .replaceAll(/\\n|\n/g, " "),
  );
}
