import { expect, test } from "vitest";
import { parseRoomFile, RoomFileError } from "./room-file.ts";

const CREATE = {
  event_id: "$create",
  type: "m.room.create",
  state_key: "",
  sender: "@ada:one.test",
  room_id: "!room:one.test",
  content: { room_version: "10" },
  prev_events: [],
  auth_events: [],
};

test("a line that can not be read is told, and the rest is kept", () => {
  const text = `${JSON.stringify(CREATE)}\n{"type": 5}\nnot json\n\n`;
  const { events, problems } = parseRoomFile(text, { name: "room.ndjson" });
  expect(events).toHaveLength(1);
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/^room\.ndjson:3: /);
  expect(problems[1]).toMatch(/^room\.ndjson:2: content is no object$/);
});

test("a JSON array is read like lines", () => {
  const { events, version } = parseRoomFile(JSON.stringify([CREATE]), { name: "room.json" });
  expect(events.map(({ id }) => id)).toEqual(["$create"]);
  expect(version.id).toBe("10");
});

test("a create event without a version means version 1, and hashes beside ids are left out", () => {
  const create = { ...CREATE, content: { creator: "@ada:one.test" } };
  const join = {
    ...CREATE,
    event_id: "$join",
    type: "m.room.member",
    prev_events: [["$create", { sha256: "x" }]],
  };
  const text = [create, join].map((event) => JSON.stringify(event)).join("\n");
  const { version, events } = parseRoomFile(text, { name: "room.ndjson" });
  expect(version.id).toBe("1");
  expect(events[1]?.prevEvents).toEqual(["$create"]);
});

test.each([
  ["", /the file is empty/],
  ["{", /room:1: /],
  ["[1, 2", /JSON array can not be read/],
  [
    JSON.stringify({ ...CREATE, content: { room_version: "99" } }),
    /no known room version|names a known/,
  ],
  ['{"events": [], "room_version": "99"}', /there is no version 99/],
])("%s is refused with a reason", (text, reason) => {
  expect(() => parseRoomFile(text, { name: "room" })).toThrow(RoomFileError);
  expect(() => parseRoomFile(text, { name: "room" })).toThrow(reason);
});
