/**
 * What drivers of services that run beside a homeserver have in common, and what these give: `as1`, `sfu1` and `rtc1` belong to
 * `hs1`, and so on.
 *
 * As with homeservers, `start` and dispose are all that they have to offer; the rest is an opt-in capability.
 */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { Address, PrepareContext, ServerCapabilities, StartContext } from "./contract.ts";

/** What a driver needs to start a service, whatever it is. Neither side waits for the other: each is asked when needed. */
export type ServiceStartContext = Pick<
  StartContext,
  | "runId"
  | "role"
  | "name"
  | "spec"
  | "workFolder"
  | "logFile"
  | "startTimeoutMs"
  | "signal"
  | "progress"
  | "registerProcess"
  | "onUnexpectedExit"
>;

export type ServiceCapabilities = Pick<
  ServerCapabilities,
  "killable" | "pausable" | "restartable" | "stoppable" | "hasLogs"
>;

/** A started service. Dispose stops it and removes what it used. */
export interface RunningService<Capabilities = ServiceCapabilities> extends AsyncDisposable {
  readonly role: string;
  /** Which one it is, in a word. */
  readonly kind: string;
  /** Where the gateway reaches it now. Read anew for each connection. */
  readonly address: () => Address;
  readonly capabilities: Capabilities;
  /** Settings that differ from the implementation's defaults, one line each, for the run header. */
  readonly settings: readonly string[];
}

/** A driver: knows one implementation on one or more substrates. */
export interface ServiceDriver<Context extends ServiceStartContext, Service> {
  /** Word in specs, for example `oidc`. */
  readonly name: string;
  /** What its flag accepts of it, for help and suggestions. */
  readonly usage: readonly string[];
  readonly accepts: (spec: ServerSpec) => boolean;
  /** Refuses what can be seen to be wrong before anything starts. @throws HarnessError BAD_USAGE */
  readonly check?: (spec: ServerSpec) => void;
  /** As of a homeserver's driver: what must be there before anything starts. */
  readonly prepare: (spec: ServerSpec, context: PrepareContext) => Promise<void>;
  /** @throws HarnessError HS_DID_NOT_START with the last log lines. */
  readonly start: (context: Context) => Promise<Service>;
  /** Removes what dead runs left behind on this driver's substrate; tells what it removed, one line each. */
  readonly sweep?: (isDead: (runId: string) => boolean) => Promise<readonly string[]>;
}
