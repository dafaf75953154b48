import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseRoomFile } from "#protocol/dag/room-file";
import { RoomHistory } from "./room-history.ts";

const FOLDER = new URL("../../scenarios/stories/rooms/", import.meta.url);

function load(name: string) {
  const file = parseRoomFile(readFileSync(new URL(name, FOLDER), "utf8"), { name });
  return {
    file,
    history: new RoomHistory(file.events, file.version, { givenStates: file.givenStates }),
  };
}

// What Synapse makes of this room: shared with the replay of the same room, where one server rejects one event.
test("a room with a fork and an event that must be rejected", () => {
  const { file, history } = load("room.ndjson");
  expect(file.problems).toEqual([]);
  const rejected = history.events.filter(({ rejection }) => rejection !== undefined);
  expect(rejected.map(({ rejection }) => rejection?.rule)).toEqual(["event.level"]);
  const state = history.named(history.stateAfter(history.extremities));
  const topic = history.get(state["m.room.topic|"] ?? "")?.event;
  expect(topic?.sender).toBe("@ada:one.test");
});

test("a replay of that room, and the version that it names", () => {
  const { file, history } = load("netsplit.replay.ndjson");
  const room = load("room.ndjson");
  expect(file.problems).toEqual([]);
  expect(file.version.id).toBe("11");
  expect(history.named(history.stateAfter(history.extremities))).toEqual(
    room.history.named(room.history.stateAfter(room.history.extremities)),
  );
});

test("events in any order give the same states", () => {
  const { file, history } = load("room.ndjson");
  const reversed = new RoomHistory(file.events.toReversed(), file.version);
  for (const { event, after } of history.events) {
    const other = reversed.get(event.id)?.after ?? new Int32Array(0);
    expect(reversed.named(other)).toEqual(history.named(after));
  }
});

test("a given state is not computed, and what a scenario expects is what comes out", () => {
  const { file, history } = load("fork-with-known-state.json5");
  expect(file.expected.size).toBe(1);
  for (const [id, expected] of file.expected) {
    const after = history.get(id)?.after ?? new Int32Array(0);
    expect(history.named(after)).toMatchObject(expected);
  }
});

test("ids of a scenario are hashes where it asks for them", () => {
  const { file, history } = load("tie-breaks.json5");
  expect(file.events.every(({ id }) => /^\$[\w-]{43}$/.test(id))).toBe(true);
  // Who wins each tie, as resolved by Synapse: the scenario's own annotations say so.
  const state = history.named(history.stateAfter(history.extremities));
  const name = history.get(state["m.room.name|"] ?? "")?.event;
  expect(name?.sender).toBe("@charlie:three.test");
});

test("a previous event that is not known is told", () => {
  const { file } = load("room.ndjson");
  const [, , third] = file.events;
  const history = new RoomHistory(
    file.events.filter(({ id }) => id !== third?.id),
    file.version,
  );
  expect(history.events.flatMap(({ missing }) => missing)).toContain(third?.id);
});
