import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { momentOf } from "./moment.ts";
import { searchRows } from "./search.ts";
import { Session } from "./session.ts";

const ROOMS = new URL("../../scenarios/stories/rooms/", import.meta.url);

async function open(name: string) {
  const text = readFileSync(new URL(name, ROOMS), "utf8");
  return await Session.open([{ name, text }]);
}

const harbour = await open("netsplit.replay.ndjson");
const { pdus, graph } = harbour.run;

function found(query: string): readonly number[] {
  const { rows, problem } = searchRows(harbour, query);
  expect(problem, query).toBeUndefined();
  return [...rows];
}

/** By the lists that the events themselves have. */
function reachable(row: number, list: "prevEvents" | "authEvents"): readonly number[] {
  const rows = new Set<number>();
  const walk = (at: number) => {
    for (const id of pdus[at]?.event[list] ?? []) {
      const next = pdus.findIndex(({ eventId }) => eventId === id);
      if (rows.has(next)) continue;
      rows.add(next);
      walk(next);
    }
  };
  walk(row);
  return [...rows].sort((a, b) => a - b);
}

test("what is above, below and cited is found by id, the beginning of one, and is negated", () => {
  const all = pdus.map((_, row) => row);
  expect(graph.size).toBe(12);
  for (const row of all) {
    const id = pdus[row]?.eventId ?? "";
    const above = reachable(row, "prevEvents");
    expect(found(`ancestor:${id}`)).toEqual(above);
    expect(found(`auth-of:${id.slice(0, 9)}`)).toEqual(reachable(row, "authEvents"));
    expect(found(`descendant:"${id}"`)).toEqual(
      all.filter((one) => reachable(one, "prevEvents").includes(row)),
    );
    expect(found(`-ancestor:${id}`)).toEqual(all.filter((one) => !above.includes(one)));
  }
});

test("forks, merges, verdicts of servers, and what never came to one", () => {
  const by = (verdict: string) => harbour.run.arrivals.filter((one) => one.verdict === verdict);
  expect(found("merge:yes")).toEqual([10]);
  expect(found("fork:yes")).toEqual(
    pdus.flatMap(({ eventId }, row) =>
      pdus.filter(({ event }) => event.prevEvents.includes(eventId)).length > 1 ? [row] : [],
    ),
  );
  expect(found("softfailed:yes")).toEqual(by("soft_failed").map(({ row }) => row));
  expect(found("softfailed:no")).toHaveLength(pdus.length - 1);
  expect(found("missing:one")).toEqual([]);
});

test("what came nowhere, by the exact name of a server where others contain it", async () => {
  const lines = [
    { t: "meta", format: "mx-replay", version: 1, room_version: "11" },
    { t: "server", name: "a.test" },
    { t: "server", name: "aa.test" },
    { t: "pdu", event_id: "$one", pdu: { ...pdus[0]?.json } },
    { t: "arrive", server: "aa.test", event_id: "$one" },
  ].map((record, at) => JSON.stringify({ seq: at, at, ...record }));
  const session = await Session.open([{ name: "two.ndjson", text: lines.join("\n") }]);
  expect([...searchRows(session, "missing:a.test").rows]).toEqual([0]);
  expect([...searchRows(session, "missing:aa.test").rows]).toEqual([]);
  expect(searchRows(session, "missing:test").problem).toBe(
    "missing:test can not be read: it is one of a.test, aa.test",
  );
});

test("after and before: numbers of records, times of the day, dates and events", () => {
  const [from, to] = [3, 7];
  const expected = pdus.flatMap((_, row) => (row > from && row < to ? [row] : []));
  const times = [from, to].map((row) => new Date(pdus[row]?.event.originServerTs ?? 0));
  const [iso, later] = times.map((time) => time.toISOString());
  const ids = [from, to].map((row) => pdus[row]?.eventId);
  const seqs = [from, to].map((row) => pdus[row]?.seq);
  const day = [iso, later].map((text) => text?.slice(11, 23));
  expect(expected).toHaveLength(3);
  expect(found(`after:${iso} before:${later}`)).toEqual(expected);
  expect(found(`after:${times[0]?.getTime()} before:${times[1]?.getTime()}`)).toEqual(expected);
  expect(found(`after:${day[0]} before:${day[1]}`)).toEqual(expected);
  expect(found(`after:${ids[0]} before:${ids[1]}`)).toEqual(expected);
  expect(found(`after:${seqs[0]} before:${seqs[1]}`)).toEqual(expected);
  // A date alone is its midnight in UTC, wherever the reader is.
  expect(found(`before:${iso?.slice(0, 10)}`)).toEqual([]);
  expect(found(`after:${iso?.slice(0, 10)}`)).toHaveLength(pdus.length);
  const midnight = momentOf(`${iso?.slice(0, 10)}T00:00Z`);
  for (const pdu of pdus) {
    expect(momentOf(`${iso?.slice(0, 10)}`)?.compare(pdu)).toBe(midnight?.compare(pdu));
  }
});

test.each([
  ["softfail:yes", /^softfail: is no field, did you mean softfailed:\? Write "softfail:yes"/],
  ["constructor:yes", /^constructor: is no field/],
  ["type:topic merge:maybe", /^merge:maybe can not be read: yes or no has to follow$/],
  ["fork:", /^fork: can not be read: yes or no/],
  ["after:tomorrow", /^after:tomorrow can not be read: it is no number of a record and no time/],
  ["after:2025-13-01", /^after:2025-13-01 can not be read/],
  ["-ancestor:$nobody", /^ancestor:\$nobody can not be read: no event has such an id$/],
  ["ancestor:$", /^ancestor:\$ can not be read: 12 ids begin so$/],
  ["missing:three.test", /^missing:three.test can not be read: it is one of one.test, two.test$/],
])("%s can not be read, and it says so", (query, problem) => {
  const answer = searchRows(harbour, query);
  expect(answer.problem).toMatch(problem);
  expect([...answer.rows]).toEqual([]);
});

test("words are text wherever it stands, quotes hold them together, and a user's id is one", () => {
  const [bobs] = found('"@bob:two.test" type:topic rejected:no');
  expect(pdus[bobs ?? -1]?.event.sender).toBe("@bob:two.test");
  expect(found("@bob:two.test")).toEqual(found('"@bob:two.test"'));
  expect(found('"is anybody there?"')).toEqual([9]);
  expect(found('"is anybody')).toEqual([9]);
  expect(found("-m.room -type:m.room")).toEqual([]);
});
