/**
 * lk-jwt-service, the RTC authorization service of deployed calls, in its OpenID form: `process:lk-jwt-service=<binary>`, or an
 * image, `docker:<image>`. It is not built from its Go module as LiveKit is: its go.mod names it `lk-jwt-service`, and Go takes no
 * module that goes by another name than its path.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { connectEngine, ensureImage, sweepEngine } from "#drivers/substrates/docker/engine";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { RtcAuthDriver } from "#harness/deployment/rtc-contract";
import { HarnessError } from "#harness/errors";
import { startContainer, startProcess } from "./start.ts";

const NAME = "lk-jwt-service";

export const lkJwtService: RtcAuthDriver = {
  name: NAME,
  usage: ["process:lk-jwt-service=<binary>", "docker:<image of lk-jwt-service>"],
  needsSfu: true,
  accepts: ({ substrate, driver }) =>
    substrate === "docker" || (substrate === "process" && driver === NAME),
  check: ({ text, substrate, binary, version, options }) => {
    if (options.size > 0 || version !== undefined) {
      throw new HarnessError("BAD_USAGE", {
        what: `--rtc-auth ${text}: neither options nor a version may follow`,
        next: "write --rtc-auth process:lk-jwt-service=<binary>, or --rtc-auth docker:<image>",
      });
    }
    if (substrate === "docker" || binary !== undefined) return;
    throw new HarnessError("BAD_USAGE", {
      what: `--rtc-auth ${text}: no program is named`,
      facts: [
        "it is not built as LiveKit is: its go.mod calls the module lk-jwt-service, and Go takes none by another name than its path",
      ],
      next: "build it from its sources with go build and write process:lk-jwt-service=<binary>, or name an image: docker:<image>",
    });
  },
  prepare: async (spec, { progress }) => {
    if (spec.substrate === "process") programOf(spec);
    else await ensureImage(await connectEngine(), spec.image ?? "", progress);
  },
  start: (context) =>
    context.spec.substrate === "docker"
      ? startContainer(context)
      : startProcess(context, programOf(context.spec)),
  sweep: sweepEngine,
};

/** @throws HarnessError BAD_CONFIG */
function programOf({ binary = "", text }: ServerSpec): string {
  const program = path.resolve(binary);
  if (existsSync(program)) return program;
  throw new HarnessError("BAD_CONFIG", {
    what: `--rtc-auth ${text}: there is no program ${binary}`,
    next: "build lk-jwt-service from its sources with go build, and name what comes of it",
  });
}
