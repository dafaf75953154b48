import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadRun } from "#tardis/formats/load";
import { parcelsOf } from "./parcels.ts";

const SPLIT = new URL("../../scenarios/stories/rooms/netsplit.replay.ndjson", import.meta.url);
const EVENT = "$xqH2NZgXvYU4FmdBqct7o1GM_QtJ-ZSTsX5shhJlpfI";
const UP = { kind: "up", from: "@ada:one.test|PHONE", to: "hs1", outcome: "came", exchange: "t#1" };
const ACROSS = { kind: "federation", from: "hs1", to: "hs2", outcome: "lost", exchange: "t#2" };
const DOWN = {
  kind: "down",
  from: "hs2",
  to: "@bob:two.test|TV",
  outcome: "came",
  exchange: "t#3",
};

/** The story with these beside it, as `crucible utd explain --overlay` writes them. */
async function parcelsIn(...parcels: readonly object[]) {
  const lines = parcels.map((parcel, at) => {
    const ends = { from: "@ada:one.test|PHONE", to: "@bob:two.test|TV" };
    const told = { t: "parcel", id: "abc", event_id: EVENT, ...ends, root: "todevice.late" };
    return JSON.stringify({ seq: at + 1, at: 1750100000900, ...told, ...parcel });
  });
  const meta = JSON.stringify({ seq: 0, at: 0, t: "meta", format: "mx-replay", version: 1 });
  const run = await loadRun([
    { name: "story", text: readFileSync(SPLIT, "utf8") },
    { name: "overlay", text: [meta, ...lines].join("\n") },
  ]);
  return parcelsOf(run, [...run.pdus.keys()]);
}

test("a parcel is told with its event, its devices, their servers and its way", async () => {
  const [parcel] = await parcelsIn({ hops: [UP, ACROSS] });

  expect(parcel).toMatchObject({
    id: "abc",
    from: "@ada:one.test|PHONE",
    to: "@bob:two.test|TV",
    root: "todevice.late",
    hops: [UP, ACROSS],
    isLost: true,
  });
  expect(parcel?.fromServer).not.toBe(parcel?.toServer);
});

test("it has come when it was seen to come to the device, and nothing of it was lost", async () => {
  const parcels = await parcelsIn({ hops: [UP, DOWN] }, { hops: [UP] }, { hops: [] });

  expect(parcels.map(({ isLost }) => isLost)).toEqual([false, true, true]);
});

test("whatever a file calls a parcel is text, and that of an event which is not there is none", async () => {
  const parcels = await parcelsIn(
    { from: 5, to: {}, hops: "x", root: "\u202e<b>" },
    { event_id: "$gone" },
  );

  expect(parcels).toMatchObject([{ from: "", fromServer: -1, toServer: -1, hops: [] }]);
  expect(parcels[0]?.root).not.toContain("\u202e");
});
