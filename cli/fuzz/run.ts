/** Mutates events of real rooms and of generated DAGs, and takes them through all that a server does with an event. */
import { createRandom } from "#harness/random";
import { Choice } from "#protocol/dag/choice";
import { compileDag } from "#protocol/dag/dag-file";
import { DAG_KINDS, generateDag } from "#protocol/dag/generate";
import { CanonicalJsonError, canonicalJson } from "#protocol/events/canonical-json";
import { isObject, type JsonObject, type RoomEvent } from "#protocol/events/event";
import { EventFormatError } from "#protocol/events/event-format-error";
import { hasValidHash } from "#protocol/events/hashes";
import { mutate } from "#protocol/events/mutation";
import { parseEvent } from "#protocol/events/parse";
import { RECORDED_EVENTS, type RecordedEvent, recordedKey } from "#protocol/events/recorded-rooms";
import { redact } from "#protocol/events/redact";
import { verifyEvent } from "#protocol/events/signatures";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";

/** What is under test, so that a spoilt copy can take its place. */
export interface Receiver {
  readonly parse: typeof parseEvent;
  readonly isHashValid: typeof hasValidHash;
  readonly verify: typeof verifyEvent;
  readonly history: (events: readonly RoomEvent[], version: RoomVersion) => RoomHistory;
}

export const RECEIVER: Receiver = {
  parse: parseEvent,
  isHashValid: hasValidHash,
  verify: verifyEvent,
  history: (events, version) => new RoomHistory(events, version),
};

export interface Finding {
  /** Number of the room: with the seed it makes its mutations again. */
  readonly number: number;
  readonly version: string;
  readonly problem: string;
  /** The mutated events of the room. */
  readonly events: readonly unknown[];
}

export interface Tally {
  rooms: number;
  /** Mutated events. */
  events: number;
  /** By the format of the room version. */
  unreadable: number;
  /** Without a right signature: a server drops them. */
  unsigned: number;
  /** Rightly signed, but of another content: a server takes them redacted. */
  redacted: number;
  /** The same event still, for what was changed is covered by nothing. */
  whole: number;
  /** Of another room. */
  elsewhere: number;
  /** By the authorization rules, of those that could be read, signed or not. */
  rejected: number;
}

export function newTally(): Tally {
  return {
    rooms: 0,
    events: 0,
    unreadable: 0,
    unsigned: 0,
    redacted: 0,
    whole: 0,
    elsewhere: 0,
    rejected: 0,
  };
}

const MAX_MUTATED = 4;
const MAX_DEPTH = 5;
const VERSIONS = [...ROOM_VERSIONS.values()];
const ROOMS = VERSIONS.map((version) => RECORDED_EVENTS.filter((one) => one.version === version));

/** Values that have broken software before; the rest is drawn from the room itself. */
const POISON: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e300,
  Number.NaN,
  Number.MAX_SAFE_INTEGER,
  Number.MAX_SAFE_INTEGER + 1,
  -(2 ** 63),
  "",
  "0",
  " 50 ",
  "+50",
  "1e2",
  "\0",
  "\ud800",
  "__proto__",
  "constructor",
  "@:",
  "@a",
  "!",
  "$",
  "a".repeat(256),
  "é".repeat(128),
  {},
  [],
  [[]],
  [null],
  { __proto__: null, toString: 1 },
  JSON.parse('{"__proto__":{"ban":0},"users":{"__proto__":100}}'),
];

/** @param room number of the room; the seed and it decide all */
export function fuzzRoom(
  seed: string,
  room: number,
  receiver: Receiver,
  tally: Tally,
): Finding | undefined {
  const choice = new Choice(createRandom(`${seed}/${room}`).next);
  const at = room % VERSIONS.length;
  const version = VERSIONS[at];
  const recorded = ROOMS[at];
  if (version === undefined || recorded === undefined) throw new RangeError("there are no rooms");
  tally.rooms++;
  const mutated: unknown[] = [];
  try {
    if (choice.integer(2) === 0) fuzzRecorded(choice, version, recorded, receiver, tally, mutated);
    else fuzzGenerated(choice, version, receiver, tally, mutated);
    return undefined;
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { number: room, version: version.id, problem, events: mutated };
  }
}

/** Events as they come over federation, in a room that a real server made. */
function fuzzRecorded(
  choice: Choice,
  version: RoomVersion,
  recorded: readonly RecordedEvent[],
  receiver: Receiver,
  tally: Tally,
  mutated: unknown[],
): void {
  const events = recorded.map(({ pdu }) => parseEvent(pdu, version));
  const known = new Set(events.map(({ id }) => id));
  for (let count = 1 + choice.integer(MAX_MUTATED); count > 0; count--) {
    const original = choice.pick(recorded);
    const raw = mutation(choice, original.pdu, recorded);
    mutated.push(raw);
    tally.events++;
    const event = receive(raw, original, receiver, tally);
    if (event === undefined) continue;
    if (event.roomId !== original.roomId) tally.elsewhere++;
    // One that has kept its id is there already.
    if (event.roomId !== original.roomId || known.has(event.id)) continue;
    known.add(event.id);
    events.push(event);
  }
  const honest = new Set(recorded.map(({ eventId }) => eventId));
  replay(events, version, receiver, tally, (id) => !honest.has(id));
}

