/** How long a user waits for the first verdict, beside the bare start of the same Synapse. */

import { median } from "#harness/results/measurement";
import { BareSynapse } from "./bare.ts";
import type { Figure } from "./figure.ts";
import { timeRun } from "./run.ts";

const REPETITIONS = 3;
const LIMIT_MS = 40_000;

export async function benchStartup(): Promise<readonly Figure[]> {
  const first: number[] = [];
  const total: number[] = [];
  const bare: number[] = [];
  const forked: number[] = [];
  // The first start reads Synapse's modules.
  await (await BareSynapse.start({ isForked: true }))[Symbol.asyncDispose]();
  // In turns, so that both meet the same weather on the machine.
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    {
      await using server = await BareSynapse.start();
      bare.push(server.startMs);
    }
    {
      await using server = await BareSynapse.start({ isForked: true });
      forked.push(server.startMs);
    }
    const run = await timeRun(["CS.versions.get"], LIMIT_MS);
    first.push(run.firstVerdictMs);
    total.push(run.totalMs);
  }
  const peer = { name: "bare start of Synapse", value: median(bare) / 1_000 };
  return [
    { name: "startup: of one more server", value: median(forked) / 1_000, unit: "s", peer },
    { name: "startup: to the first verdict", value: median(first) / 1_000, unit: "s", peer },
    {
      name: "startup: to the end of a run of one check",
      value: median(total) / 1_000,
      unit: "s",
      peer,
    },
  ];
}
