/** Why a key of the state has its value after an event, in words: what `crucible tardis explain` prints. */
import type { RoomHistory } from "#protocol/state/room-history";
import type { ResolutionStep } from "#protocol/state/trace";
import type { Run } from "#tardis/model/run";
import { type Origin, originOf, splitKey, valueAfter, valueIn } from "./deciding-event.ts";
import { type Explanation, type Sentence, StepWriter } from "./explanation.ts";
import { StepTeller, sentenceOf } from "./steps.ts";
import { whatServersSaid } from "./what-servers-said.ts";
import { Losers } from "./why-it-lost.ts";
import { keyWords, Wording } from "./wording.ts";

export interface Question {
  readonly history: RoomHistory;
  /** What a scenario calls its events, by id. */
  readonly names: ReadonlyMap<string, string>;
  /** Ids of events whose state after them a file gives. */
  readonly given: ReadonlySet<string>;
  /** Ids of one event, or of several that a next one would follow. */
  readonly at: readonly string[];
  /** `type|state_key`. */
  readonly key: string;
  /** What servers said of it up to this record is told as well. */
  readonly recorded?: { readonly run: Run; readonly seq: number };
}

export function explainKey(question: Question): Explanation {
  const { history, names, given, at, key, recorded } = question;
  const { version } = history.graph;
  const words = new Wording((id) => history.get(id)?.event, names);
  const origin = originOf(history, at, key, given);
  const parents = origin.kind === "resolved" ? origin.of : [];
  const trace: ResolutionStep[] = [];
  const after =
    parents.length > 0
      ? valueIn(
          history,
          history.stateAfter(parents, (step) => trace.push(step)),
          key,
        )
      : valueAfter(history, at[0] ?? "", key);
  const value = origin.kind === "never" ? null : after;
  const candidates = new Set(
    [...parents.map((id) => valueAfter(history, id, key)), value].filter((id) => id !== null),
  );
  const writer = new StepWriter(candidates);
  if (parents.length > 0) {
    writer.step("inputs", "the states that meet", inputs(question, words, parents));
    new StepTeller(words, history.graph, writer, trace).tell();
  }
  return {
    roomVersion: version.id,
    algorithm: version.stateResolution,
    at,
    key,
    value,
    verdict: [
      ...[
        ...verdict(question, words, origin, trace, value, candidates),
        ...missingOf(history, words, at),
      ].map((text) => ({
        text,
        events: value === null ? [] : [value],
        isOfKey: true,
      })),
      ...(recorded === undefined
        ? []
        : whatServersSaid({
            ...recorded,
            roomId: history.events[0]?.event.roomId ?? "",
            key,
            words,
          })),
    ],
    steps: writer.steps,
  };
}

function inputs(
  { history, key }: Question,
  words: Wording,
  parents: readonly string[],
): readonly Sentence[] {
  const [type, stateKey] = splitKey(key);
  return parents.map((id) => {
    const value = valueAfter(history, id, key);
    return {
      text: `After ${words.event(id)}, ${keyWords(type, stateKey)}: ${value === null ? "none" : words.event(value)}.`,
      events: value === null ? [id] : [value, id],
      isOfKey: true,
    };
  });
}

function verdict(
  question: Question,
  words: Wording,
  origin: Origin,
  trace: readonly ResolutionStep[],
  value: string | null,
  candidates: ReadonlySet<string>,
): readonly string[] {
  const { history, at, key } = question;
  const [type, stateKey] = splitKey(key);
  const what = sentenceOf(keyWords(type, stateKey));
  const where = at.map((id) => words.event(id)).join(" and ");
  const is = value === null ? "there is no value" : words.event(value);
  const said = `${what}, after ${where}: ${is}.`;
  switch (origin.kind) {
    case "never":
      return [said, ...rejectedOf(history, words, type, stateKey), "No event before has set it."];
    case "given":
      return [
        said,
        `The file gives the state after ${words.event(origin.id)}; it is not computed.`,
      ];
    case "set":
      return [
        said,
        ...(at.includes(origin.id) ? [] : ["No event since then, on any branch, has changed it."]),
        `The rules of room version ${history.graph.version.id} allow it, by what it cites and by the state before it.`,
        ...rejectedOf(history, words, type, stateKey),
      ];
    case "resolved": {
      const losers = new Losers(words, trace, [type, stateKey]);
      const meet = origin.of.map((id) => words.event(id)).join(" and ");
      const inputs = new Set(origin.of.map((id) => valueAfter(history, id, key)));
      return [
        said,
        `It was decided by state resolution ${history.graph.version.stateResolution}, where ${meet} meet.`,
        ...(value !== null && !inputs.has(value)
          ? [
              "State reset: none of the states that met had this value; it is an earlier event that passed the checks.",
            ]
          : []),
        ...(value === null && inputs.size > 0
          ? ["All candidates were refused, so that nothing is left for it."]
          : []),
        ...[...candidates]
          .filter((id) => id !== value)
          .map((id) => losers.why(id, value ?? undefined)),
        ...rejectedOf(history, words, type, stateKey),
      ];
    }
  }
}

/** What our answer is without. */
function missingOf(
  history: RoomHistory,
  words: Wording,
  ids: readonly string[],
): readonly string[] {
  return ids.flatMap((id) => {
    const missing = history.get(id)?.missing ?? [];
    if (missing.length === 0) return [];
    const listed = missing.map((one) => words.id(one)).join(", ");
    return [
      `What ${words.event(id)} follows is not all known: ${listed} may have held something else.`,
    ];
  });
}

/** Events that would have set it. */
function rejectedOf(
  { events }: RoomHistory,
  words: Wording,
  type: string,
  stateKey: string,
): readonly string[] {
  return events.flatMap(({ event, rejection }) =>
    rejection !== undefined && event.type === type && event.stateKey === stateKey
      ? [
          `${words.event(event.id)} counts for nothing: the rule ${rejection.rule} rejects it: ${rejection.why}.`,
        ]
      : [],
  );
}
