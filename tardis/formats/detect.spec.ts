import { expect, test } from "vitest";
import { recognise } from "./detect.ts";
import { loadRun } from "./load.ts";

const ID = `$${"x".repeat(43)}`;
const PDU = {
  type: "m.room.create",
  state_key: "",
  sender: "@ada:one.test",
  room_id: "!room:one.test",
  content: { room_version: "11" },
  prev_events: [],
  auth_events: [],
};

test.each([
  ["room", JSON.stringify(PDU)],
  ["room", `broken\n${JSON.stringify(PDU)}\n${JSON.stringify(PDU)}`],
  ["room", `\ufeff [${JSON.stringify(PDU)}]`],
  ["room", "// JSON5\n[{type: 'x', content: {}}]"],
  ["scenario", JSON.stringify({ events: [] }, null, 2)],
  ["scenario", "{tardis_version: 1, events: []}"],
  ["replay", '{"seq":1,"at":0,"t":"note","text":"x"}'],
  [
    "dag",
    '{"format":"mx-stateres-dag/1","events":[{"id":"c","type":"m.room.create","state_key":"","sender":"@a:h","content":{},"ts":1}],"state_sets":[{},{}]}',
  ],
  ["har", JSON.stringify({ log: { entries: [] } })],
  ["chaos-stream", '{"ID":"1","Type":"PayloadNetsplit","Payload":{}}'],
  ["chaos-log", "2025/06/17 09:33:22 > ========== NETSPLIT! ========="],
  ["test-log", "=== RUN   TestJoin\n--- PASS: TestJoin (0.1s)"],
  ["test-log", '{"Time":"2025-06-17T09:33:22Z","Action":"pass","Package":"p","Test":"TestJoin"}'],
  ["synapse-export", '{"event_id":"$a","stream_ordering":1,"pdu":{}}'],
  ["answers", JSON.stringify({ chunk: [PDU], start: "a" })],
  ["answers", JSON.stringify({ origin: "one.test", pdus: [PDU] })],
  ["answers", JSON.stringify({ rooms: { join: { "!r:x": { timeline: { events: [PDU] } } } } })],
])("%s is told by its content: %s", (format, text) => {
  expect(recognise("file", text).format).toBe(format);
});

test("answers of servers: events with what they say themselves, once each", async () => {
  const { room_id: room, ...inSync } = { ...PDU, type: "m.room.topic", prev_events: [ID] };
  const sync = {
    rooms: { join: { [room]: { timeline: { events: [inSync, { type: "x", content: {} }] } } } },
  };
  const messages = { chunk: [{ ...PDU, unsigned: { age: 5 } }] };
  const run = await loadRun([
    { name: "sync.json", text: JSON.stringify(sync) },
    { name: "messages.json", text: JSON.stringify(messages) },
    { name: "event.json", text: JSON.stringify({ pdus: [PDU] }) },
  ]);
  expect(run.problems).toEqual([]);
  expect(run.pdus.map(({ event, idSource }) => [event.type, event.roomId, idSource])).toEqual([
    ["m.room.create", room, "calculated"],
    ["m.room.topic", room, "calculated"],
  ]);
  expect(run.gaps.map(({ eventId }) => eventId)).toEqual([ID]);
});

test("go test: results of tests, with the events that they name", async () => {
  const text = [
    "=== RUN   TestJoin",
    "=== RUN   TestJoin/again",
    `    join_test.go:7: ${ID} is missing, and ${ID} again`,
    "--- FAIL: TestJoin (0.2s)",
    "    --- FAIL: TestJoin/again (0.1s)",
    "--- SKIP: TestKnock (0.0s)",
  ].join("\n");
  const json = text
    .split("\n")
    .map((Output) =>
      JSON.stringify({ Action: "output", Package: "p", Test: "TestJoin/again", Output }),
    );
  const failed = { Action: "fail", Package: "p", Test: "TestJoin/again" };
  const step = { name: "TestJoin/again", isOk: false, events: [ID], message: /is missing/ };
  const plain = await loadRun([{ name: "log", text }]);
  expect(plain.steps).toMatchObject([
    { name: "TestJoin", isOk: false, events: [] },
    { ...step, message: expect.stringMatching(/is missing/) },
    { name: "TestKnock", isOk: null },
  ]);
  const told = await loadRun([{ name: "log", text: [...json, JSON.stringify(failed)].join("\n") }]);
  expect(told.steps).toMatchObject([{ ...step, message: expect.stringMatching(/is missing/) }]);
});

test("scenarios of version 12: the room is the create event's, whatever the file calls it", async () => {
  const event = (id: string, more: object) => ({
    event_id: id,
    type: "m.room.message",
    sender: "@ada:one.test",
    content: {},
    prev_events: ["$CREATE"],
    auth_events: [],
    ...more,
  });
  const scenario = {
    tardis_version: 1,
    room_version: "12",
    room_id: "!any",
    calculate_event_ids: true,
    events: [
      event("$CREATE", {
        type: "m.room.create",
        state_key: "",
        content: { room_version: "12" },
        prev_events: [],
      }),
      event("$A", {}),
    ],
  };
  const run = await loadRun([{ name: "file", text: JSON.stringify(scenario) }]);
  const [create, message] = run.pdus;
  expect(run.rooms.map(({ id }) => id)).toEqual([`!${create?.eventId.slice(1)}`]);
  expect(create?.json).not.toHaveProperty("room_id");
  expect(message?.json.room_id).toBe(run.rooms[0]?.id);
  // The clock of a scenario starts in UTC.
  expect(run.pdus.map(({ event }) => event.originServerTs)).toEqual([
    1_704_067_200_000, 1_704_067_201_000,
  ]);
});

test("merged files are in order of time, and each keeps its own order", async () => {
  const note = (text: string, at?: number) => ({
    t: "note",
    text,
    ...(at === undefined ? {} : { at }),
  });
  const file = (name: string, ...notes: readonly object[]) => ({
    name,
    text: notes.map((body, index) => JSON.stringify({ seq: index + 1, ...body })).join("\n"),
  });
  const run = await loadRun([
    file(
      "one",
      note("a", 10),
      note("c", 30),
      note("back in time", 5),
      note("no time"),
      note("e", 50),
    ),
    file("two", note("first"), note("b", 20), note("d", 40)),
  ]);
  expect(run.records.map(({ body }) => body.text)).toEqual([
    "first",
    "a",
    "b",
    "c",
    "back in time",
    "no time",
    "d",
    "e",
  ]);
  expect(run.records.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test("a journal tells versions where it tells who is who", async () => {
  const { room_id: room } = PDU;
  const pdu = { ...PDU, type: "m.room.topic", prev_events: [ID] };
  const records = [
    { seq: 1, at: 0, t: "cast", versions: { [room]: "11" } },
    { seq: 2, at: 0, t: "pdu", event_id: ID.replaceAll("x", "y"), pdu },
  ];
  const text = records.map((record) => JSON.stringify(record)).join("\n");
  const run = await loadRun([{ name: "journal", text }]);
  expect(run.rooms.map(({ id, version }) => [id, version.id])).toEqual([[room, "11"]]);
});