/** Undefined when it is refused by its format. Others go on, signed or not: authorization has to stand what it gets. */
function receive(
  raw: unknown,
  { pdu, version, eventId }: RecordedEvent,
  receiver: Receiver,
  tally: Tally,
): RoomEvent | undefined {
  let event: RoomEvent;
  try {
    event = receiver.parse(raw, version);
  } catch (error) {
    if (!(error instanceof EventFormatError || error instanceof CanonicalJsonError)) throw error;
    tally.unreadable++;
    return undefined;
  }
  const json = raw as JsonObject;
  const isHashValid = receiver.isHashValid(json);
  if (receiver.verify(json, version, recordedKey, Date.now()) !== undefined) {
    tally.unsigned++;
  } else if (!isHashValid) {
    tally.redacted++;
    // Nobody here has the key: what its owner signed is the original, redacted.
    demand(meaning(redact(json, version)) === meaning(redact(pdu, version)), "forged signature");
  } else {
    tally.whole++;
    demand(meaning(json) === meaning(pdu), "taken although its hash or signature is of another");
    demand(event.id === eventId, `the id became ${event.id}`);
  }
  return event;
}

/** Content that a parser lets through, in a DAG with forks. */
function fuzzGenerated(
  choice: Choice,
  version: RoomVersion,
  receiver: Receiver,
  tally: Tally,
  mutated: unknown[],
): void {
  const dag = compileDag(
    generateDag(
      () => choice.integer(2 ** 32) / 2 ** 32,
      version,
      choice.pick(DAG_KINDS.slice(0, 4)),
    ),
    version,
  );
  const events = [...dag.events];
  const contents = events.map(({ content }) => content);
  const changed = new Set<string>();
  for (let count = 1 + choice.integer(MAX_MUTATED); count > 0; count--) {
    const index = choice.integer(events.length);
    const event = events[index];
    if (event === undefined) continue;
    const content = mutate(event.content, choices(choice), value(choice, contents));
    if (!isObject(content)) continue;
    tally.events++;
    changed.add(event.id);
    events[index] = { ...event, content };
    mutated.push(events[index]);
  }
  replay(events, version, receiver, tally, (id) => changed.has(id));
}

/** A room has one state, in whatever order its events came, and no rejected event is in it. */
function replay(
  events: readonly RoomEvent[],
  version: RoomVersion,
  receiver: Receiver,
  tally: Tally,
  isMutated: (id: string) => boolean,
): void {
  const states = [events, events.toReversed()].map((list, turn) => {
    const history = receiver.history(list, version);
    const state = history.named(history.stateAfter(history.extremities));
    for (const id of Object.values(state)) {
      demand(history.get(id)?.rejection === undefined, `${id} was rejected and is in the state`);
    }
    if (turn === 0) {
      for (const { event, rejection } of history.events) {
        if (rejection !== undefined && isMutated(event.id)) tally.rejected++;
      }
    }
    return JSON.stringify(state);
  });
  demand(states[0] === states[1], `two states: ${states.join(" and ")}`);
}

function mutation(choice: Choice, pdu: JsonObject, room: readonly RecordedEvent[]): unknown {
  if (choice.integer(8) === 0) return spliced(choice, pdu);
  let changed: unknown = pdu;
  for (let count = 1 + choice.integer(3); count > 0; count--) {
    const other = choice.pick(room).pdu;
    const replacement = value(choice, Object.values(other));
    // What a parser lets through is mostly content, so that more of it is tried.
    if (isObject(changed) && isObject(changed.content) && choice.chance(0.6)) {
      const content = mutate(changed.content, choices(choice), replacement);
      changed = { ...(changed as object), content };
    } else {
      changed = mutate(changed, choices(choice), replacement);
    }
  }
  return changed;
}

/** Its text with a few characters changed, where that is JSON still. */
function spliced(choice: Choice, pdu: JsonObject): unknown {
  const text = JSON.stringify(pdu);
  for (let tries = 0; tries < 20; tries++) {
    const at = choice.integer(text.length);
    const inserted = choice.pick(['"', "0", "e9", "\\u0000", "-", "null,", ",", "{", "[]", "a"]);
    try {
      return JSON.parse(text.slice(0, at) + inserted + text.slice(at + choice.integer(4)));
    } catch {}
  }
  return pdu;
}

function choices(choice: Choice): readonly number[] {
  return Array.from({ length: 1 + choice.integer(MAX_DEPTH) }, () => choice.integer(1_000));
}

function value(choice: Choice, others: readonly unknown[]): unknown {
  const from = choice.integer(2) === 0 ? POISON : others;
  return from[choice.integer(from.length)];
}

/** Of what signatures cover: canonical JSON is strict about what it takes, and parsing has let it through. */
function meaning({ signatures: _, unsigned: __, ...covered }: JsonObject): string {
  return canonicalJson(covered, { strict: false });
}

function demand(isRight: boolean, problem: string): void {
  if (!isRight) throw new Error(problem);
}
