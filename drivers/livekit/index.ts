/**
 * LiveKit, the SFU of MatrixRTC (MSC4195): built from its Go module at first use, `process:livekit`; a program,
 * `process:livekit=<livekit-server>`; an image, `docker:<image>`; or one that already runs, `url:<ws url>`.
 */
import { connectEngine, ensureImage, sweepEngine } from "#drivers/substrates/docker/engine";
import type { RunningSfu, SfuDriver, SfuStartContext } from "#harness/deployment/rtc-contract";
import { HarnessError } from "#harness/errors";
import { checkOptions, runningAccess } from "./options.ts";
import { prepareProgram } from "./program.ts";
import { useRunning } from "./running.ts";
import { startContainer, startProcess } from "./start.ts";

export const livekit: SfuDriver = {
  name: "livekit",
  usage: [
    "livekit",
    "process:livekit=<livekit-server>",
    "docker:<image of LiveKit>",
    "url:<ws url of a running LiveKit>",
  ],
  accepts: ({ substrate, driver }) => substrate !== "process" || driver === "livekit",
  check: (spec) => {
    checkOptions(spec);
    if (spec.substrate === "url") runningAccess(spec);
  },
  prepare: async (spec, context) => {
    if (spec.substrate === "process") await prepareProgram(spec, context);
    if (spec.substrate === "docker")
      await ensureImage(await connectEngine(), spec.image ?? "", context.progress);
  },
  start,
  sweep: sweepEngine,
};

async function start(context: SfuStartContext): Promise<RunningSfu> {
  switch (context.spec.substrate) {
    case "process":
      return await startProcess(context);
    case "docker":
      return await startContainer(context);
    case "url":
      return await useRunning(context);
    case "kubernetes":
      throw new HarnessError("INTERNAL", { what: "LiveKit was asked for in a cluster" });
  }
}
