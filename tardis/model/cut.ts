/** What a recording says of itself when it was cut: `truncated` of its meta record. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";

export interface CutFacts {
  /** The state before events that follow what is not there: event ids by event id. */
  readonly before: ReadonlyMap<string, readonly string[]>;
  /** Events that are there because others cite them, without what they follow and what follows them. */
  readonly aside: ReadonlySet<string>;
}

export function cutFactsOf({ truncated }: JsonObject): CutFacts {
  const { before, aside } = isObject(truncated) ? truncated : {};
  const states = Object.entries(isObject(before) ? before : {});
  return {
    before: new Map(states.map(([id, state]) => [id, textsOf(state)])),
    aside: new Set(textsOf(aside)),
  };
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
