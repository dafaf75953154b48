/** Generates DAGs, asks both resolvers, and shrinks what they answer differently. */
import { createRandom } from "#harness/random";
import { compileDag, type DagFile, namedState } from "#protocol/dag/dag-file";
import { type DagKind, generateDag } from "#protocol/dag/generate";
import type { RoomVersion } from "#protocol/rooms/room-version";
import { type Aspect, type Difference, differencesBetween, type Resolver } from "./answer.ts";
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
  /** Findings after which it is enough. */
  readonly maxFindings: number;
  readonly onProgress?: (done: number) => void;
  readonly onFinding?: (finding: Finding) => void;
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
  /** DAGs whose state sets differ. */
  conflicted: number;
  /** DAGs in which the resolved state has an event that none of the sets agree on, and drops another. */
  refused: number;
  /** DAGs for which Synapse computed auth difference and subgraph in memory as well. */
  doublyComputed: number;
  readonly kinds: Record<string, number>;
  readonly findings: Finding[];
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

export async function runDifferential(plan: Plan): Promise<Tally> {
  const tally: Tally = {
    dags: 0,
    events: 0,
    conflicted: 0,
    refused: 0,
    doublyComputed: 0,
    kinds: {},
    findings: [],
  };
  let next = plan.from;
  const end = plan.from + plan.count;
  const isDone = () => next >= end || tally.findings.length >= plan.maxFindings;
  const worker = async (judge: SynapseJudge) => {
    while (!isDone()) await judgeOne(plan, judge, next++, tally);
  };
  const workers = plan.judges.flatMap((judge) => Array.from({ length: AHEAD }, () => judge));
  await Promise.all(workers.map(worker));
  return tally;
}

async function judgeOne(plan: Plan, judge: SynapseJudge, number: number, tally: Tally) {
  const version = plan.versions[number % plan.versions.length];
  if (version === undefined) return;
  const random = createRandom(`${plan.seed}/${number}`);
  const kind = KINDS[random.integer(KINDS.length)] ?? "forks";
  const file = generateDag(random.next, version, kind);
  const found = await compare(file, version, judge, plan.resolver);
  tally.dags++;
  tally.events += file.events.length;
  tally.kinds[kind] = (tally.kinds[kind] ?? 0) + 1;
  if ("answer" in found.told) {
    const { answer } = found.told;
    if (answer.full.length > 0) tally.conflicted++;
    if (answer.isDoublyComputed) tally.doublyComputed++;
    tally.refused += Object.values(answer.allowed).filter((isAllowed) => !isAllowed).length;
  }
  plan.onProgress?.(tally.dags);
  if (found.differences.length === 0 || tally.findings.length >= plan.maxFindings) return;
  const finding = await shrunk({ plan, judge, version, file, found, number, kind });
  tally.findings.push(finding);
  plan.onFinding?.(finding);
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

async function shrunk(of: {
  readonly plan: Plan;
  readonly judge: SynapseJudge;
  readonly version: RoomVersion;
  readonly file: DagFile;
  readonly found: Compared;
  readonly number: number;
  readonly kind: DagKind;
}): Promise<Finding> {
  const { plan, judge, version, file, found, number, kind } = of;
  // Shrinking must not slide from one difference into another.
  const aspect: Aspect | "trouble" = found.differences[0]?.aspect ?? "state";
  const differs = ({ differences }: Compared) => differences.some((one) => one.aspect === aspect);
  const small = await shrinkDag(file, async (smaller) =>
    differs(await compare(smaller, version, judge, plan.resolver)),
  );
  const { told, differences } = await compare(small, version, judge, plan.resolver);
  const isAnswered = "answer" in told;
  return {
    number,
    version: version.id,
    kind,
    differences,
    eventsBefore: file.events.length,
    file: {
      ...small,
      id: `seed-${plan.seed}-${number}`,
      title: `${kind} in version ${version.id}: differs in ${aspect}; expected is what Synapse says`,
      expected: new Map(isAnswered ? [[version.id, namedState(told.answer.state, small)]] : []),
      fullConflictedSet: new Map(
        isAnswered ? [[version.id, told.answer.full.map((id) => id.slice(1))]] : [],
      ),
    },
  };
}
