import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { holdsOrKeeps, type Keeping, type Origin } from "#harness/counterexample";
import { compileDag } from "#protocol/dag/dag-file";
import { DAG_KINDS, generateDag } from "#protocol/dag/generate";
import { eventId } from "#protocol/events/hashes";
import { roomVersion } from "#protocol/rooms/room-version";
import { loadRun } from "#tardis/formats/load";
import { writeRun } from "#tardis/formats/write";
import { historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { Editor } from "./editor.ts";
import { type Edit, readEdits, writeEdits } from "./edits.ts";
import { idsIn } from "./references.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);
const ROOMS = new URL("../../scenarios/stories/rooms/", import.meta.url);

async function open(name: string, folder = EXAMPLES): Promise<Run> {
  return await loadRun([{ name, text: readFileSync(new URL(name, folder), "utf8") }]);
}

/** Original ids of a scenario's names. */
function idIn(run: Run, name: string): string {
  return run.pdus.find((pdu) => pdu.name === name)?.eventId ?? expect.unreachable(name);
}

/** Every state after every event, by the ids of the run. */
function statesOf(run: Run): unknown {
  return run.rooms.map((room) => {
    const history = historyOf(run, room);
    return Object.fromEntries(
      history.events.map(({ event, after, rejection }) => [
        event.id,
        [history.named(after), rejection?.rule],
      ]),
    );
  });
}

/** A random room as a scenario whose ids are hashes. */
async function randomRun(seed: number, version: string, kind: number): Promise<Run> {
  const random = fc.sample(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    numRuns: 3_000,
    seed,
  });
  let next = 0;
  const known = roomVersion(version) ?? expect.unreachable(version);
  const dag = generateDag(
    () => random[next++ % random.length] ?? 0,
    known,
    DAG_KINDS[kind % DAG_KINDS.length] ?? "forks",
  );
  const { events } = compileDag(dag, known);
  const scenario = {
    tardis_version: 1,
    room_version: version,
    ...(known.isRoomIdHash ? {} : { room_id: events[0]?.roomId }),
    calculate_event_ids: true,
    events: events.map(
      ({ id, stateKey, type, sender, content, prevEvents, authEvents, ...rest }) => ({
        event_id: id,
        type,
        ...(stateKey === undefined ? {} : { state_key: stateKey }),
        sender,
        content,
        prev_events: prevEvents,
        auth_events: authEvents,
        depth: rest.depth,
        origin_server_ts: rest.originServerTs,
      }),
    ),
  };
  return await loadRun([{ name: "random", text: JSON.stringify(scenario) }]);
}

/** A run as a scenario, with edits as the page's address takes them, and what made both. */
function scenarioWith(run: Run, edits: readonly Edit[], origin: Origin): string {
  const scenario = JSON.parse(writeRun(run, "scenario"));
  return JSON.stringify({ ...scenario, meta: { ...origin, edits: writeEdits(edits) } }, null, 2);
}

/** Some edits that may or may not be possible, by numbers. */
function editsOf(
  run: Run,
  numbers: readonly (readonly [number, number, number])[],
): readonly Edit[] {
  const at = (number: number) => run.pdus[number % run.pdus.length]?.eventId ?? "";
  return numbers.map(([kind, one, other], index): Edit => {
    const event = at(one);
    switch (kind % 6) {
      case 0:
        // A scenario takes 0 for no time.
        return { kind: "time", event, time: other + 1 };
      case 1:
        return { kind: "level", event, level: other % 101 };
      case 2:
        return { kind: "parents", event, parents: [at(other), at(other * 7)] };
      case 3:
        return { kind: "drop", event };
      case 4:
        return { kind: "copy", event, copy: `$copy-${index}` };
      default:
        return { kind: "without", events: [at(other), at(other * 3)] };
    }
  });
}

/** Those of them that can be done one after another. */
function possible(editor: Editor, edits: readonly Edit[]): readonly Edit[] {
  const done: Edit[] = [];
  for (const edit of edits) {
    try {
      editor.events([...done, edit]);
      done.push(edit);
    } catch {
      // It can not be done here.
    }
  }
  return done;
}

