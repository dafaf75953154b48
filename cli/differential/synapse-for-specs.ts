/** Synapse for the specs of a file that compare with it. Where it can not be had they are skipped, and say why. */
import { afterAll, beforeAll, type TestContext } from "vitest";
import { synapsePython } from "#drivers/synapse/index";
import { HarnessError } from "#harness/errors";
import { SynapseJudge } from "./synapse-judge.ts";

type Skips = Pick<TestContext, "skip">;

/** The Python that has it, for a test. */
export function useSynapsePython(): (test: Skips) => string {
  let python: string | undefined;
  let absence = "";
  beforeAll(async () => {
    const { signal } = new AbortController();
    try {
      python = await synapsePython(undefined, { signal, progress: () => undefined });
    } catch (error) {
      if (!(error instanceof HarnessError)) throw error;
      absence = `no Synapse to compare with: ${error.what}`;
    }
  }, 300_000);
  return ({ skip }) => python ?? skip(absence);
}

/** Its resolver, one for all tests of the file. */
export function useSynapseJudge(): (test: Skips) => SynapseJudge {
  const pythonFor = useSynapsePython();
  let judge: SynapseJudge | undefined;
  afterAll(() => judge?.[Symbol.dispose]());
  return (test) => {
    judge ??= new SynapseJudge(pythonFor(test));
    return judge;
  };
}
