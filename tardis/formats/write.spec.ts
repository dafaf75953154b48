import { readFileSync } from "node:fs";
import JSON5 from "json5";
import { expect, test } from "vitest";
import { readLink, writeLink } from "./link.ts";
import { loadRun } from "./load.ts";
import { type WrittenFormat, writeRun } from "./write.ts";

const FOLDER = new URL("../../scenarios/stories/rooms/", import.meta.url);

function textOf(name: string): string {
  return readFileSync(new URL(name, FOLDER), "utf8");
}

async function rewritten(text: string, format: WrittenFormat): Promise<string> {
  return writeRun(await loadRun([{ name: "file", text }]), format);
}

test("a replay comes out as it went in, byte by byte", async () => {
  const text = textOf("netsplit.replay.ndjson");
  expect(await rewritten(text, "replay")).toBe(text);
});

test("what a replay holds that nobody knows is kept, and so are all digits of numbers", async () => {
  const lines = [
    '{"seq":1,"at":5,"t":"meta","format":"mx-replay","version":1,"room_version":"4","new":{"a":[1.0]}}',
    '{"seq":2,"at":5,"t":"weather","sun":12345678901234567890}',
    '{"seq":4,"at":9,"t":"pdu","event_id":"$create","pdu":{"type":"m.room.create","state_key":"","sender":"@a:b","room_id":"!r:b","content":{"n":9007199254740993,"__proto__":{"x":1}},"prev_events":[],"auth_events":[],"depth":1e3},"more":true}',
  ];
  const text = `${lines.join("\n")}\n`;
  expect(await rewritten(text, "replay")).toBe(text);
});

test.each(["tie-breaks.json5", "fork-with-known-state.json5"])(
  "%s: a scenario says the same when it is written, and is written the same again",
  async (name) => {
    const once = await rewritten(textOf(name), "scenario");
    expect(await rewritten(once, "scenario")).toBe(once);
    expect(JSON.parse(once)).toEqual(withRoomOf(JSON5.parse(textOf(name))));
    // By way of the other format as well.
    expect(await rewritten(await rewritten(once, "replay"), "scenario")).toBe(once);
  },
);

/** A file may leave out of its events what it says once; the writer does. */
function withRoomOf(scenario: { events: { room_id?: string }[] }): unknown {
  const events = scenario.events.map(({ room_id: _, ...event }) => event);
  return { ...scenario, events };
}

test.each(["room.ndjson", "netsplit.replay.ndjson", "synapse-export.ndjson"])(
  "%s: as events alone, as a scenario and back, with the same ids",
  async (name) => {
    const ids = new Set(
      (await loadRun([{ name, text: textOf(name) }])).pdus.map((pdu) => pdu.eventId),
    );
    for (const format of ["room", "scenario", "replay"] as const) {
      const again = await loadRun([{ name, text: await rewritten(textOf(name), format) }]);
      expect(new Set(again.pdus.map(({ eventId }) => eventId))).toEqual(ids);
      expect(again.problems).toEqual([]);
    }
  },
);

test("links: ours come back, those of TARDIS are read", async () => {
  const text = await rewritten(textOf("tie-breaks.json5"), "scenario");
  const link = await writeLink(JSON.stringify(JSON.parse(text)));
  expect(link.length).toBeLessThan(2_000);
  expect(await readLink(`https://viewer.test/page${link}&at=$MERGE_1`, "link")).toBe(
    JSON.stringify(JSON.parse(text)),
  );
  const theirs = `https://tardis.test/#${Buffer.from(text).toString("base64url")}`;
  expect(await readLink(theirs, "link")).toBe(text);
  const run = await loadRun([{ name: "link", text: theirs }]);
  expect(run).toEqual(await loadRun([{ name: "link", text }]));
});

test.each([
  ["#src=d.AAAA", /cut or broken/],
  ["#src=https://elsewhere.test/file", /nothing is loaded from elsewhere/],
  ["#src=d.%", /no base64/],
])("the link %s is refused", async (link, reason) => {
  await expect(readLink(link, "link")).rejects.toThrow(reason);
});

test("a link that unfolds to more than a scenario is refused", async () => {
  const link = await writeLink(" ".repeat(17 * 1024 * 1024));
  await expect(readLink(link, "link")).rejects.toThrow(/unfolds to more than/);
});
