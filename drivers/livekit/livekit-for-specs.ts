/** The real LiveKit that CRUCIBLE_TEST_SFU names, as `--sfu` does, for specs. */
import { parseServerSpec, type ServerSpec } from "#harness/config/driver-spec";
import type { RunningSfu, SfuStartContext } from "#harness/deployment/rtc-contract";
import { livekit } from "./index.ts";

export const { CRUCIBLE_TEST_SFU: given } = process.env;

const { signal } = new AbortController();

/** Built, when it has to be: minutes, which no spec has (build-before-specs.ts). */
export async function prepareGiven(progress: (text: string) => void): Promise<ServerSpec> {
  const spec = specOf();
  await livekit.prepare(spec, { signal, progress });
  return spec;
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
  const spec = await prepareGiven(() => undefined);
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
    ...asked,
  });
}
