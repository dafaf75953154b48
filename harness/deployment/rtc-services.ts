/** The SFU and the RTC authorization service of one homeserver in a deployment: their links, their start, what is told of them. */
import { randomBytes } from "node:crypto";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { Gateway, RtcLinks } from "#harness/gateway/gateway";
import type { RtcAccess } from "./contract.ts";
import type {
  RtcAuthDriver,
  RtcRegistration,
  RunningRtcAuth,
  RunningSfu,
  SfuAccess,
  SfuDriver,
} from "./rtc-contract.ts";
import { contextOf, type DeployedService, driverOf, type ServiceStartOptions } from "./services.ts";
import type { Supervision } from "./supervision.ts";

/** Which of the two a homeserver has; either may be absent. */
export interface RtcSpecs {
  readonly sfu?: ServerSpec | undefined;
  readonly rtcAuth?: ServerSpec | undefined;
}

export interface DeployedSfu extends DeployedService<RunningSfu> {
  /** Base URL of its HTTP API for clients, ends in a slash. */
  readonly base: string;
}

export interface DeployedRtcAuth extends DeployedService<RunningRtcAuth> {
  readonly links: RtcLinks;
  /** Where its tokens are for. */
  readonly websocketUrl: string;
}

export interface RtcStartOptions extends ServiceStartOptions {
  readonly sfuDrivers: readonly SfuDriver[];
  readonly rtcAuthDrivers: readonly RtcAuthDriver[];
}

/** An RTC authorization service whose addresses are known, and which has not been started. */
export interface AnnouncedRtc {
  readonly role: string;
  readonly spec: ServerSpec;
  readonly links: RtcLinks;
  readonly registration: RtcRegistration;
}

function rolesOf(homeserver: string): { readonly sfu: string; readonly rtc: string } {
  const number = homeserver.replace(/^hs/, "");
  return { sfu: `sfu${number}`, rtc: `rtc${number}` };
}

/** Opens the listeners around the service; undefined: the homeserver has none. */
export async function announceRtc(
  gateway: Gateway,
  homeserver: string,
  { rtcAuth: spec }: RtcSpecs,
): Promise<AnnouncedRtc | undefined> {
  if (spec === undefined) return undefined;
  const { rtc: role, sfu } = rolesOf(homeserver);
  const links = await gateway.addRtcService(role, homeserver, sfu);
  const [asToken = "", hsToken = ""] = ["as", "hs"].map(
    (side) => `${role}_${side}_${randomBytes(24).toString("hex")}`,
  );
  return { role, spec, links, registration: { asToken, hsToken } };
}

/** Undefined: the homeserver has none. */
export async function startSfu(
  gateway: Gateway,
  homeserver: string,
  { sfu: spec }: RtcSpecs,
  announced: AnnouncedRtc | undefined,
  supervision: (role: string) => Supervision,
  options: RtcStartOptions,
): Promise<DeployedSfu | undefined> {
  if (spec === undefined) return undefined;
  const { sfu: role } = rolesOf(homeserver);
  const base = await gateway.addSfu(role);
  const driver = driverOf(options.sfuDrivers, spec, "an SFU");
  const watching = supervision(role);
  const context = contextOf(role, spec, watching, options);
  const webhookUrl = announced && new URL("sfu_webhook", announced.links.forSfu).href;
  const service = await driver.start({ ...context, ...(webhookUrl && { webhookUrl }) });
  watching.watch(service);
  return { role, service, base, spec, logFile: context.logFile };
}

/** The SFU that tokens are for; where there is none, one that nobody reaches. */
export function sfuAccessOf(homeserver: string, sfu: DeployedSfu | undefined): SfuAccess {
  if (sfu !== undefined) return sfu.service.access;
  return {
    websocketUrl: `wss://${rolesOf(homeserver).sfu}.crucible.example`,
    apiKey: "crucible",
    apiSecret: randomBytes(24).toString("hex"),
  };
}

/** What the homeserver's driver needs to tell clients of them. */
export function accessToRtc(
  { links, registration, spec }: AnnouncedRtc,
  { websocketUrl }: SfuAccess,
  drivers: readonly RtcAuthDriver[],
): RtcAccess {
  const { forHomeserver: endpoint, publicBase } = links;
  const driver = driverOf(drivers, spec, "an RTC authorization service");
  const isHanded = driver.isHandedRequests?.(spec) === true;
  return { endpoint, publicBase, websocketUrl, ...(isHanded ? { registration } : {}) };
}

export async function startRtcAuth(
  { role, spec, links, registration }: AnnouncedRtc,
  around: {
    readonly serverName: string;
    readonly caFile: string;
    readonly access: SfuAccess;
    readonly hasSfu: boolean;
  },
  supervision: (role: string) => Supervision,
  options: RtcStartOptions,
): Promise<DeployedRtcAuth> {
  const driver = driverOf(options.rtcAuthDrivers, spec, "an RTC authorization service");
  const watching = supervision(role);
  const context = contextOf(role, spec, watching, options);
  const { serverName, caFile, access, hasSfu } = around;
  const service = await driver.start({
    ...context,
    publicBase: links.publicBase,
    homeserver: { serverName, endpoint: links.toHomeserver, federation: links.toFederation },
    proxy: { port: links.proxyPort, caFile },
    sfu: { ...access, ...(hasSfu ? { endpoint: links.toSfu } : {}) },
    registration,
  });
  watching.watch(service);
  const { websocketUrl } = access;
  return { role, service, links, websocketUrl, spec, logFile: context.logFile };
}
