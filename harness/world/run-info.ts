/** What the command tells the checks: plain data, so that it crosses into Vitest's workers. */
import type { DeployedAuth } from "#harness/deployment/auth-services";
import type { DeployedServer } from "#harness/deployment/plan";
import type { DeployedRtcAuth, DeployedSfu } from "#harness/deployment/rtc-services";
import type { CallRecord } from "#harness/results/call";
import type { Measurement } from "#harness/results/measurement";
import type { Undecryptable } from "#harness/results/outcome";

export interface RunInfo {
  readonly runId: string;
  readonly seed: number;
  /** Factor on every deadline. */
  readonly timeoutScale: number;
  /** Where the control server listens, and the token that it asks for. */
  readonly control: { readonly url: string; readonly token: string };
  readonly deployment: DeploymentInfo;
  /** Requirements to check, with the features that each needs. */
  readonly selected: Readonly<Record<string, readonly string[]>>;
  /** Requirements that the user or the manifest has switched off, with the reason. */
  readonly disabled: Readonly<Record<string, string>>;
  /** How long each random search takes; 0: none is made. */
  readonly propertySeconds: number;
  /** Rooms of the accounts on which performance is measured; none: it is not. */
  readonly accountSizes: readonly number[];
  /** Folder for the logs of encrypting clients; absent: they keep none. */
  readonly clientLogs?: string;
  /** Each check runs so often. */
  readonly repeat: number;
  /** Further tries of a check that did not pass; a pass after one is `flaky`. */
  readonly retry: number;
  /** Each check gets servers of its own. */
  readonly isolate: boolean;
  /** Of which checks the rooms are kept as replay files. */
  readonly record: RecordChoice;
  /** `mutants`: each check runs once a mutant, and must fail. */
  readonly mode: "verdicts" | "mutants";
}

export type RecordChoice = "failures" | "all" | "none";

export interface DeploymentInfo {
  readonly id: string;
  readonly name: string;
  readonly topology: string;
  /** All servers are started from the same spec, so each can play every role. */
  readonly isUniform: boolean;
  readonly servers: readonly ServerInfo[];
  readonly features: readonly string[];
  readonly appservice: AppserviceInfo;
}

export interface ServerInfo {
  /** As the check calls it. */
  readonly role: string;
  /** As it was started, see `deal`. */
  readonly place: string;
  readonly serverName: string;
  readonly clientUrl: string;
  readonly federationUrl: string;
  /** Opt-in abilities that its driver has. */
  readonly capabilities: readonly string[];
  /** Absent: it has accounts and tokens itself. */
  readonly auth?: AuthInfo;
  readonly sfu?: SfuInfo;
  readonly rtc?: RtcInfo;
}

/** A service beside a homeserver. */
interface ServiceInfo {
  /** `sfu1` or `rtc1` of `hs1`, as the check calls them. */
  readonly role: string;
  /** As it was started. */
  readonly place: string;
  /** For clients, through the gateway; ends in a slash. */
  readonly base: string;
  /** Where clients connect, and what tokens are asked for. */
  readonly websocketUrl: string;
  readonly capabilities: readonly string[];
}

export type SfuInfo = ServiceInfo;

/** An RTC authorization service. */
export type RtcInfo = ServiceInfo;

/** An auth service. */
export interface AuthInfo {
  /** `as1` of `hs1`, as the check calls them. */
  readonly role: string;
  /** As it was started. */
  readonly place: string;
  /** Which user agent presses its buttons. */
  readonly kind: string;
  /** Ends in a slash. */
  readonly issuer: string;
  readonly capabilities: readonly string[];
  /** Names of faults that it knows. */
  readonly faults: readonly string[];
  /** What it and its homeserver show each other; absent: nobody here knows. */
  readonly secret?: string;
}

/** What runs beside a server. */
export function servicesOf({ auth, sfu, rtc }: ServerInfo): readonly (AuthInfo | ServiceInfo)[] {
  return [auth, sfu, rtc].filter((service) => service !== undefined);
}

export interface AppserviceInfo {
  readonly id: string;
  readonly asToken: string;
  readonly hsToken: string;
  readonly senderLocalpart: string;
  readonly prefix: string;
}

/** How a check reports, as `task.meta.crucible`. */
export interface CheckReport {
  readonly requirement: string;
  readonly title: string;
  readonly repetition: number;
  readonly outcome: "pass" | "fail" | "error" | "skip" | "flaky";
  /** Epoch milliseconds. */
  readonly startedAt?: number;
  readonly durationMs: number;
  readonly reason?: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly exchange?: string;
  readonly exchanges: readonly string[];
  readonly notes: readonly string[];
  readonly logs?: readonly string[];
  /** Rules of other requirements that answers broke. */
  readonly violations?: readonly {
    readonly requirement: string;
    readonly message: string;
    readonly exchange?: string;
  }[];
  readonly measurements?: readonly Measurement[];
  readonly call?: CallRecord;
  readonly undecryptable?: readonly Undecryptable[];
  /** Replay file of its rooms, within the run directory. */
  readonly replay?: string;
  /** In mode `mutants`: one entry a mutant. */
  readonly mutants?: readonly MutantReport[];
}

export interface MutantReport {
  readonly name: string;
  /**
   * `moot`: the server breaks the rule itself, before the mutant could. `not-fired`: the check passed, and the mutant changed
   * nothing. `error`: the check gave no verdict.
   */
  readonly verdict: "killed" | "survived" | "not-fired" | "moot" | "error";
  readonly detail: string;
}

declare module "vitest" {
  interface ProvidedContext {
    crucible: RunInfo;
  }
  interface TaskMeta {
    crucible?: CheckReport;
  }
}

/** As it was started. */
export function serverInfo({ role, server, links, auth, sfu, rtc }: DeployedServer): ServerInfo {
  return {
    role,
    place: role,
    serverName: server.serverName,
    clientUrl: links.clientUrl,
    federationUrl: links.federationUrl,
    capabilities: Object.keys(server.capabilities),
    ...(auth === undefined ? {} : { auth: authInfo(auth) }),
    ...(sfu === undefined
      ? {}
      : { sfu: serviceInfo(sfu, sfu.base, sfu.service.access.websocketUrl) }),
    ...(rtc === undefined ? {} : { rtc: serviceInfo(rtc, rtc.links.publicBase, rtc.websocketUrl) }),
  };
}

function serviceInfo(
  { role, service }: DeployedSfu | DeployedRtcAuth,
  base: string,
  websocketUrl: string,
): ServiceInfo {
  const capabilities = Object.keys(service.capabilities);
  return { role, place: role, base, websocketUrl, capabilities };
}

function authInfo({ role, service, links, secret }: DeployedAuth): AuthInfo {
  return {
    role,
    place: role,
    kind: service.kind,
    issuer: links.publicBase,
    capabilities: Object.keys(service.capabilities),
    faults: service.capabilities.faults?.known ?? [],
    ...(secret === undefined ? {} : { secret }),
  };
}
