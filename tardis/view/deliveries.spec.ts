import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadRun } from "#tardis/formats/load";
import { deliveriesOf } from "./deliveries.ts";

const SPLIT = new URL("../../scenarios/stories/rooms/netsplit.replay.ndjson", import.meta.url);
/** Of `crucible chaos --mutant hide-ban`. */
const JOURNAL = new URL(
  "../../cli/tardis/browser/fixtures/hidden-ban.replay.ndjson",
  import.meta.url,
);

async function deliveriesIn(file: URL) {
  return await deliveriesOfText(readFileSync(file, "utf8"));
}

async function deliveriesOfText(text: string) {
  const run = await loadRun([{ name: "a file", text }]);
  const servers = [...run.servers.keys()];
  const all = deliveriesOf(run, servers, [...run.pdus.keys()]);
  /** Of the first event that fits. */
  const of = (type: string, to: string, isIt: (content: string) => boolean = () => true) => {
    const row = run.pdus.findIndex(
      ({ event }) => event.type === type && isIt(JSON.stringify(event.content)),
    );
    const found = all.find((one) => one.row === row && run.servers[one.to]?.name === to);
    return found ?? expect.fail(`no ${type} to ${to}`);
  };
  return { run, all, of };
}

test("what a split stopped is told with who stopped it, and how long it took in the end", async () => {
  const { of, run } = await deliveriesIn(SPLIT);

  const message = of("m.room.message", "two.test");
  const levels = of("m.room.power_levels", "two.test", (content) => !content.includes("bob"));
  const topic = of("m.room.topic", "one.test", (content) => content.includes("was here"));

  expect(message).toMatchObject({ ms: 30, via: "send", seq: 21, stops: [], isClaimed: false });
  expect(levels).toMatchObject({ ms: 3200, seq: 33 });
  const by = "netsplit one.test ⇸ two.test";
  expect(levels.stops).toEqual([{ seq: 25, from: 0, by, isSeen: true }]);
  // The link of this split goes one way, and nothing is told of the other one.
  expect(topic).toMatchObject({ ms: 2900, stops: [] });
  const second = of("m.room.topic", "two.test", (content) => content.includes("Ada"));
  expect(second.stops).toEqual([{ seq: 27, from: 0, by, isSeen: false }]);
  expect(run.records.find(({ seq }) => seq === 25)?.body.blocked).toBe(true);
});

test("the past of a room that a join brings has no latency", async () => {
  const { of } = await deliveriesIn(SPLIT);

  expect(of("m.room.create", "two.test")).toMatchObject({
    via: "send_join",
    cameAt: 1750100000505,
    ms: undefined,
    stops: [],
  });
});

test("what a delay holds up is not called stopped, nor what came before, nor the past of a room", async () => {
  const lines = readFileSync(SPLIT, "utf8").trimEnd().split("\n");
  const idOf = (seq: number): string => JSON.parse(lines[seq] ?? "").event_id;
  const [create, message, topic] = [idOf(3), idOf(19), idOf(26)];
  const blocked = { t: "http", from: "one.test", to: "two.test", blocked: true };
  const at = 1750100002300;
  const began = at - 50;
  const changed = new Map<number, object>([
    [11, { seq: 11, at: 1750100000400, ...blocked, events: [create] }],
    // Instead of when it was made.
    [27, { seq: 27, at, t: "step", id: "s9", name: "a topic", ok: true, began, events: [topic] }],
    [lines.length, { seq: lines.length, at: 1750100009000, ...blocked, events: [message] }],
  ]);
  const text = [...lines, ""].map((line, seq) => JSON.stringify(changed.get(seq)) ?? line);

  const { of } = await deliveriesOfText(text.join("\n").replace('"netsplit"', '"delay"'));

  expect(of("m.room.create", "two.test")).toMatchObject({ via: "send_join", stops: [] });
  expect(of("m.room.message", "two.test")).toMatchObject({ seq: 21, stops: [] });
  const second = of("m.room.topic", "two.test", (content) => content.includes("Ada"));
  // It claims to be older than the request for it.
  expect(second).toMatchObject({ madeAt: began, isClaimed: false, stops: [] });
  const levels = of("m.room.power_levels", "two.test", (content) => !content.includes("bob"));
  expect(levels.stops).toMatchObject([{ seq: 25, by: "delay one.test ⇸ two.test" }]);
});

test("of a chaos run: when it was sent, what came after a nudge, and what a rule kept from a server", async () => {
  const { of, all } = await deliveriesIn(JOURNAL);
  const isBan = (content: string) => content.includes('"ban"');

  const hello = of("m.room.message", "hs3:8448");
  const ban = of("m.room.member", "hs3:8448", isBan);
  const late = of("m.room.member", "hs2:8448", isBan);

  expect(hello).toMatchObject({ isNudge: false, nudge: undefined });
  expect(hello.sentAt).toBeCloseTo((hello.cameAt ?? 0) - 26.12, 1);
  expect(hello.sentAt).toBeGreaterThanOrEqual(hello.madeAt);
  expect(hello.isClaimed).toBe(false);
  expect(ban).toMatchObject({ cameAt: undefined, ms: undefined, nudge: undefined });
  expect(ban.stops[0]).toMatchObject({ seq: 56, isSeen: true });
  expect(ban.stops[0]?.by).toBe("no fault that is told; it was answered 200");
  expect(late.stops).toMatchObject([{ by: "split hs1:8448 ⇹ hs2:8448", isSeen: false }]);
  expect(late.nudge).toBeGreaterThan(70);
  expect(late.ms).toBeGreaterThan(300);
  expect(new Set(all.flatMap(({ isNudge, row }) => (isNudge ? [row] : []))).size).toBe(3);
});
