/** What is generated is worth comparing: reproducible, readable, and every rule has its turn. */
import { expect, test } from "vitest";
import type { AuthRule } from "#protocol/auth/rejection";
import { checkAuthEvents, checkCreate } from "#protocol/auth/rules";
import { ROOM_VERSIONS, type RoomVersion } from "#protocol/rooms/room-version";
import { Deciding } from "#protocol/state/auth-checks";
import { EventGraph, type GraphNode } from "#protocol/state/event-graph";
import { compileDag, type DagFile, parseDagFile } from "./dag-file.ts";
import { DAG_KINDS, generateDag } from "./generate.ts";
import { writeDagFile } from "./write-dag-file.ts";

const EACH = 60;
const NOTHING = new Int32Array(0);

/** Of every version and kind. */
const DAGS = [...ROOM_VERSIONS.values()].flatMap((version) =>
  DAG_KINDS.flatMap((kind) =>
    Array.from({ length: EACH }, (_, seed) => ({
      version,
      kind,
      seed,
      file: generateDag(numbersFrom(seed), version, kind),
    })),
  ),
);

/**
 * Whether generated DAGs break the rule. Left out is what the format of DAG files can not say, since all events cite the
 * first create event and are of its room, and what Synapse can not take (see generate.ts).
 */
const IS_BROKEN: Readonly<Record<AuthRule, boolean>> = {
  "create.prev-events": true,
  "create.room-id": true,
  "create.version": true,
  "create.creator": true,
  "create.additional-creators": true,
  "room.unknown": false,
  "auth-events.duplicate": true,
  "auth-events.unexpected": true,
  "auth-events.rejected": true,
  "auth-events.other-room": false,
  "auth-events.missing": true,
  "auth-events.no-create": false,
  federate: true,
  "aliases.state-key": true,
  "member.malformed": false,
  "member.unknown-membership": true,
  "join.other-user": true,
  "join.banned": true,
  "join.not-invited": true,
  "join.not-authorised": true,
  "join.rule": true,
  "invite.third-party": true,
  "invite.not-joined": true,
  "invite.target": true,
  "invite.level": true,
  "leave.not-in-room": true,
  "leave.not-joined": true,
  "leave.unban-level": true,
  "leave.kick-level": true,
  "ban.not-joined": true,
  "ban.level": true,
  "knock.rule": true,
  "knock.other-user": true,
  "knock.membership": true,
  "sender.not-joined": true,
  "third-party-invite.level": true,
  "event.level": true,
  "event.state-key": true,
  "power-levels.malformed": true,
  "power-levels.creator": true,
  "power-levels.above-own": true,
  "power-levels.equal-user": true,
  "redaction.domain": true,
};

test("the same numbers make the same DAG", () => {
  for (const { version, kind, seed, file } of DAGS.filter((dag) => dag.seed === 0)) {
    expect(generateDag(numbersFrom(seed), version, kind)).toEqual(file);
  }
});

test("what is written is read as the same DAG", () => {
  for (const { file } of DAGS) {
    expect(parseDagFile(JSON.parse(JSON.stringify(writeDagFile(file))))).toEqual(file);
  }
});

test.each(["stale", "honest", "forks", "room"])(
  "%s: what is refused is marked as rejected",
  (kind) => {
    for (const { version, file } of DAGS.filter((dag) => dag.kind === kind)) {
      const graph = graphOf(file, version);
      const wrong = graph.nodes.filter(
        (node) =>
          // The format has room ids of its own, and additional creators may be wrong on purpose.
          node.index !== graph.create && node.isRejected !== rulesAgainst(graph, node).length > 0,
      );
      expect(wrong.map(({ event }) => event)).toEqual([]);
    }
  },
);

test("every rule is broken that can be", () => {
  const broken = new Set(
    DAGS.flatMap(({ version, file }) => {
      const graph = graphOf(file, version);
      return graph.nodes.flatMap((node) => rulesAgainst(graph, node));
    }),
  );

  const isBroken = Object.keys(IS_BROKEN).map((rule) => [rule, broken.has(rule as AuthRule)]);

  expect(Object.fromEntries(isBroken)).toEqual(IS_BROKEN);
});

function graphOf(file: DagFile, version: RoomVersion): EventGraph {
  const { events, rejected } = compileDag(file, version);
  return EventGraph.of(events, version, rejected);
}

/** By what the event itself cites. */
function rulesAgainst(graph: EventGraph, node: GraphNode): readonly AuthRule[] {
  const { event, version } = node;
  const cited = (id: string) => graph.nodes[graph.indexOf(id) ?? -1];
  const deciding = new Deciding(graph);
  deciding.fill(node, NOTHING, true);
  const rejections =
    event.type === "m.room.create"
      ? [checkCreate(event, version)]
      : [checkAuthEvents(event, cited, version), deciding.check(node)];
  return rejections.flatMap((rejection) => rejection?.rule ?? []);
}

/** Numbers in [0, 1): mulberry32. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
