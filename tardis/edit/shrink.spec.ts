import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { roomVersion } from "#protocol/rooms/room-version";
import { loadRun } from "#tardis/formats/load";
import { writeRun } from "#tardis/formats/write";
import { historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { Editor } from "./editor.ts";
import type { Edit } from "./edits.ts";
import { type Kept, Shrinker } from "./shrink.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);

async function open(name: string): Promise<Run> {
  return await loadRun([{ name, text: readFileSync(new URL(name, EXAMPLES), "utf8") }]);
}

function idIn(run: Run, name: string): string {
  return run.pdus.find((pdu) => pdu.name === name || pdu.eventId === name)?.eventId ?? "";
}

/** Of the whole in one go; the clock stands still. */
function shrunk(
  editor: Editor,
  after: string,
  key: string,
  kept: Kept,
  out: readonly string[] = [],
) {
  const shrinker = new Shrinker(editor, { after, key }, kept, out);
  let result = shrinker.work(1, () => 0);
  for (let turn = 0; turn < 1_000 && !result.isDone; turn++) result = shrinker.work(1, () => 0);
  return result;
}

/** The value after a room is written down and read again, by its name. */
async function winnerIn(run: Run, name: string, key: string, version?: string): Promise<string> {
  const again = await loadRun([{ name: "again", text: writeRun(run, "scenario") }]);
  const [room] = again.rooms;
  const known = version === undefined ? undefined : roomVersion(version);
  const history = historyOf(again, room ?? expect.unreachable(), known);
  const state = history.named(history.get(idIn(again, name))?.after ?? new Int32Array());
  const pdu = again.pdus.find(({ eventId }) => eventId === state[key]);
  return pdu?.name ?? pdu?.eventId ?? "none";
}

test("an edit's difference stays, in rooms that are read anew, and not one event more is needed", async () => {
  const run = await open("bob-wins-by-being-weaker.json5");
  const [bob, merge] = ["$BOB_JR", "$MERGE"].map((name) => idIn(run, name));
  const edits: readonly Edit[] = [{ kind: "level", event: bob ?? "", level: 100 }];
  const editor = new Editor(run);
  const key = "m.room.join_rules|";

  const { out, isDone, left, tried } = shrunk(editor, merge ?? "", key, { kind: "edits", edits });

  const values = async (gone: readonly string[]) => {
    const without: Edit = { kind: "without", events: gone };
    return [
      await winnerIn(editor.apply([without]).run, "$MERGE", key),
      await winnerIn(editor.apply([without, ...edits]).run, "$MERGE", key),
    ];
  };
  expect(isDone).toBe(true);
  expect(left).toBe(run.pdus.length - out.length);
  expect(out.length).toBeGreaterThan(0);
  expect(tried).toBeGreaterThan(out.length);
  expect(await values([])).toEqual(["$BOB_JR", "$ADA_JR"]);
  expect(await values(out)).toEqual(await values([]));
  const fixed = new Set([bob, merge, idIn(run, "$CREATE"), ...out]);
  for (const { eventId } of run.pdus) {
    if (fixed.has(eventId)) continue;
    // Some are needed for the edit to be possible.
    const without = await values([...out, eventId]).catch(() => []);
    expect(without, eventId).not.toEqual(await values([]));
  }
});

test("what two versions make of a room stays different", async () => {
  const first = await open("reset-class-a.json5");
  // With an event that plays no part.
  const { run } = new Editor(first).apply([
    { kind: "copy", event: idIn(first, "$TOLD"), copy: "$AGAIN" },
  ]);
  const versions = ["10", "12"].flatMap((id) => roomVersion(id) ?? []);
  const key = "m.room.member|@charlie:three.test";
  const editor = new Editor(run);
  const { out, isDone } = shrunk(editor, idIn(run, "$MERGE"), key, { kind: "versions", versions });
  const { run: small } = editor.apply([{ kind: "without", events: out }]);
  expect(isDone).toBe(true);
  expect(out.length).toBeGreaterThan(0);
  for (const version of ["10", "12"]) {
    expect(await winnerIn(small, "$MERGE", key, version)).toBe(
      await winnerIn(run, "$MERGE", key, version),
    );
  }
});

test("without edits the winner stays, and those that it won against", async () => {
  const run = await open("bob-wins-by-being-weaker.json5");
  const key = "m.room.join_rules|";
  const { out } = shrunk(new Editor(run), idIn(run, "$MERGE"), key, { kind: "winner" });
  const names = out.map((id) => run.pdus.find(({ eventId }) => eventId === id)?.name);
  expect(names).toContain("$CHARLIE");
  for (const kept of ["$ADA_JR", "$BOB_JR", "$PL"]) expect(names).not.toContain(kept);
});

test("it stops when its time is up, and goes on where it was", async () => {
  const run = await open("bob-wins-by-being-weaker.json5");
  const merge = idIn(run, "$MERGE");
  const key = "m.room.join_rules|";
  const shrinker = new Shrinker(new Editor(run), { after: merge, key }, { kind: "winner" });
  let clock = 0;
  const first = shrinker.work(3, () => clock++);
  expect(first).toMatchObject({ tried: 2, isDone: false });
  const last = shrinker.work(1_000_000, () => clock++);
  expect(last.isDone).toBe(true);
  expect(last.out).toEqual(shrunk(new Editor(run), merge, key, { kind: "winner" }).out);
});
