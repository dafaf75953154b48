/** What may stand after the subject of `--sfu url:…,option=value`. */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { SfuAccess } from "#harness/deployment/rtc-contract";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

const KNOWN: Readonly<Record<ServerSpec["substrate"], readonly string[]>> = {
  process: [],
  docker: [],
  kubernetes: [],
  url: ["api-key", "api-secret"],
};

/** @throws HarnessError BAD_USAGE */
export function checkOptions({ substrate, version, options, text }: ServerSpec): void {
  if (version !== undefined) {
    throw new HarnessError("BAD_USAGE", {
      what: `--sfu ${text}: LiveKit is built in one version only`,
      next: "write --sfu livekit, or name a program of another one: process:livekit=<livekit-server>",
    });
  }
  const known = KNOWN[substrate];
  for (const option of options.keys()) {
    if (known.includes(option)) continue;
    throw new HarnessError("BAD_USAGE", {
      what: `--sfu ${text}: there is no option ${option}`,
      next: known.length === 0 ? `leave it out` : didYouMean(option, known),
    });
  }
}

/** What a LiveKit that already runs is reached by. @throws HarnessError BAD_USAGE */
export function runningAccess({ text, url = "", options }: ServerSpec): SfuAccess {
  const apiKey = options.get("api-key") ?? process.env.CRUCIBLE_SFU_KEY;
  const apiSecret = options.get("api-secret") ?? process.env.CRUCIBLE_SFU_SECRET;
  if (apiKey !== undefined && apiSecret !== undefined)
    return { websocketUrl: url.replace(/^http/, "ws"), apiKey, apiSecret };
  throw new HarnessError("BAD_USAGE", {
    what: `--sfu ${text}: its API key is not named`,
    facts: ["tokens for it are signed with a key and its secret, and so are requests for rooms"],
    next: "set CRUCIBLE_SFU_KEY and CRUCIBLE_SFU_SECRET to one of the keys of its configuration",
  });
}
