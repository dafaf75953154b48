/** Soft failure: an event that the state before it allows, and the state that a server has when it comes does not. */
import type { JournalRoom } from "#chaos/journal/journal-room";
import type { State } from "#protocol/state/conflicts";
import { NONE } from "#protocol/state/event-graph";

const KNOWN = new WeakMap<JournalRoom, Map<string, boolean>>();
/** Different states beside one event; with more it is taken for possible. */
const MANY = 100;

/** Whether something that was sent beside the event may have had a server refuse it when it came. */
export function mayBeSoftFailed(room: JournalRoom, id: string): boolean {
  const ofRoom = KNOWN.get(room) ?? new Map<string, boolean>();
  KNOWN.set(room, ofRoom);
  let answer = ofRoom.get(id);
  if (answer === undefined) {
    answer = isRefusedBesideOthers(room, id);
    ofRoom.set(id, answer);
  }
  return answer;
}

function isRefusedBesideOthers(room: JournalRoom, id: string): boolean {
  const { history } = room;
  const one = room.get(id);
  if (history === undefined || one === undefined) return true;
  const beside = history.events.filter(
    ({ event, rejection }) =>
      rejection === undefined &&
      event.id !== id &&
      !room.isBefore(event.id, id) &&
      !room.isBefore(id, event.id),
  );
  const { prevEvents } = one.event;
  const { graph } = history;
  const index = graph.indexOf(id);
  const needs = index === undefined ? [] : graph.node(index).needs(graph);
  // Where they agree on all that decides about the event, so does what they resolve to.
  const isAlike = (state: State) =>
    needs.every((key) => key === NONE || (state[key] ?? NONE) === (one.before[key] ?? NONE));
  const areAlike = prevEvents.every((prev) => isAlike(room.get(prev)?.after ?? one.before));
  const states = new Map<State, string>(beside.map(({ after, event }) => [after, event.id]));
  const unlike = [...states].filter(([state]) => !areAlike || !isAlike(state));
  if (unlike.length === 0) return false;
  if (unlike.length > MANY) return true;
  const candidates = unlike.map(([, other]) => [...prevEvents, other]);
  const ends = room.endsOf(beside.map(({ event }) => event.id));
  if (ends.length > 1) candidates.push([...prevEvents, ...ends]);
  return candidates.some((ids) => room.refusal(id, history.stateAfter(ids)) !== undefined);
}
