import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileDag, parseDagFile } from "#protocol/dag/dag-file";
import { roomVersion } from "#protocol/rooms/room-version";
import { RoomHistory } from "#protocol/state/room-history";
import type { ResolutionStep } from "#protocol/state/trace";
import { loadRun } from "#tardis/formats/load";
import { historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { valueIn } from "./deciding-event.ts";
import { explainKey } from "./explain-key.ts";
import type { Explanation, Sentence } from "./explanation.ts";
import { shown } from "./shown.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);
const ROOMS = new URL("../../scenarios/stories/rooms/", import.meta.url);

async function load(folder: URL, name: string): Promise<Run> {
  return loadRun([{ name, text: readFileSync(new URL(name, folder), "utf8") }]);
}

const STORIES = new URL("../../scenarios/stories/state-resolution/", import.meta.url);

/** @param at name or id; undefined: the newest events */
function explain(run: Run, at: string | undefined, key: string, version?: string): Explanation {
  const [room] = run.rooms;
  if (room === undefined) return expect.fail("there is no room");
  const history = historyOf(run, room, version === undefined ? undefined : roomVersion(version));
  const pdu =
    at === undefined
      ? undefined
      : run.pdus.find(({ name, eventId }) => [name, eventId].includes(at));
  return explainKey({
    history,
    names: new Map(run.pdus.map(({ eventId, name }) => [eventId, name ?? eventId])),
    given: new Set(run.givenStates.keys()),
    at: pdu === undefined ? history.extremities : [pdu.eventId],
    key,
  });
}

function textOf({ verdict, steps }: Explanation): string {
  return [...verdict, ...steps.flatMap(({ sentences }) => sentences)]
    .map(({ text }) => text)
    .join("\n");
}

test.each([
  ["bob-wins-by-being-weaker", "m.room.join_rules|", "more power goes first, and @bob:two.test's"],
  [
    "charlie-wins-by-later-clock",
    "m.room.join_rules|",
    "at equal power, the later time comes last",
  ],
  ["charlie-wins-by-larger-id", "m.room.join_rules|", "the larger event id comes last"],
  ["charlie-wins-by-mainline", "m.room.name|", "since it builds on newer power levels (number 2"],
  [
    "power-levels-race",
    "m.room.name|",
    "the rule event.level refused it: @charlie:three.test has 0",
  ],
  [
    "reset-class-a",
    "m.room.member|@charlie:three.test",
    "the rule ban.level refused it: 0 of the 50",
  ],
  [
    "reset-class-c-version-12",
    "m.room.topic|",
    "no power levels of the mainline order them, and @bob",
  ],
])("%s: the verdict on %s names what decided", async (name, key, reason) => {
  const run = await load(EXAMPLES, `${name}.json5`);
  const { verdict, value } = explain(run, "$MERGE", key);
  expect(verdict.map(({ text }) => text).join(" ")).toContain(reason);
  const merge = run.pdus.find((pdu) => pdu.name === "$MERGE");
  expect(value).toBe(run.expected.get(merge?.eventId ?? "")?.get(key));
});

/** Explains every key on which the states after some events differ, and holds the sentences against the trace. */
function expectAllTold(
  history: RoomHistory,
  at: readonly string[],
  given: ReadonlySet<string>,
): number {
  const parents = at.length > 1 ? at : (history.get(at[0] ?? "")?.event.prevEvents ?? []);
  const trace: ResolutionStep[] = [];
  const state = history.stateAfter(parents, (step) => trace.push(step));
  const keys = new Set(
    trace.flatMap((step) =>
      step.kind === "conflict" || (step.kind === "depth-order" && step.ids.length > 0)
        ? [`${step.key.type}|${step.key.stateKey}`]
        : [],
    ),
  );
  for (const key of keys) {
    // In full, so that no two begin alike.
    const names = new Map(history.events.map(({ event }) => [event.id, event.id]));
    const explanation = explainKey({ history, names, given, at, key });
    expect(explanation.value).toBe(valueIn(history, state, key));
    expect(textOf(explanation)).not.toMatch(/undefined|\[object|NaN/);
    const sentences = explanation.steps.flatMap((step) => step.sentences);
    for (const step of trace) expectTold(step, sentences);
    // Each sentence about an event names who sent it.
    for (const { events, text } of sentences) {
      const sender = history.get(events[0] ?? "")?.event.sender;
      if (sender !== undefined) expect(text).toContain(sender);
    }
  }
  return keys.size;
}

function expectTold(step: ResolutionStep, sentences: readonly Sentence[]): void {
  const of = (id: string | undefined) =>
    sentences.flatMap(({ events, text }) => (events[0] === id ? [text] : [])).join("\n");
  switch (step.kind) {
    case "check":
      expect(of(step.id)).toContain(
        step.rejection === undefined
          ? "is allowed by the rules"
          : `is refused by the rule ${step.rejection.rule}: ${step.rejection.why}`,
      );
      return;
    case "pick": {
      const words = {
        level: "more power goes first",
        origin_server_ts: "the earlier time goes first",
        event_id: "is the smaller one",
      };
      expect(of(step.id)).toContain(
        step.by === undefined ? "the only one that can" : words[step.by],
      );
      for (const other of step.waiting) expect(of(step.id)).toContain(other);
      return;
    }
    case "mainline-order":
      for (const { id, originServerTs } of step.events) {
        expect(of(id)).toContain(`its time is ${originServerTs}`);
      }
      return;
    case "subgraph":
      for (const { id, path } of step.additions) {
        expect(of(id)).toContain(`on the way of citations ${path.join(" → ")}`);
      }
      return;
    case "restored":
      expect(of(step.id)).toContain("was the same in all states");
      return;
    case "conflict":
      expect(sentences.map(({ events }) => events.join())).toContain(step.candidates.join());
      return;
    default:
      if (step.ids.length > 0) {
        expect(sentences.map(({ events }) => events.join())).toContain(step.ids.join());
      }
  }
}

test("of three that could come next, all are named", async () => {
  const run = await load(EXAMPLES, "bob-wins-by-being-weaker.json5");
  const copy = (name: string, sender: string) => {
    const pdu = run.pdus.find((one) => one.name === "$BOB_JR") ?? expect.fail();
    const auth = pdu.event.authEvents.map((id) => (id === idOf("$BOB") ? idOf("$CHARLIE") : id));
    return {
      ...pdu,
      eventId: name,
      name,
      event: { ...pdu.event, id: name, sender, authEvents: auth },
    };
  };
  const idOf = (name: string) => run.pdus.find((one) => one.name === name)?.eventId ?? "";
  const third = copy("$THIRD", "@charlie:three.test");
  const pdus = run.pdus.map((pdu) =>
    pdu.name === "$MERGE"
      ? { ...pdu, event: { ...pdu.event, prevEvents: [...pdu.event.prevEvents, "$THIRD"] } }
      : pdu,
  );
  const { steps } = explain({ ...run, pdus: [...pdus, third] }, "$MERGE", "m.room.join_rules|");
  const order = steps.find(({ kind }) => kind === "power-order")?.sentences ?? [];
  expect(order).toHaveLength(3);
  expect(order[0]?.text).toMatch(
    /^@ada.*more power goes first; so could have come @\w+:.*\(\$(?:THIRD|BOB_JR)\)\.$/,
  );
});

const FILES = [
  ...readdirSync(EXAMPLES).map((name) => [EXAMPLES, name] as const),
  ...["tie-breaks.json5", "room.ndjson"].map((name) => [ROOMS, name] as const),
];
test.each(FILES)("%s%s: each decision is told, in every algorithm", async (folder, name) => {
  const run = await load(folder, name);
  const [room] = run.rooms;
  if (room === undefined) return expect.fail("there is no room");
  const given = new Set(run.givenStates.keys());
  for (const version of ["1", "11", "12"]) {
    const history = historyOf(run, room, roomVersion(version));
    const merges = history.events.filter(({ event }) => event.prevEvents.length > 1);
    const told = merges.map(({ event }) => expectAllTold(history, [event.id], given));
    expect(Math.max(...told)).toBeGreaterThan(0);
  }
});

test.each(readdirSync(STORIES))("%s: each decision is told", (name) => {
  const dag = parseDagFile(JSON.parse(readFileSync(new URL(name, STORIES), "utf8")));
  for (const version of [...dag.expected.keys()].flatMap((id) => roomVersion(id) ?? [])) {
    const { events, stateSets } = compileDag(dag, version);
    const last = events.at(-1) ?? expect.fail("there is no event");
    // Each state set as the given state after a message.
    const ends = stateSets.map((_, at) => {
      const { stateKey: _key, ...rest } = last;
      return { ...rest, id: `$end${at}`, type: "x.message", prevEvents: [last.id] };
    });
    const givenStates = new Map(ends.map(({ id }, at) => [id, stateSets[at] ?? []]));
    const history = new RoomHistory([...events, ...ends], version, { givenStates });
    expectAllTold(history, [...givenStates.keys()], new Set(givenStates.keys()));
  }
});

test("version 1 tells of depth, and of what was not looked at", async () => {
  const run = await load(EXAMPLES, "charlie-wins-by-mainline.json5");
  const { algorithm, verdict, steps, value } = explain(run, "$MERGE", "m.room.name|", "1");
  expect(algorithm).toBe("v1");
  expect(steps.map(({ kind }) => kind)).toEqual(["inputs", "depth-order"]);
  expect(steps[1]?.sentences.map(({ text }) => text).join("\n")).toMatch(
    /The name, by depth, then by SHA-1 of the event id: .*at depth 7.*at depth 8; the first one wins/,
  );
  expect(run.pdus.find(({ eventId }) => eventId === value)?.name).toBe("$CHARLIE_NAME");
  expect(verdict.at(-1)?.text).toContain("and was not looked at any more");
});

test("a value that was set and met no other is told as that, and one that never was too", async () => {
  const run = await load(ROOMS, "room.ndjson");
  const set = explain(run, undefined, "m.room.join_rules|");
  expect(set.steps).toEqual([]);
  expect(textOf(set)).toContain("No event since then, on any branch, has changed it.");
  expect(textOf(explain(run, undefined, "m.room.avatar|"))).toContain(
    "No event before has set it.",
  );
  const topic = explain(run, undefined, "m.room.topic|");
  expect(textOf(topic)).toContain("where @ada:one.test's topic");
  const given = await load(ROOMS, "fork-with-known-state.json5");
  expect(textOf(explain(given, "$left", "m.room.name|"))).toContain("The file gives the state");
});

test("texts of strangers can hide nothing in a sentence", async () => {
  expect(shown("a\u202eb\u0000\u001b[31m\u2066c")).toBe("a\\u{202e}b\\u{0}\\u{1b}[31m\\u{2066}c");
  expect(shown("x".repeat(200))).toHaveLength(81);
  expect(shown(`${"x".repeat(79)}😀`)).toMatch(/^x{79}.…$/u);
  const run = await load(EXAMPLES, "charlie-wins-by-mainline.json5");
  const pdus = run.pdus.map((pdu) =>
    pdu.name === "$CHARLIE_NAME"
      ? { ...pdu, event: { ...pdu.event, content: { name: "evil\u202e\n\u001b[2J" } } }
      : pdu,
  );
  expect(textOf(explain({ ...run, pdus }, "$MERGE", "m.room.name|"))).toContain(
    "evil\\u{202e}\\u{a}\\u{1b}[2J",
  );
});

test("events that follow one another in a ring, and events that are not known", async () => {
  const event = (id: string, type: string, prev: readonly string[], more: object = {}) => ({
    event_id: id,
    type,
    sender: "@ada:one.test",
    room_id: "!room:one.test",
    content: {},
    prev_events: prev,
    auth_events: id === "$create:one.test" ? [] : ["$create:one.test", "$ada:one.test"],
    depth: 1,
    ...more,
  });
  const events = [
    event("$create:one.test", "m.room.create", [], {
      state_key: "",
      content: { creator: "@ada:one.test", room_version: "2" },
    }),
    event("$ada:one.test", "m.room.member", ["$create:one.test"], {
      state_key: "@ada:one.test",
      content: { membership: "join" },
      auth_events: ["$create:one.test"],
    }),
    event("$a:one.test", "m.room.message", ["$c:one.test", "$ada:one.test"]),
    event("$b:one.test", "m.room.topic", ["$a:one.test"], {
      state_key: "",
      content: { topic: "b" },
    }),
    event("$c:one.test", "m.room.message", ["$b:one.test"]),
    event("$d:one.test", "m.room.message", ["$c:one.test", "$ada:one.test", "$gone:one.test"]),
  ];
  const text = events.map((one) => JSON.stringify(one)).join("\n");
  const run = await loadRun([{ name: "ring", text }]);
  const name = explain(run, "$c:one.test", "m.room.name|");
  expect(textOf(name)).toContain("No event before has set it.");
  const topic = explain(run, "$d:one.test", "m.room.topic|");
  // Where the ring is cut there is no room yet.
  expect(textOf(topic)).toContain("counts for nothing: the rule room.unknown rejects it");
  expect(textOf(topic)).toContain("is not all known: $gone:one.test may have held something else.");
});

test("an event of the key that the rules reject is told beside what decided", async () => {
  const run = await load(ROOMS, "room.ndjson");
  expect(textOf(explain(run, undefined, "m.room.topic|"))).toMatch(
    /@bob:two\.test's topic "Bob insists" .* counts for nothing: the rule event\.level rejects it/,
  );
});
