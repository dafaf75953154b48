import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readEvent } from "#protocol/events/read-event";
import { ROOM_VERSIONS } from "#protocol/rooms/room-version";
import { RoomHistory } from "./room-history.ts";

const FILE = new URL("../../scenarios/stories/rooms/room.ndjson", import.meta.url);
const VERSION = ROOM_VERSIONS.get("11") ?? expect.fail("there is no version 11");
const EVENTS = readFileSync(FILE, "utf8")
  .trim()
  .split("\n")
  .map((line) => readEvent(JSON.parse(line), VERSION));

// What Synapse makes of this room: shared with the replay of the same room, where one server rejects one event.
test("a room with a fork and an event that must be rejected", () => {
  const history = new RoomHistory(EVENTS, VERSION);
  const rejected = history.events.filter(({ rejection }) => rejection !== undefined);
  expect(rejected.map(({ rejection }) => rejection?.rule)).toEqual(["event.level"]);
  const state = history.named(history.stateAfter(history.extremities));
  const topic = history.get(state["m.room.topic|"] ?? "")?.event;
  expect(topic?.sender).toBe("@ada:one.test");
});

test("events in any order give the same states", () => {
  const history = new RoomHistory(EVENTS, VERSION);
  const reversed = new RoomHistory(EVENTS.toReversed(), VERSION);
  for (const { event, after } of history.events) {
    const other = reversed.get(event.id)?.after ?? new Int32Array(0);
    expect(reversed.named(other)).toEqual(history.named(after));
  }
});

test("a given state is not computed", () => {
  const [create, , third] = EVENTS.map(({ id }) => id);
  const given = new Map([[third ?? "", [create ?? ""]]]);
  const history = new RoomHistory(EVENTS, VERSION, { givenStates: given });
  const after = history.get(third ?? "")?.after ?? new Int32Array(0);
  expect(history.named(after)).toEqual({ "m.room.create|": create });
});

test("a previous event that is not known is told", () => {
  const [, , third] = EVENTS;
  const history = new RoomHistory(
    EVENTS.filter(({ id }) => id !== third?.id),
    VERSION,
  );
  expect(history.events.flatMap(({ missing }) => missing)).toContain(third?.id);
});
