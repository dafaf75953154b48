/**
 * matrix-authentication-service, the auth service that Synapse is run with: `process:mas=<mas-cli>`, `docker:<image>`, or one
 * that already runs, `url:<issuer>`.
 */
import { connectEngine, ensureImage, sweepEngine } from "#drivers/substrates/docker/engine";
import type { AuthDriver } from "#harness/deployment/auth-contract";
import { HarnessError } from "#harness/errors";
import { binaryOf, versionOf } from "./binary.ts";
import { startContainer } from "./container.ts";
import { adminOf, checkOptions } from "./options.ts";
import { startProcess } from "./process.ts";
import { useRunning } from "./running.ts";

export const mas: AuthDriver = {
  name: "mas",
  usage: ["process:mas=<mas-cli>", "docker:<image of MAS>", "url:<issuer of a running MAS>"],
  accepts: ({ substrate, driver }) => substrate !== "process" || driver === "mas",
  check: (spec) => {
    checkOptions(spec);
    if (spec.substrate === "url") adminOf(spec);
  },
  prepare: async (spec, { progress }) => {
    if (spec.substrate === "process") await versionOf(binaryOf(spec).program);
    if (spec.substrate === "docker")
      await ensureImage(await connectEngine(), spec.image ?? "", progress);
  },
  start: async (context) => {
    switch (context.spec.substrate) {
      case "process":
        return await startProcess(context);
      case "docker":
        return await startContainer(context);
      case "url":
        return await useRunning(context);
      case "kubernetes":
        throw new HarnessError("INTERNAL", { what: "MAS was asked for in a cluster" });
    }
  },
  sweep: sweepEngine,
};
