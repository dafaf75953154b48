/** The real LiveKit that CRUCIBLE_TEST_SFU names, as `--sfu` does, for specs. */
import { parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import type { RunningSfu, SfuStartContext } from "#harness/deployment/rtc-contract";
import { livekit } from "./index.ts";

export const { CRUCIBLE_TEST_SFU: given } = process.env;

const context = { signal: new AbortController().signal, progress: () => undefined };

/** Before all specs (vitest.config.ts): a build takes minutes, and specs that each began one would have no time left. */
export async function setup(): Promise<void> {
  await livekit.prepare(specOf(), { ...context, progress: console.log });
}

function specOf(): ServerSpec {
  return parseServerSpec(given === "livekit" ? "process:livekit" : (given ?? ""), {
    flag: "CRUCIBLE_TEST_SFU",
    drivers: ["livekit"],
    examples: { process: "process:livekit", docker: "docker:livekit", url: "url:ws://a" },
  });
}

export async function startGiven(
  asked: Pick<SfuStartContext, "workFolder" | "logFile"> & Partial<SfuStartContext>,
): Promise<RunningSfu> {
  const spec = specOf();
  await livekit.prepare(spec, context);
  return await livekit.start({
    ...context,
    runId: "spec",
    role: "sfu1",
    name: "spec-sfu1",
    spec,
    startTimeoutMs: 30_000,
    registerProcess: () => undefined,
    onUnexpectedExit: () => undefined,
    ...asked,
  });
}
