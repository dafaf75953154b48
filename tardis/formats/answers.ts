/**
 * Format I: answers of live servers, as they come or as they were saved: of /messages and /sync with `event_format`
 * federation, of the federation API (/backfill, /event, /get_missing_events, /state, /event_auth, /send_join), and of
 * Synapse's admin API (fetch_event).
 */
import { isObject, type JsonObject, type JsonValue } from "#protocol/events/event";
import { withKeys } from "#tardis/model/json";
import type { Place } from "#tardis/model/problem";
import { Drafts, type Input, isCreate, type Part } from "./part.ts";

interface Found {
  readonly place: Place;
  readonly pdu: JsonObject;
}

/** Whether events stand where such an answer has them. */
export function isAnswer(value: unknown): value is JsonObject {
  return isObject(value) && [...eventsOf(value, { file: "" })].length > 0;
}

export function readAnswers({ items, problems }: Input): Part {
  const found = items.flatMap(({ place, value }) =>
    isObject(value) ? [...eventsOf(value, place)] : [],
  );
  return {
    format: "answers",
    isOrdered: false,
    versions: new Map(),
    creates: found.map(({ pdu }) => pdu).filter(isCreate),
    problems,
    tell: (known) => {
      const told = new Drafts(known);
      for (const { place, pdu } of found) told.pdu(place, undefined, pdu);
      return told;
    },
  };
}

function* eventsOf(answer: JsonObject, place: Place): Iterable<Found> {
  const { chunk, pdus, auth_chain: chain, state, event, events, rooms } = answer;
  yield* listed(chunk, { ...place, field: "chunk" });
  yield* listed(pdus, { ...place, field: "pdus" });
  yield* listed(chain, { ...place, field: "auth_chain" });
  yield* listed(state, { ...place, field: "state" });
  yield* listed(events, { ...place, field: "events" });
  yield* listed([event ?? null], { ...place, field: "event" });
  if (!isObject(rooms)) return;
  for (const section of ["join", "leave"]) {
    for (const [room, { state, timeline }] of roomsIn(rooms[section])) {
      const parts = { state, timeline };
      for (const [part, holder] of Object.entries(parts)) {
        const list = isObject(holder) ? holder.events : undefined;
        const field = `rooms.${section}["${room}"].${part}.events`;
        for (const one of listed(list, { ...place, field })) {
          // Answers of /sync leave out which room it is.
          const isHere = one.pdu.room_id !== undefined || isCreate(one.pdu);
          yield isHere
            ? one
            : { place: one.place, pdu: withKeys(one.pdu, { front: { room_id: room } }) };
        }
      }
    }
  }
}

function roomsIn(section: JsonValue | undefined): readonly (readonly [string, JsonObject])[] {
  if (!isObject(section)) return [];
  return Object.entries(section).flatMap(([id, room]) => (isObject(room) ? [[id, room]] : []));
}

/** Those that are in the federation format: only there they say what they follow. */
function* listed(list: JsonValue | undefined, place: Place): Iterable<Found> {
  if (!Array.isArray(list)) return;
  for (const [at, pdu] of list.entries()) {
    if (isObject(pdu) && Array.isArray(pdu.prev_events)) {
      yield { place: { ...place, field: `${place.field}[${at}]` }, pdu };
    }
  }
}
