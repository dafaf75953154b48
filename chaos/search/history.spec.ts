/** A history is the same room in both versions, event by event, and can be taken back. */
import { expect, test } from "vitest";
import { compileDag } from "#protocol/dag/dag-file";
import { History, V11, V12 } from "./history.ts";
import { creationOf, joinRuleDeed, memberDeed, topicDeed } from "./random-room.ts";

const [ALICE, BOB] = ["@alice:h1", "@bob:h2"] as const;
const DEEDS = [memberDeed(BOB, BOB, "join"), joinRuleDeed(ALICE, "invite")];

function closed(): History {
  const history = History.of(creationOf({}, "public"), DEEDS);
  if (history === undefined) throw new Error("a deed was refused");
  return history;
}

test("its graphs hold what a DAG file of its events is compiled to", () => {
  const { events, graphs } = closed();
  const file = { id: "", title: "", className: "", events, stateSets: [] };
  const rest = { expected: new Map(), fullConflictedSet: new Map() };

  for (const [version, graph] of [[V11, graphs.v11] as const, [V12, graphs.v12] as const]) {
    const compiled = compileDag({ ...file, ...rest }, version).events;
    expect(graph.nodes.map(({ event }) => event)).toEqual(compiled);
  }
});

test("moments are the states between deeds", () => {
  const history = closed();
  const named = history.moments.map((moment) => history.named(moment));

  expect(named[0]).not.toHaveProperty([`m.room.member|${BOB}`]);
  expect(named[1]).toMatchObject({ [`m.room.member|${BOB}`]: "e4", "m.room.join_rules|": "e3" });
  expect(named[2]).toMatchObject({ [`m.room.member|${BOB}`]: "e4", "m.room.join_rules|": "e5" });
  expect(history.end).toBe(history.moments[2]);
});

test("what is not allowed is not appended, and what was is taken back", () => {
  const history = closed();

  expect(history.send(topicDeed(BOB, "not his to set"))).toBe(false);
  expect(history.events).toHaveLength(6);
  expect(history.send(topicDeed(ALICE, "hers"))).toBe(true);
  history.undo();

  expect(history.events).toEqual(closed().events);
  expect(history.graphs.v12.nodes).toHaveLength(6);
  expect(history.end).toEqual(closed().end);
});

test("other clocks change times and nothing else", () => {
  const history = closed();
  const { graphs } = history;
  const retimed = history.retimed((deed) => deed === 0);
  const timeless = (graph: typeof graphs.v11) =>
    graph.nodes.map(({ event }) => ({ ...event, originServerTs: 0 }));
  const latest = retimed.v11.nodes.toSorted(
    (a, b) => b.event.originServerTs - a.event.originServerTs,
  )[0];

  expect(timeless(retimed.v11)).toEqual(timeless(graphs.v11));
  expect(timeless(retimed.v12)).toEqual(timeless(graphs.v12));
  expect(latest?.event.id).toBe("$e4");
});
