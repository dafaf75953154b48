/** What services beside homeservers have in common in a deployment, whatever they are: their driver, their start. */
import path from "node:path";
import type { ServerSpec } from "#harness/config/driver-spec";
import { HarnessError } from "#harness/errors";
import type { ServiceStartContext } from "./service-contract.ts";
import type { Supervision } from "./supervision.ts";

export interface DeployedService<Service> {
  /** `as1`, `sfu1` and `rtc1` of `hs1`. */
  readonly role: string;
  readonly service: Service;
  readonly spec: ServerSpec;
  readonly logFile: string;
}

export interface ServiceStartOptions {
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
}

/** What a driver is told whatever it starts, a homeserver too. Tells that it is being started. */
export function contextOf(
  role: string,
  spec: ServerSpec,
  { onUnexpectedExit }: Supervision,
  { deployment, registry, logFolder, startTimeoutMs, signal, progress }: ServiceStartOptions,
): ServiceStartContext {
  const name = `${deployment}-${role}`;
  progress(`starting ${role} (${spec.text})`);
  return {
    runId: registry.runId,
    role,
    name,
    spec,
    workFolder: registry.workFolder(name),
    logFile: path.join(logFolder, `${name}.log`),
    startTimeoutMs,
    signal,
    progress,
    registerProcess: (pid) => registry.addChild(pid),
    onUnexpectedExit,
  };
}

/**
 * @param what it is a driver of, with its article
 * @throws HarnessError BAD_USAGE
 */
export function driverOf<
  Driver extends {
    readonly accepts: (spec: ServerSpec) => boolean;
    readonly usage: readonly string[];
  },
>(drivers: readonly Driver[], spec: ServerSpec, what: string): Driver {
  const driver = drivers.find((candidate) => candidate.accepts(spec));
  if (driver !== undefined) return driver;
  throw new HarnessError("BAD_USAGE", {
    what: `no driver starts ${what} as ${spec.text}`,
    next: `known forms: ${drivers.flatMap(({ usage }) => usage).join(", ")}`,
  });
}