test("edited rooms are what they would be, were they recorded so: ids, states and verdicts", async () => {
  let changed = 0;
  let failing: Keeping["tell"] = () => "";
  const number = fc.nat({ max: 1_000 });
  await holdsOrKeeps(
    "edited rooms are what they would be",
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom("3", "6", "10", "11", "12"),
      number,
      fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 5 }),
      async (seed, version, kind, numbers) => {
        const run = await randomRun(seed, version, kind);
        const gaps = new Set(run.gaps.map(({ eventId: id }) => id));
        const editor = new Editor(run);
        const edits = possible(editor, editsOf(run, numbers));
        failing = (origin) => scenarioWith(run, edits, origin);

        const edited = editor.apply(edits);

        expect(edited.run.problems.filter(({ file }) => file === "edits")).toEqual([]);
        const again = await loadRun([{ name: "again", text: writeRun(edited.run, "replay") }]);
        expect(again.problems).toEqual([]);
        expect(statesOf(again)).toEqual(statesOf(edited.run));
        const scenario = await loadRun([
          { name: "scenario", text: writeRun(edited.run, "scenario") },
        ]);
        expect(statesOf(scenario)).toEqual(statesOf(edited.run));
        // Who has another id is who was edited, or refers to one with another id.
        const known = roomVersion(version) ?? expect.unreachable();
        for (const { draft, id, json } of edited.events) {
          expect(id).toBe(eventId(json, known));
          const isSame = id === draft.original;
          const refers = idsIn(draft.pdu.json).some((one) => edited.idOf.get(one) !== one);
          if (!isSame) changed++;
          if (isSame) expect(json).toEqual(draft.pdu.json);
          else {
            const isNewRoom = json.room_id !== draft.pdu.json.room_id;
            expect(draft.isEdited || refers || isNewRoom || draft.json !== draft.pdu.json).toBe(
              true,
            );
          }
          for (const one of idsIn(json))
            expect(edited.originalOf.has(one) || gaps.has(one)).toBe(true);
        }
      },
    ),
    { numRuns: 30, seed: 7 },
    { file: "edited-rooms.json5", tell: (origin) => failing(origin) },
  );
  expect(changed).toBeGreaterThan(50);
}, 180_000);

