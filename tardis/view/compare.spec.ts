import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compare } from "./compare.ts";
import { rowNamed } from "./row-columns.ts";
import { Session } from "./session.ts";

const ROOMS = new URL("../../scenarios/stories/rooms/", import.meta.url);
const EXAMPLES = new URL("../examples/", import.meta.url);

async function open(name: string, folder = EXAMPLES, change = (text: string) => text) {
  const text = change(readFileSync(new URL(name, folder), "utf8"));
  const session = await Session.open([{ name, text }]);
  const at = (event: string, cmp: string, key?: string) =>
    compare(session, { row: rowNamed(session.load().rows, event), cmp, key });
  return { session, at };
}

test("versions that resolve otherwise are told apart, and why is told by each of them", async () => {
  const { at } = await open("reset-class-c-version-12.json5");
  const { sides, rows, same, key, why } = at("$MERGE", "");
  expect(sides.map(({ name }) => name)).toEqual(["12", "1", "11"]);
  const topic = rows.find((row) => row.key === "m.room.topic|");
  expect(topic?.values.map(({ text }) => text)).toMatchObject({ 0: "$TOPIC_OLD", 2: "$TOPIC_NEW" });
  expect(rows.every(({ isDiffering }) => isDiffering)).toBe(true);
  expect(key).toBe(rows[0]?.key);
  expect(why.map(({ title }) => title)).toEqual(sides.map(({ title }) => title));
  expect(why[0]?.sentences).not.toEqual(why[2]?.sentences);

  const all = at("$MERGE", "12,1,11,all");
  expect(all.rows).toHaveLength(rows.length + same);
});

test("new ids are those of the version, and decide ties there", async () => {
  const { at } = await open("charlie-wins-by-larger-id.json5");
  const own = at("$MERGE", "10,10*,all");
  expect(own.rows.every(({ isDiffering }) => !isDiffering)).toBe(true);
  // Ids of versions 1 and 2 are given.
  const given = at("$MERGE", "2,2*,all");
  expect(given.rows.every(({ isDiffering }) => !isDiffering)).toBe(true);
  // By chance of the hashes, some versions come to another winner than with the ids of version 10.
  const winners = Array.from({ length: 10 }, (_, at) => at + 3).map((version) => {
    const { rows } = at("$MERGE", `${version},${version}*,all`);
    return rows.find(({ key }) => key === "m.room.join_rules|")?.values.map(({ text }) => text);
  });
  expect(winners.map((pair) => pair?.[0])).toEqual(winners.map(() => "$CHARLIE_JR"));
  expect(winners.map((pair) => pair?.[1])).toContain("$BOB_JR");
});

test("what servers told is laid beside ours of the same moment, with why ours is so", async () => {
  const honest = await open("netsplit.replay.ndjson", ROOMS);
  const tail = honest.session.run.snapshots[0]?.atEvent ?? "";
  const { sides, rows, same } = honest.at(tail, "");
  expect(sides.map(({ name }) => name)).toEqual([
    "told:one.test",
    "told:two.test",
    "ours:one.test",
  ]);
  expect([rows, same]).toEqual([[], 6]);

  // Two.test tells another topic, that of Bob.
  const bobs = honest.session.run.pdus.find(({ json }) =>
    JSON.stringify(json.content).includes("Bob was here"),
  )?.eventId;
  const wrong = await open("netsplit.replay.ndjson", ROOMS, (text) =>
    text.replace(
      /("t":"state","server":"two\.test".*"m\.room\.topic\|":)"[^"]+"/,
      `$1"${bobs ?? ""}"`,
    ),
  );
  const told = wrong.at(tail, "");
  expect(told.rows.map(({ key }) => key)).toEqual(["m.room.topic|"]);
  expect(told.rows[0]?.values[1]?.text).toBe(bobs?.slice(0, 7));
  expect(told.rows[0]?.values[0]).toEqual(told.rows[0]?.values[2]);
  expect(told.key).toBe("m.room.topic|");
  expect(told.why[2]?.sentences.join(" ")).toMatch(/state resolution v2|No event since then/);
});

test("ours of what /state_ids was asked for is the state before the event", async () => {
  const { session } = await open("netsplit.replay.ndjson", ROOMS);
  const adas = session.run.pdus.find(({ json }) =>
    JSON.stringify(json.content).includes("Ada decides"),
  )?.eventId;
  const asked = await open("netsplit.replay.ndjson", ROOMS, (text) =>
    text.replaceAll(/("t":"state".*"at_event":)"[^"]+"/g, `$1"${adas ?? ""}"`),
  );
  const tail = session.run.snapshots[0]?.atEvent ?? "";
  const { rows } = asked.at(tail, "ours:one.test,11,all");
  const topic = rows.find(({ key }) => key === "m.room.topic|")?.values.map(({ text }) => text);
  expect(topic).toEqual(["none", adas?.slice(0, 7)]);
});

test("sides that there are not are named, and without any other there is nothing to compare", async () => {
  const { at } = await open("reset-class-a.json5");
  expect(at("$MERGE", "10,told:one.test,__proto__").unknown).toEqual([
    "told:one.test",
    "__proto__",
  ]);
  expect(() => at("$MERGE", "99")).toThrow(/nothing to compare: 99/);
});
