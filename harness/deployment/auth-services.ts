/** The auth service of one homeserver in a deployment: its links, its start, and what its homeserver is told of it. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import type { AuthLinks, Gateway } from "#harness/gateway/gateway";
import type { AuthDriver, RunningAuthService } from "./auth-contract.ts";
import type { AuthAccess } from "./contract.ts";
import type { Supervision } from "./supervision.ts";

export interface DeployedAuth {
  /** `as1` of `hs1`. */
  readonly role: string;
  readonly service: RunningAuthService;
  readonly links: AuthLinks;
  readonly spec: ServerSpec;
  readonly logFile: string;
  /** What it and its homeserver show each other; absent: they were joined by others. */
  readonly secret?: string;
}

/** An auth service whose addresses are known, and which has not been started. */
export interface AnnouncedAuth {
  readonly role: string;
  readonly homeserver: string;
  readonly spec: ServerSpec;
  readonly links: AuthLinks;
  readonly secret: string;
}

export interface AuthStartOptions {
  readonly drivers: readonly AuthDriver[];
  readonly deployment: string;
  readonly registry: {
    readonly runId: string;
    workFolder(name: string): string;
    addChild(pid: number): void;
  };
  readonly logFolder: string;
  readonly startTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  readonly supervision: Supervision;
}

/** `as1` for `hs1`. */
function authRoleOf(homeserver: string): string {
  return homeserver.replace(/^hs/, "as");
}

/** What a server with an auth service is called: that has to know it before the server runs. */
function serverNameOf(role: string): string {
  return `${role}:8448`;
}

/** Opens the listeners around an auth service: both sides can start in any order then, or at once. */
export async function announceAuth(
  gateway: Gateway,
  homeserver: string,
  spec: ServerSpec,
): Promise<AnnouncedAuth> {
  const role = authRoleOf(homeserver);
  const links = await gateway.addAuthService(role, homeserver);
  return { role, homeserver, spec, links, secret: randomBytes(24).toString("hex") };
}

/** What the homeserver's driver needs to delegate to it. */
export function accessTo({ links, secret }: AnnouncedAuth): AuthAccess {
  return { endpoint: links.forHomeserver, publicBase: links.publicBase, secret };
}

export async function startAuth(
  { role, homeserver, spec, links, secret }: AnnouncedAuth,
  options: AuthStartOptions,
): Promise<DeployedAuth> {
  const { drivers, deployment, registry, logFolder, supervision } = options;
  const driver = authDriverOf(drivers, spec);
  const name = `${deployment}-${role}`;
  const logFile = path.join(logFolder, `${name}.log`);
  options.progress(`starting ${role} (${spec.text})`);
  const service = await driver.start({
    runId: registry.runId,
    role,
    name,
    spec,
    publicBase: links.publicBase,
    homeserver: { serverName: serverNameOf(homeserver), endpoint: links.toHomeserver },
    secret,
    workFolder: registry.workFolder(name),
    logFile,
    startTimeoutMs: options.startTimeoutMs,
    signal: options.signal,
    progress: options.progress,
    registerProcess: (pid) => registry.addChild(pid),
    onUnexpectedExit: supervision.onUnexpectedExit,
  });
  supervision.watch(service);
  const isOurs = spec.substrate !== "url";
  return { role, service, links, spec, logFile, ...(isOurs ? { secret } : {}) };
}

/** @throws HarnessError BAD_USAGE */
export function authDriverOf(drivers: readonly AuthDriver[], spec: ServerSpec): AuthDriver {
  const driver = drivers.find((candidate) => candidate.accepts(spec));
  if (driver !== undefined) return driver;
  throw new HarnessError("BAD_USAGE", {
    what: `no driver starts the auth service ${spec.text}`,
    next: `known forms: ${drivers.flatMap(({ usage }) => usage).join(", ")}`,
  });
}