test("a property that fails on purpose leaves its smallest room, whose seed and path lead to it again", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-counterexample-"));
  const file = "far.json5";
  let failing: Keeping["tell"] = () => expect.unreachable();
  let tried = 0;
  const property = fc.asyncProperty(fc.nat(), fc.nat({ max: 30 }), async (seed, index) => {
    tried++;
    if (index < 7) return;
    const run = await randomRun(seed, "11", 0);
    const event = run.pdus[index % run.pdus.length]?.eventId ?? "";
    failing = (origin) => scenarioWith(run, [{ kind: "drop", event }], origin);
    throw new Error(`event ${index} is too far`);
  });
  const holds = (parameters: fc.Parameters<[number, number]>) =>
    holdsOrKeeps("no event is far", property, parameters, {
      file,
      folder,
      tell: (origin) => failing(origin),
    });

  await expect(holds({ seed: 5, numRuns: 50 })).rejects.toThrow(
    /Counterexample: \[0,7\]\n[\s\S]*\nkept: crucible tardis serve \S+far\.json5$/,
  );

  const text = readFileSync(path.join(folder, file), "utf8");
  const { meta } = JSON.parse(text);
  expect(meta).toMatchObject({ property: "no event is far", seed: 5 });
  const run = await loadRun([{ name: file, text }]);
  expect(run.problems).toEqual([]);
  expect(run.meta.scenario).toMatchObject({ meta });
  const edited = new Editor(run).apply(readEdits(meta.edits));
  expect(edited.run.pdus).toHaveLength(run.pdus.length - 1);
  tried = 0;
  const again = { seed: meta.seed, path: meta.path, endOnFailure: true };
  await expect(holds(again)).rejects.toThrow("Counterexample: [0,7]");
  expect(tried).toBe(1);
  rmSync(path.join(folder, file));
  await holdsOrKeeps(
    "all is well",
    fc.property(fc.nat(), () => true),
    {},
    {
      file,
      folder,
      tell: () => expect.unreachable("nothing has failed"),
    },
  );
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("no edits, and edits that say what is so already, change nothing", async () => {
  for (const [name, folder] of [
    ["reset-class-c-version-12.json5", EXAMPLES],
    ["netsplit.replay.ndjson", ROOMS],
  ] as const) {
    const run = await open(name, folder);
    const edits = run.pdus.map(
      ({ eventId: event, json }): Edit => ({
        kind: "time",
        event,
        time: Number(json.origin_server_ts),
      }),
    );
    for (const list of [[], edits]) {
      const edited = new Editor(run).apply(list);
      expect(edited.run.pdus.map((pdu) => pdu.eventId)).toEqual(run.pdus.map((pdu) => pdu.eventId));
      expect(statesOf(edited.run)).toEqual(statesOf(run));
      expect(edited.run.arrivals).toEqual(run.arrivals);
      expect([edited.run.expected, edited.run.givenStates]).toEqual([
        run.expected,
        run.givenStates,
      ]);
    }
  }
});

test("a time that is edited decides otherwise, and all that builds on the event has another id", async () => {
  const run = await open("charlie-wins-by-later-clock.json5");
  const [bob, charlie, merge] = ["$BOB_JR", "$CHARLIE_JR", "$MERGE"].map((name) => idIn(run, name));
  const edits: readonly Edit[] = [{ kind: "time", event: bob ?? "", time: 1_750_000_012_000 }];
  const edited = new Editor(run).apply(readEdits(writeEdits(edits)));

  const [room] = edited.run.rooms;
  const history = historyOf(edited.run, room ?? expect.unreachable());
  const at = edited.idOf.get(merge ?? "") ?? "";
  const won = history.named(history.get(at)?.after ?? new Int32Array())["m.room.join_rules|"];
  expect(edited.originalOf.get(won ?? "")).toBe(bob);
  const kept = [...edited.idOf].filter(([original, id]) => original === id).map(([id]) => id);
  expect(kept).toContain(charlie);
  expect(run.pdus.map(({ eventId }) => eventId).filter((id) => !kept.includes(id))).toEqual([
    bob,
    merge,
  ]);
});

test("in a recorded room, content hashes stay right and signatures are not kept", async () => {
  const run = await open("netsplit.replay.ndjson", ROOMS);
  const topic = run.pdus.find(
    ({ json }) => (json.content as { topic?: string }).topic === "Ada decides",
  );
  const edited = new Editor(run).apply([
    { kind: "content", event: topic?.eventId ?? "", content: { topic: "x" } },
  ]);
  const changed = edited.events.filter(({ json, draft }) => json !== draft.pdu.json);
  expect(changed.map(({ invalid }) => invalid)).toEqual([["one.test"], ["one.test"], ["two.test"]]);
  for (const { json } of changed) {
    expect(json.signatures).toBeUndefined();
    expect(json.hashes).not.toEqual(changed[0]?.draft.pdu.json.hashes);
  }
  expect(edited.run.snapshots).toEqual([]);
  expect(run.snapshots).not.toEqual([]);
});

test("what comes to a server before something else is judged by the state that it then has", async () => {
  const run = await open("netsplit.replay.ndjson", ROOMS);
  const of = (text: string) =>
    run.pdus.find(({ json }) => JSON.stringify(json.content).includes(text))?.eventId ?? "";
  const [bobsTopic, levels] = [of("Bob was here"), of('{"@ada:one.test":100}')];
  const editor = new Editor(run);
  const edited = editor.apply([
    { kind: "deliver", event: bobsTopic, server: "one.test", before: levels },
  ]);
  const at = (one: Run) =>
    one.arrivals.find(({ eventId: id, server }) => id === bobsTopic && server === 0);
  expect(at(run)).toMatchObject({ verdict: "soft_failed", isDeduced: false });
  expect(at(edited.run)).toMatchObject({ verdict: "accepted", isDeduced: true });
  // Nothing else is judged otherwise, and no id is another.
  const verdicts = (one: Run) =>
    one.arrivals
      .filter(({ eventId: id }) => id !== bobsTopic)
      .map(({ verdict }) => verdict)
      .sort();
  expect(verdicts(edited.run)).toEqual(verdicts(run));
  expect([...edited.idOf].every(([original, id]) => original === id)).toBe(true);

  expect(() =>
    editor.apply([
      { kind: "deliver", event: levels, server: "one.test", before: of('"before the split"') },
    ]),
  ).toThrow(/follows .*, and comes after it/);
});

test.each([
  ["x", /edits: Unexpected token/],
  ["{}", /edits: no list/],
  ['[{"kind":"tim"}]', /edits: \[0\]\.kind: is none of time, level/],
  ['[{"kind":"time","event":"$x","time":"1"}]', /edits: \[0\]\.time: no whole number/],
  ['[{"kind":"__proto__"}]', /is none of/],
])("%s are no edits", (text, why) => {
  expect(() => readEdits(text)).toThrow(why);
});

test.each([
  [{ kind: "drop", event: "$nobody" }, /there is no event \$nobody/],
  [{ kind: "drop", event: "$CREATE" }, /a room without its creation/],
  [{ kind: "parents", event: "$BOB", parents: ["$MERGE"] }, /comes after \$BOB/],
  [{ kind: "copy", event: "$BOB", copy: "$ADA" }, /there is an event \$ADA already/],
  [{ kind: "level", event: "$ADA", level: 5 }, /cites no power levels/],
  [
    { kind: "deliver", event: "$BOB", server: "one.test", before: "$ADA" },
    /does not come to one\.test/,
  ],
] as readonly (readonly [Edit, RegExp])[])("%j can not be done", async (edit, why) => {
  const text = readFileSync(new URL("charlie-wins-by-later-clock.json5", EXAMPLES), "utf8");
  const named = text.replace("calculate_event_ids: true", "calculate_event_ids: false");
  const run = await loadRun([{ name: "named", text: named }]);
  expect(() => new Editor(run).apply([edit])).toThrow(why);
});
