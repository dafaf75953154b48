/** What a seed stands for when nothing else is said. */
import { type GenerateOptions, generatePlan } from "#chaos/generate/generate";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import type { Plan } from "#scenarios/plan";

/** So many, and every fault of the default mix has had its turn. New rooms and users come with the next story. */
export const EPOCHS = 14;
export const DEFAULT_SERVERS = 3;
export const DEFAULT_ROOMS = 2;
export const DEFAULT_INTENSITY = 10;
export const DEFAULT_VERSIONS: readonly string[] = ["11", "12"];

/** The first story that `chaos --seed` tells. */
export function planOf(seed: number): Plan {
  const options: GenerateOptions = {
    seed,
    servers: DEFAULT_SERVERS,
    rooms: DEFAULT_ROOMS,
    versions: DEFAULT_VERSIONS,
    operations: chooseOperations(undefined),
    faults: chooseFaults(undefined),
    partitions: choosePartitions(undefined),
    epochs: EPOCHS,
    operationsPerEpoch: DEFAULT_INTENSITY,
  };
  return generatePlan(options);
}
