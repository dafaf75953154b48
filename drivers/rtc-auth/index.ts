/**
 * The RTC authorization service of a homeserver (MSC4195): our own, `embedded`, which speaks the OpenID form and, behind a
 * homeserver that hands it requests (MSC4512), the newer one; or one that already runs, `url:<base>`, of which only the OpenID
 * form is ours to ask.
 */
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import { serveOwn } from "#drivers/substrates/process/own-service";
import { addressOf, requireAnswer } from "#drivers/substrates/running";
import type {
  RtcAuthDriver,
  RtcAuthStartContext,
  RunningRtcAuth,
} from "#harness/deployment/rtc-contract";
import { HarnessError } from "#harness/errors";
import type { ServiceSettings } from "./settings.ts";

const HEALTH = "/healthz";

export const rtcAuth: RtcAuthDriver = {
  name: "rtc-auth",
  usage: ["embedded", "url:<base URL of a running service>"],
  isHandedRequests: ({ substrate }) => substrate === "process",
  accepts: ({ substrate, driver }) =>
    substrate === "url" || (substrate === "process" && driver === "rtc-auth"),
  check: ({ text, url, binary, version, options }) => {
    const isPlain = url === undefined || new URL(url).pathname === "/";
    if (binary === undefined && version === undefined && options.size === 0 && isPlain) return;
    throw new HarnessError("BAD_USAGE", {
      what: `--rtc-auth ${text}: neither options nor a path may follow`,
      next: "write --rtc-auth embedded, or --rtc-auth url:<base URL>",
    });
  },
  prepare: async () => undefined,
  start: (context) => (context.spec.substrate === "url" ? useRunning(context) : start(context)),
};

async function start(context: RtcAuthStartContext): Promise<RunningRtcAuth> {
  const { role, workFolder, homeserver, proxy, sfu, registration } = context;
  const address = await freeAddress();
  const settings: ServiceSettings = {
    ...address,
    serverName: homeserver.serverName,
    homeserver: homeserver.endpoint,
    federation: homeserver.federation,
    proxy: { url: `http://127.0.0.1:${proxy.port}`, caFile: proxy.caFile },
    sfu,
    registration,
    storeFile: path.join(workFolder, "delegations.json"),
    takesFaults: true,
  };
  const served = await serveOwn(context, {
    besideChild: import.meta.url,
    settings,
    address,
    path: HEALTH,
  });
  return {
    role,
    kind: "embedded",
    address: () => address,
    settings: [],
    capabilities: { ...served.capabilities, keepsDelegations: true },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

async function useRunning({ role, spec }: RtcAuthStartContext): Promise<RunningRtcAuth> {
  const base = new URL(spec.url ?? "");
  const address = addressOf(base);
  await requireAnswer(role, new URL(HEALTH, base).href);
  return {
    role,
    kind: "running",
    address: () => address,
    settings: ["the RTC authorization service runs elsewhere: its settings are not ours"],
    capabilities: {},
    [Symbol.asyncDispose]: async () => undefined,
  };
}
