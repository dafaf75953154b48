/** State resolution beyond single rules: stories that must change nothing, and random DAGs against our own resolver. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { HarnessError } from "#harness/errors";
import { foundRoom, versionOf } from "#harness/peer/found";
import { PeerKeys } from "#harness/peer/keys";
import { speakersOf, type WrittenDag, writeDag } from "#harness/peer/write-dag";
import { createRandom, type Random } from "#harness/random";
import { check, type Mutant } from "#harness/world/check";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import type { DagFile } from "#protocol/dag/dag-file";
import { type DagKind, generateDag } from "#protocol/dag/generate";
import { listed } from "./rejection.ts";
import { expectKept, expectOracle, shows } from "./state-stories.ts";

const VERSIONS = ["6", "10", "11", "12"];
const DRAWS = 1000;
/** Several rooms a check. */
const DEADLINE_MS = 120_000;
/** Redactions change what is judged once it is stored, and third-party invites are signed for users of other names. */
const ODD_TYPES = new Set(["m.room.redaction", "m.room.third_party_invite"]);

check(
  "FED.chaos.no-state-reset",
  "the server loses nothing to a stale state that voids who set the newer one, in version 12",
  {
    mutant: shows("forgets bans and kicks", "m.room.member", { membership: "join" }),
    deadlineMs: DEADLINE_MS,
  },
  async (world) => {
    world.needs("room-version:12");
    await expectKept(world, "a-join-rules-lost", "12");
    await expectKept(world, "a-power-levels-lost", "12");
    await expectKept(world, "a-topic-lost", "12");
    await expectKept(world, "a-ban-evaporates", "12");
    await expectKept(world, "a-kick-evaporates", "12");
  },
);

check(
  "FED.chaos.no-state-reset",
  "the server loses nothing to a stale state that hides what lies between, in version 12",
  {
    mutant: shows("opens the room again", "m.room.join_rules", { join_rule: "public" }),
    deadlineMs: DEADLINE_MS,
  },
  async (world) => {
    world.needs("room-version:12");
    await expectKept(world, "b-join-rules-cascade", "12");
    await expectKept(world, "b-ban-cascade", "12");
    await expectKept(world, "b-rejoin-undone", "12");
    await expectKept(world, "b-setting-by-promoted", "12");
  },
);

const OTHER_STATE: Mutant = altersAnswer(
  "shows another event in the state",
  { path: "/_matrix/client/v3/rooms/*/state" },
  { set: { "/-1/event_id": "$other" } },
);

check(
  "FED.chaos.state-oracle",
  "the server resolves branches of generated rooms as the oracle does",
  { mutant: OTHER_STATE, deadlineMs: DEADLINE_MS },
  async (world) => await expectOracleOf(world, "forks"),
);

check(
  "FED.chaos.state-oracle",
  "the server resolves stale states of generated rooms as the oracle does",
  { mutant: OTHER_STATE, deadlineMs: DEADLINE_MS },
  async (world) => await expectOracleOf(world, "stale"),
);

/**
 * The same DAGs in each run. A search would have to know which merges a server may soft-fail, as the state that it has by
 * then does not let their senders speak: nothing of them is shown, and the server is right.
 */
async function expectOracleOf(world: World, kind: DagKind): Promise<void> {
  for (const version of listed(world, ...VERSIONS)) {
    const random = createRandom(`${kind} in version ${version}`);
    await expectOracle(world, await draw(random, version, kind), version);
  }
}

/** A random DAG that a real server can be led through: not to what was before it was in the room. */
async function draw(random: Random, version: string, kind: DagKind): Promise<DagFile> {
  const roomVersion = versionOf(version);
  for (let attempt = 0; attempt < DRAWS; attempt++) {
    // Signing keeps a core busy, while other checks of this thread wait for their answers.
    await nextTurn();
    const file = withoutTies(generateDag(random.next, roomVersion, kind));
    if (await isPlayable(file, version, random)) return file;
  }
  throw new HarnessError("INTERNAL", {
    what: `none of ${DRAWS} random DAGs of version ${version} can be played`,
  });
}

/** Where times are equal, ids decide, which are others each time that a DAG is played. */
function withoutTies(file: DagFile): DagFile {
  const order = file.events.toSorted((a, b) => a.ts - b.ts || (a.id < b.id ? -1 : 1));
  const ranks = new Map(order.map(({ id }, at) => [id, at + 1]));
  return {
    ...file,
    events: file.events.map((event) => ({ ...event, ts: ranks.get(event.id) ?? 0 })),
  };
}

/** Tried out on a peer by itself. */
async function isPlayable(file: DagFile, version: string, random: Random): Promise<boolean> {
  const [create, , ...others] = file.events;
  const isOdd = others.some(
    ({ type, prev }) => ODD_TYPES.has(type) || prev.includes(create?.id ?? ""),
  );
  if (isOdd || create?.content["m.federate"] === false) return false;
  const keys = new PeerKeys("peer:8448", "draw");
  const dag = await writeDag(file, version, {
    found: (founding) => foundRoom(founding, keys, random.name),
    userId: (user) => `${random.name(user.split(":")[0] ?? "")}:peer:8448`,
    admit: async () => {},
  });
  return isRight(dag) && isContested(dag) && speakersOf(dag).length > 0;
}

/** What is refused is marked as such, so that the state sets hold nothing of it. */
function isRight({ room, names, file }: WrittenDag): boolean {
  const marked = new Set(file.events.flatMap(({ id, isRejected }) => (isRejected ? id : [])));
  return [...room.entries].every(
    ({ pdu, rejection }) => (rejection !== undefined) === marked.has(names.get(pdu.id) ?? ""),
  );
}

function isContested({ sets }: WrittenDag): boolean {
  return new Set(sets.map(({ state }) => [...state.values()].sort().join())).size > 1;
}
