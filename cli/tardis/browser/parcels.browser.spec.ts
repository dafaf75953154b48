/** Keys on their way between devices, beside the events whose keys they are, in a real Chromium. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import { loadRun } from "#tardis/formats/load";
import { CHROMIUM, ready, shot, shows, watched } from "./chromium.ts";
import { RoomPage } from "./room-page.ts";

const STORY = path.join(ROOT, "scenarios/stories/rooms/netsplit.replay.ndjson");
const EVENT = "$xqH2NZgXvYU4FmdBqct7o1GM_QtJ-ZSTsX5shhJlpfI";
const ADA = "@ada:one.test|PHONE";
const BOB = "@bob:two.test|TV";
const UP = { kind: "up", from: ADA, to: "hs1", outcome: "came", exchange: "main#1" };
const LOST = { kind: "federation", from: "hs1", to: "hs2", outcome: "lost", exchange: "main#2" };
const parcel = (to: string, hops: readonly object[]) => ({
  t: "parcel",
  id: "746eeb87",
  event_id: EVENT,
  from: ADA,
  to,
  root: "todevice.lost-federation",
  hops,
});
const DOWN = {
  kind: "down",
  from: "hs1",
  to: "@ada:one.test|TAB",
  outcome: "came",
  exchange: "main#3",
};
const overlay = [
  { t: "meta", format: "mx-replay", version: 1 },
  parcel(BOB, [UP, LOST]),
  parcel("@ada:one.test|TAB", [UP, DOWN]),
].map((body, seq) => JSON.stringify({ seq, at: 1750100000900, ...body }));
const files = [
  { name: "netsplit.replay.ndjson", text: readFileSync(STORY, "utf8") },
  { name: "utd.replay.ndjson", text: overlay.join("\n") },
];
const { pdus } = await loadRun(files);
const ROW = pdus.findIndex(({ eventId }) => eventId === EVENT);
let room: RoomPage;

beforeAll(async () => {
  if (CHROMIUM !== undefined) room = await RoomPage.open(files);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

describe.skipIf(CHROMIUM === undefined)("keys on their way", () => {
  test("the servers view draws where a key went and where it was lost, and says so in a table", async () => {
    await using seen = await watched(room.browser);
    const { page, troubles } = seen;
    await page.goto(`${room.url}#at=${encodeURIComponent(EVENT)}&view=servers`);
    await ready(page);
    await shows(page, ROW, "servers");

    const keys = page.locator("#parcels tbody tr");
    expect(await keys.count()).toBe(2);
    expect(await keys.first().textContent()).toMatch(
      /@ada:one\.test\|PHONE → @bob:two\.test\|TV.*todevice\.lost-federation.*746eeb87.*hs1 → hs2: × lost \(main#2\)/,
    );
    expect(await page.locator("svg.space line.key.lost").count()).toBe(1);
    expect(await page.locator("svg.space line.key:not(.lost)").count()).toBe(1);
    expect(await page.locator("svg.space text.key").allTextContents()).toEqual(["×", "k"]);
    await shot(page, "parcels");
    expect(troubles).toEqual([]);
  });
});
