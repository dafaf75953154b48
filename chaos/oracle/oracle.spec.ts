import { expect, it } from "vitest";
import { compileDag, parseDagFile } from "#protocol/dag/dag-file";
import { writeDagFile } from "#protocol/dag/write-dag-file";
import { EventGraph } from "#protocol/state/event-graph";
import { resolveState } from "#protocol/state/resolve";
import { netsplitStory } from "#scenarios/stories/netsplits";
import { tell } from "./oracle.ts";
import { resetsIn } from "./resets.ts";

const classesOf = (id: string, version: string) => {
  const room = tell(netsplitStory(id), { seed: 1, version }).rooms.get("main");
  return room === undefined ? undefined : [...new Set(resetsIn(room).map((one) => one.resetClass))];
};

it.each([
  ["join-then-close", "11", ["D"]],
  ["join-then-close", "12", ["D"]],
  ["older-weaker-wins", "12", ["D"]],
  ["mainline-lost", "11", []],
  ["mainline-lost", "12", ["C"]],
  ["demoted-author-returns", "12", ["C"]],
  ["banned-author-returns", "12", ["C"]],
  ["bob-wins-by-time", "12", []],
  ["ban-against-join", "12", []],
])("says what %s loses in version %s", (id, version, classes) => {
  expect(classesOf(id, version)).toEqual(classes);
});

it("gives the sides before they meet, and a DAG file of them that resolves to what came after", () => {
  const { meetings, events } = tell(netsplitStory("bob-wins-by-time"), { seed: 1 });
  const [meeting] = meetings;
  if (meeting === undefined) throw new RangeError("nobody met");
  const { room, sides } = meeting;

  expect(sides.map(({ servers }) => servers)).toEqual([["hs1", "hs2"], ["hs3"]]);
  const states = sides.map(({ extremities }) => room.history.named(room.stateAfter(extremities)));
  expect(states.map((state) => state["m.room.topic|"])).toEqual([
    events.get("bobs"),
    events.get("charlies"),
  ]);

  const dag = room.toDagFile(
    "split",
    "a split",
    sides.map(({ extremities }) => extremities),
  );
  const file = parseDagFile(writeDagFile(dag));
  const compiled = compileDag(file, room.version);
  const resolved = resolveState(EventGraph.of(compiled.events, room.version), compiled.stateSets);
  expect(resolved).toContain(events.get("bobs"));
  expect(new Set(resolved)).toEqual(
    new Set(Object.values(file.expected.get("12") ?? {}).map((id) => `$${id}`)),
  );
});

it("is decided by the seed", () => {
  const plan = netsplitStory("topic-race-by-id");
  const ids = (seed: number) => [...tell(plan, { seed }).events.values()];

  expect(ids(3)).toEqual(ids(3));
  expect(ids(3)).not.toEqual(ids(4));
});
