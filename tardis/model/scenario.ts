/** What a scenario says of its own events, which a run keeps under `scenario` of its meta record, by the scenario's names. */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import type { ExpectedState, Pdu, Run } from "./run.ts";

/** Given states and expectations, by event id. */
export function scenarioOf(
  { scenario }: JsonObject,
  pdus: readonly Pdu[],
): Pick<Run, "givenStates" | "expected"> {
  if (!isObject(scenario)) return { givenStates: new Map(), expected: new Map() };
  const ids = new Map(
    pdus.flatMap(({ name, eventId }) => (name === undefined ? [] : [[name, eventId] as const])),
  );
  const idOf = (name: JsonValue) => ids.get(String(name)) ?? String(name);
  const { precalculated_state_after: given, x_replay: replay } = scenario;
  return {
    givenStates: new Map(
      entriesOf(given).map(([id, state]) => [
        idOf(id),
        (Array.isArray(state) ? state : []).map(idOf),
      ]),
    ),
    expected: new Map(
      entriesOf(isObject(replay) ? replay.expect : undefined).map(([id, state]) => [
        idOf(id),
        new Map(
          entriesOf(state).map(([key, event]) => [key, event === null ? null : idOf(event)]),
        ) satisfies ExpectedState,
      ]),
    ),
  };
}

function entriesOf(value: JsonValue | undefined): readonly [string, JsonValue][] {
  return isObject(value) ? Object.entries(value) : [];
}
