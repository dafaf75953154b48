/** Vitest's global set-up when CRUCIBLE_TEST_SFU is given: LiveKit is built once, and not by each spec at once, in its time. */
import { prepareGiven } from "./livekit-for-specs.ts";

export async function setup(): Promise<void> {
  await prepareGiven(console.log);
}
