/** Files that are broken, or made to break a reader: each is told with its place, and none takes the rest along. */
import { expect, test } from "vitest";
import type { JsonObject } from "#protocol/events/event";
import { MAX_EDGES } from "#tardis/model/build";
import { problemText } from "#tardis/model/problem";
import { historyOf } from "#tardis/model/room-of-run";
import { loadRun } from "./load.ts";
import { writeRun } from "./write.ts";

const CREATE = {
  event_id: "$create",
  type: "m.room.create",
  state_key: "",
  sender: "@ada:one.test",
  room_id: "!room:one.test",
  content: { creator: "@ada:one.test", room_version: "10" },
  prev_events: [] as unknown,
  auth_events: [] as unknown,
};

function message(id: string, more: JsonObject = {}) {
  const { state_key: _, ...rest } = CREATE;
  return {
    ...rest,
    event_id: id,
    type: "m.room.message",
    content: {},
    prev_events: ["$create"],
    ...more,
  };
}

function ndjson(...values: readonly unknown[]): string {
  return values
    .map((value) => (typeof value === "string" ? value : JSON.stringify(value)))
    .join("\n");
}

async function load(text: string, name = "file") {
  const run = await loadRun([{ name, text }]);
  return {
    run,
    ids: run.pdus.map(({ eventId }) => eventId),
    problems: run.problems.map(problemText),
  };
}

test("a broken line is told with file, line and field, and the rest is kept", async () => {
  const { ids, problems } = await load(
    ndjson(
      "not json",
      CREATE,
      "",
      "7",
      { ...message("$a"), content: 5 },
      message("$b", { prev_events: ["$create", 7] }),
      message("$c", { auth_events: "all" }),
      message("$d"),
    ),
  );
  expect(ids).toEqual(["$create", "$d"]);
  expect(problems).toEqual([
    expect.stringMatching(/^file:1: Unexpected token/),
    "file:4: no object",
    "file:5: content: no object",
    "file:6: prev_events[1]: no event id",
    "file:7: auth_events: no list",
  ]);
});

test("entries of a JSON array and of a scenario have lines too", async () => {
  const array = await load(
    `[\n${JSON.stringify(CREATE)},\n{"type": "x",\n"room_id": "!room:one.test", "event_id": "$a", "content": {}}]`,
  );
  expect(array.problems).toEqual(["file:3: [1].sender: no text"]);
  const scenario = await load(`// events: [
    { events: [ /* [ */
      ${JSON.stringify(CREATE)},
      { event_id: "$a", type: "" }, { event_id: '$create', type: "x" },
      ${JSON.stringify(message("$b", { prev_events: ["$create", "$c", "$b"] }))},
      ${JSON.stringify(message("$c", { content: "[" }))},
      5,
    ] }`);
  expect(scenario.ids).toEqual(["$create", "$b"]);
  expect(scenario.problems.toSorted()).toEqual([
    "file:4: events[1].type: no text",
    "file:4: events[2].event_id: $create was there before",
    "file:5: events[3].prev_events[1]: $c comes later in the file",
    "file:5: events[3].prev_events[2]: is the event itself",
    "file:5: events[3]: $b refers to itself, by way of others or not",
    "file:6: events[4].content: no object",
    "file:7: events[5]: no object",
  ]);
});

test.each([
  ["", "the file is empty"],
  ["hello", "is in no known format"],
  ["{", "file:1: invalid end of input"],
  ["[1, 2", "file:1: invalid end of input"],
  ["{\n  a: 1,\n  b: }", "file:3: invalid character '}'"],
  ["[]", "is in no known format"],
  ["5", "is in no known format"],
  ['{"events": [], "room_version": "99"}', "room_version: there is no version 99"],
  [JSON.stringify({ ...CREATE, content: { room_version: "99" } }), "version is not known"],
  ['{"format": "mx-stateres-dag/1", "events": {}}', "events: is no array"],
])("%j is refused with a reason", async (text, reason) => {
  await expect(load(text)).rejects.toThrow(reason);
  await expect(load(text)).rejects.toThrow(/^file/);
});

