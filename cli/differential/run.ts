/** Generates DAGs, asks both resolvers, and shrinks what they answer differently. */
import { createRandom } from "#harness/random";
import { compileDag, type DagFile, namedState } from "#protocol/dag/dag-file";
import { type DagKind, generateDag } from "#protocol/dag/generate";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { type Difference, differencesBetween, type Resolver } from "./answer.ts";
import { shrinkDag } from "./shrink.ts";
import type { SynapseJudge, Told } from "./synapse-judge.ts";

export interface Plan {
  readonly count: number;
  /** Number of the first DAG: each is decided by the seed and its number. */
  readonly from: number;
  readonly seed: string;
  /** Taken in turn. */
  readonly versions: readonly RoomVersion[];
  readonly judges: readonly SynapseJudge[];
  readonly resolver: Resolver;
  /** Differences after which it is enough: no more are looked for, and so many are shrunk. */
  readonly maxFindings: number;
  readonly onProgress?: (done: number) => void;
}

export interface Finding {
  /** Number of the DAG: with the seed it makes it again. */
  readonly number: number;
  readonly version: string;
  readonly kind: DagKind;
  /** Of the shrunk DAG. */
  readonly differences: readonly Difference[];
  /** With what Synapse says as the expectation. */
  readonly file: DagFile;
  /** Before it was shrunk. */
  readonly eventsBefore: number;
}

export interface Tally {
  dags: number;
  events: number;
  /** Events that what they cite does not allow. */
  refused: number;
  /** DAGs with a full conflicted set. */
  conflicted: number;
  /** DAGs for which Synapse computed auth difference and subgraph in memory as well. */
  doublyComputed: number;
  readonly kinds: Record<string, number>;
}

export interface Result {
  readonly tally: Tally;
  /** By number. */
  readonly findings: readonly Finding[];
}

/** Rooms of 100 events are many times the work of the others. */
const KINDS: readonly DagKind[] = [
  ...Array<DagKind>(5).fill("stale"),
  ...Array<DagKind>(3).fill("honest"),
  ...Array<DagKind>(6).fill("forks"),
  ...Array<DagKind>(6).fill("hostile"),
  "room",
];
/** DAGs on their way to a judge, so that none waits for us. */
const AHEAD = 24;

export async function runDifferential(plan: Plan): Promise<Result> {
  const tally: Tally = {
    dags: 0,
    events: 0,
    refused: 0,
    conflicted: 0,
    doublyComputed: 0,
    kinds: {},
  };
  const differing: Differing[] = [];
  let next = plan.from;
  const end = plan.from + plan.count;
  const worker = async (judge: SynapseJudge) => {
    while (next < end && differing.length < plan.maxFindings) {
      const one = generated(plan, next++);
      const compared = await compare(one.file, one.version, judge, plan.resolver);
      count(tally, one, compared);
      if (compared.differences.length > 0) differing.push({ ...one, judge, compared });
      plan.onProgress?.(tally.dags);
    }
  };
  const workers = plan.judges.flatMap((judge) => Array.from({ length: AHEAD }, () => judge));
  await Promise.all(workers.map(worker));
  // Several may have come at once: the same ones whatever the machine was busy with.
  const chosen = differing.sort((a, b) => a.number - b.number).slice(0, plan.maxFindings);
  return { tally, findings: await Promise.all(chosen.map((one) => shrunk(one, plan))) };
}

interface Generated {
  readonly number: number;
  readonly version: RoomVersion;
  readonly kind: DagKind;
  readonly file: DagFile;
}

interface Differing extends Generated {
  readonly judge: SynapseJudge;
  readonly compared: Compared;
}

function generated({ versions, seed }: Plan, number: number): Generated {
  const version = versions[number % versions.length];
  if (version === undefined) throw new RangeError("there are no versions");
  const random = createRandom(`${seed}/${number}`);
  const kind = KINDS[random.integer(KINDS.length)] ?? "forks";
  return { number, version, kind, file: generateDag(random.next, version, kind) };
}

function count(tally: Tally, { kind, file }: Generated, { told }: Compared): void {
  tally.dags++;
  tally.events += file.events.length;
  tally.kinds[kind] = (tally.kinds[kind] ?? 0) + 1;
  if ("trouble" in told) return;
  const { full, isDoublyComputed, allowed } = told.answer;
  if (full.length > 0) tally.conflicted++;
  if (isDoublyComputed) tally.doublyComputed++;
  tally.refused += Object.values(allowed).filter((isAllowed) => !isAllowed).length;
}

interface Compared {
  readonly told: Told;
  readonly differences: readonly Difference[];
}

async function compare(
  file: DagFile,
  version: RoomVersion,
  judge: SynapseJudge,
  resolver: Resolver,
): Promise<Compared> {
  const dag = compileDag(file, version);
  const asked = judge.ask(dag, version);
  const ours = own(() => resolver(dag, version));
  const told = await asked;
  if ("answer" in told && "answer" in ours) {
    return { told, differences: differencesBetween(ours.answer, told.answer) };
  }
  const say = (side: Told | typeof ours) => ("trouble" in side ? side.trouble : "an answer");
  return { told, differences: [{ aspect: "trouble", ours: say(ours), theirs: say(told) }] };
}

function own<T>(answer: () => T): { readonly answer: T } | { readonly trouble: string } {
  try {
    return { answer: answer() };
  } catch (error) {
    return { trouble: error instanceof Error ? error.message : String(error) };
  }
}

async function shrunk(one: Differing, { seed, resolver }: Plan): Promise<Finding> {
  const { number, version, kind, file, judge, compared } = one;
  // Shrinking must not slide from one difference into another.
  const aspect = compared.differences[0]?.aspect ?? "trouble";
  const small = await shrinkDag(file, async (smaller) => {
    const { differences } = await compare(smaller, version, judge, resolver);
    return differences.some((difference) => difference.aspect === aspect);
  });
  const { told, differences } = await compare(small, version, judge, resolver);
  const isAnswered = "answer" in told;
  return {
    number,
    version: version.id,
    kind,
    differences,
    eventsBefore: file.events.length,
    file: {
      ...small,
      id: `seed-${seed}-${number}`,
      title: `${kind} in version ${version.id}: differs in ${aspect}; expected is what Synapse says`,
      expected: new Map(isAnswered ? [[version.id, namedState(told.answer.state, small)]] : []),
      fullConflictedSet: new Map(
        isAnswered ? [[version.id, told.answer.full.map((id) => id.slice(1))]] : [],
      ),
    },
  };
}
