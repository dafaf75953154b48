/** The real LiveKit that CRUCIBLE_TEST_SFU names, as `--sfu` does, for specs. */
import { parseServerSpec } from "#harness/config/driver-spec";
import type { RunningSfu, SfuStartContext } from "#harness/deployment/rtc-contract";
import { livekit } from "./index.ts";

export const { CRUCIBLE_TEST_SFU: given } = process.env;

/** It takes minutes when it has to be built. */
export const START_MS = 1_800_000;

export async function startGiven(
  context: Pick<SfuStartContext, "workFolder" | "logFile"> & Partial<SfuStartContext>,
): Promise<RunningSfu> {
  const { signal } = new AbortController();
  const spec = parseServerSpec(given === "livekit" ? "process:livekit" : (given ?? ""), {
    flag: "CRUCIBLE_TEST_SFU",
    drivers: ["livekit"],
    examples: { process: "process:livekit", docker: "docker:livekit", url: "url:ws://a" },
  });
  await livekit.prepare(spec, { signal, progress: () => undefined });
  return await livekit.start({
    runId: "spec",
    role: "sfu1",
    name: "spec-sfu1",
    spec,
    startTimeoutMs: 30_000,
    signal,
    progress: () => undefined,
    registerProcess: () => undefined,
    onUnexpectedExit: () => undefined,
    ...context,
  });
}
