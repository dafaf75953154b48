/** The auth service of one homeserver in a deployment: its links, its start, and what its homeserver is told of it. */
import { randomBytes } from "node:crypto";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { AuthLinks, Gateway } from "#harness/gateway/gateway";
import type { AuthDriver, RunningAuthService } from "./auth-contract.ts";
import type { AuthAccess } from "./contract.ts";
import { contextOf, type DeployedService, driverOf, type ServiceStartOptions } from "./services.ts";
import type { Supervision } from "./supervision.ts";

export interface DeployedAuth extends DeployedService<RunningAuthService> {
  readonly links: AuthLinks;
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

export interface AuthStartOptions extends ServiceStartOptions {
  readonly drivers: readonly AuthDriver[];
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
  const { drivers, supervision } = options;
  const driver = driverOf(drivers, spec, "an auth service");
  const context = contextOf(role, spec, supervision, options);
  const service = await driver.start({
    ...context,
    publicBase: links.publicBase,
    homeserver: { serverName: serverNameOf(homeserver), endpoint: links.toHomeserver },
    secret,
  });
  supervision.watch(service);
  const { logFile } = context;
  const isOurs = spec.substrate !== "url";
  return { role, service, links, spec, logFile, ...(isOurs ? { secret } : {}) };
}
