/** The judge finds nothing in our resolver, and finds each spoilt copy of it. Without Python it can not be asked. */
import { expect, test } from "vitest";
import { roomVersion } from "#protocol/rooms/room-version";
import { answerOf, type Resolver } from "./answer.ts";
import { MUTANTS } from "./mutants.ts";
import { runDifferential } from "./run.ts";
import { useSynapseJudge } from "./synapse-for-specs.ts";
import type { SynapseJudge } from "./synapse-judge.ts";

const SEED = "b";
const ALL = versionsFrom(1);
const FROM_2 = versionsFrom(2);
/** Enough for the mutant that shows least, which takes a change of a level that few rooms have. */
const MUTANT_DAGS = 3_000;
/** Of about 20. */
const MAX_MINIMAL_EVENTS = 8;

const judgeFor = useSynapseJudge();

test("our resolver and Synapse's agree on every version", async (context) => {
  const judge = judgeFor(context);
  const { tally, findings } = await judged(judge, answerOf, 480, ALL);
  expect(findings).toEqual([]);
  expect(tally.dags).toBe(480);
  expect(tally.conflicted).toBeGreaterThan(350);
  expect(tally.doublyComputed).toBeGreaterThan(350);
  expect(tally.refused).toBeGreaterThan(1_000);
});

test.for(Object.entries(MUTANTS))("the judge finds and shrinks %s", async ([, mutant], context) => {
  const judge = judgeFor(context);
  const { findings } = await judged(judge, mutant, MUTANT_DAGS, FROM_2);
  const [finding] = findings;
  expect(finding?.differences.length).toBeGreaterThan(0);
  expect(finding?.file.events.length).toBeLessThanOrEqual(MAX_MINIMAL_EVENTS);
  expect(finding?.file.events.length).toBeLessThan(finding?.eventsBefore ?? 0);
});

test("a resolver that fails is a difference", async (context) => {
  const judge = judgeFor(context);
  const failing = () => {
    throw new Error("it has no answer");
  };
  const { findings } = await judged(judge, failing, 1, ALL);
  expect(findings[0]?.differences).toEqual([
    { aspect: "trouble", ours: "it has no answer", theirs: "an answer" },
  ]);
});

function versionsFrom(first: number) {
  return Array.from({ length: 13 - first }, (_, at) => roomVersion(String(first + at))).filter(
    (version) => version !== undefined,
  );
}

function judged(
  judge: SynapseJudge,
  resolver: Resolver,
  count: number,
  versions: typeof ALL,
): ReturnType<typeof runDifferential> {
  const judges = [judge];
  return runDifferential({
    seed: SEED,
    from: 0,
    count,
    versions,
    judges,
    resolver,
    maxFindings: 1,
  });
}
