/** What a deployment is made of: what is asked for, what it is made with, and each server once it runs. */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { ServerLinks } from "#harness/gateway/gateway";
import type { RunRegistry } from "#harness/runs/registry";
import type { AuthDriver } from "./auth-contract.ts";
import type { DeployedAuth } from "./auth-services.ts";
import type { ContainerSettings, Driver, Feature, RunningServer } from "./contract.ts";
import type { Identity } from "./probes.ts";
import type { RtcAuthDriver, SfuDriver } from "./rtc-contract.ts";
import type { DeployedRtcAuth, DeployedSfu } from "./rtc-services.ts";

export interface DeploymentPlan {
  /** Unique within the run: `main`, `isolated-1`. */
  readonly id: string;
  readonly topology: string;
  /** Spec of each server by role, in the topology's order. */
  readonly servers: ReadonlyMap<string, ServerSpec>;
  /** Spec of each server's auth service, by the server's role; absent: they have none. */
  readonly auth?: ReadonlyMap<string, ServerSpec>;
  /** Spec of each server's SFU, and of its RTC authorization service, by the server's role; absent: they have none. */
  readonly sfu?: ReadonlyMap<string, ServerSpec>;
  readonly rtcAuth?: ReadonlyMap<string, ServerSpec>;
  readonly features: readonly Feature[];
}

export interface DeploymentContext {
  readonly drivers: readonly Driver[];
  readonly authDrivers: readonly AuthDriver[];
  /** Absent: no SFU and no RTC authorization service is started. */
  readonly sfuDrivers?: readonly SfuDriver[];
  readonly rtcAuthDrivers?: readonly RtcAuthDriver[];
  readonly registry: RunRegistry;
  readonly traceFolder: string;
  /** False: exchanges are not kept on disk. */
  readonly isTraced?: boolean;
  readonly logFolder: string;
  readonly containers: ContainerSettings;
  readonly startTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly progress: (line: string) => void;
  /** A server ended by itself; the deployment has already been told to restart it when it can. */
  readonly onDeath: (role: string, how: string, tail: readonly string[]) => void;
}

export interface DeployedServer {
  readonly role: string;
  readonly server: RunningServer;
  readonly links: ServerLinks;
  readonly identity: Identity;
  readonly spec: ServerSpec;
  readonly logFile: string;
  readonly auth?: DeployedAuth;
  readonly sfu?: DeployedSfu;
  readonly rtc?: DeployedRtcAuth;
}