test("keys that mean something to JavaScript are keys", async () => {
  const evil = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  const text = ndjson(
    CREATE,
    JSON.stringify(message("__proto__")).replace(
      '"content":{}',
      `"content":${evil},"__proto__":{"top":1}`,
    ),
    message("$b", {
      prev_events: ["__proto__", "constructor", "toString"],
      type: "hasOwnProperty",
    }),
  );
  const { run, ids, problems } = await load(text);
  expect(problems).toEqual([]);
  expect(ids).toEqual(["$create", "__proto__", "$b"]);
  expect(run.gaps.map(({ eventId }) => eventId)).toEqual(["constructor", "toString"]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(writeRun(run, "room")).toContain(`${evil},"__proto__":{"top":1}`);
  const five = await load(`{ events: [${JSON.stringify(CREATE)}], annotations: ${evil} }`);
  expect(five.run.pdus).toHaveLength(1);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test("numbers beyond all bounds order nothing and break nothing", async () => {
  const text = ndjson(
    CREATE,
    JSON.stringify(message("$a")).replace("{", '{"depth":1e999,"origin_server_ts":-1e999,'),
    JSON.stringify(message("$b")).replace("{", '{"depth":123456789012345678901234567890,'),
    message("$c", { depth: "7" }),
  );
  const { run, ids, problems } = await load(text);
  expect(problems).toEqual([]);
  expect(ids).toEqual(["$create", "$a", "$c", "$b"]);
  expect(writeRun(run, "room")).toContain('"depth":123456789012345678901234567890');
});

test("ids that can not be calculated are told", async () => {
  const { event_id: _, ...nameless } = message("$a");
  const { ids, problems } = await load(
    ndjson(
      CREATE,
      JSON.stringify({ ...nameless, depth: 0 }).replace('"depth":0', '"depth":1e999'),
      JSON.stringify(nameless).replace("@ada", "\\ud800"),
    ),
  );
  expect(ids).toEqual(["$create"]);
  expect(problems).toEqual([
    "file:2: depth: Infinity is not JSON",
    "file:3: sender: half of a surrogate pair",
  ]);
});

test("rings are cut and told, and the state is resolved all the same", async () => {
  const { run, ids, problems } = await load(
    ndjson(
      CREATE,
      message("$a", { prev_events: ["$c"], auth_events: ["$b"] }),
      message("$b", { prev_events: ["$a"], auth_events: ["$c"] }),
      message("$c", { prev_events: ["$b"], auth_events: ["$a"] }),
      message("$d", { prev_events: ["$d", "$c"] }),
    ),
  );
  expect(ids.toSorted()).toEqual(["$a", "$b", "$c", "$create", "$d"]);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems[0]).toMatch(/^file:\d: \$\w refers to itself, by way of others or not$/);
  const { offsets, targets } = run.graph.edges.prev;
  for (let row = 0; row < run.graph.size; row++) {
    for (const target of targets.subarray(offsets[row], offsets[row + 1])) {
      expect(target).toBeLessThan(row);
    }
  }
  const [room] = run.rooms;
  if (room === undefined) return expect.fail("there is no room");
  expect(historyOf(run, room).events).toHaveLength(5);
});

test("an event that follows a million others is left out, and a million edges are refused", async () => {
  const many = Array.from({ length: 1_000_000 }, (_, at) => `$${at}`);
  const one = await load(ndjson(CREATE, message("$a", { prev_events: many })));
  expect(one.ids).toEqual(["$create"]);
  expect(one.problems).toEqual(["file:2: prev_events: more than 1000 events"]);
  const some = many.slice(0, 1_000);
  const events = Array.from({ length: MAX_EDGES / 1_000 + 1 }, (_, at) =>
    message(`$e${at}`, { prev_events: some }),
  );
  await expect(load(ndjson(CREATE, ...events))).rejects.toThrow(
    /file: there are more than 1000000 edges/,
  );
});

test("what is nested too deeply is told", async () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  const { event_id: _, ...nameless } = message("$a");
  const line = JSON.stringify(nameless).replace('"content":{}', `"content":{"a":${deep}}`);
  const { ids, problems } = await load(ndjson(CREATE, line, message("$b")));
  expect(ids).toContain("$b");
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^file:2: /);
});

test("bodies of 65 kB, control characters and marks of direction stay what they are", async () => {
  const body = "\u202e<script>\u0000\u001b[31m".repeat(4_000);
  const { run } = await load(ndjson(CREATE, message("$a", { content: { body } })));
  expect(run.pdus[1]?.event.content.body).toBe(body);
  expect(writeRun(run, "room")).toContain(JSON.stringify(body));
});

test("the same event of two files is one, and another event of the same id is told", async () => {
  const text = ndjson(CREATE, message("$a", { unsigned: { age: 5 } }));
  const other = ndjson(CREATE, message("$a", { unsigned: { age: 7 } }), message("$b"));
  const run = await loadRun([
    { name: "one", text },
    { name: "two", text: other },
  ]);
  expect(run.pdus).toHaveLength(3);
  expect(run.problems).toEqual([]);
  const forged = ndjson(CREATE, message("$a", { content: { body: "forged" } }));
  const { problems, pdus } = await loadRun([
    { name: "one", text },
    { name: "two", text: forged },
  ]);
  expect(pdus).toHaveLength(2);
  expect(problems.map(problemText)).toEqual(["two:2: $a is another event in one, which counts"]);
});

test("records of a replay that are wrong are told, and those that are unknown are kept", async () => {
  const { run, problems } = await load(
    ndjson(
      { seq: 1, at: 1, t: "meta", format: "mx-replay", version: 1, room_version: "10" },
      { seq: 2, at: 1, t: "pdu", event_id: "$create", pdu: CREATE },
      { seq: 2, at: 1, t: "arrive", server: "one.test", event_id: "$gone", verdict: "odd" },
      { seq: 3, at: 1, t: "arrive", event_id: "$create" },
      { seq: 4, at: 1, t: "state", server: "one.test", state: ["$create"] },
      { seq: 5, at: 1, t: "pdu", event_id: "$a" },
      { seq: 6, at: 1, t: "server" },
      { seq: 7, at: 1, t: "weather" },
      { seq: 8, at: 1 },
    ),
  );
  expect(problems.toSorted()).toEqual([
    "file:3: seq: is not above that of the line before; lines count",
    "file:4: server: no text",
    "file:5: state: no object",
    "file:6: pdu: no object",
    "file:7: name: no text",
    "file:9: t: no text",
  ]);
  expect(run.arrivals).toMatchObject([{ eventId: "$gone", row: undefined, verdict: "odd" }]);
  expect(run.records.map(({ body }) => body.t)).toContain("weather");
});
