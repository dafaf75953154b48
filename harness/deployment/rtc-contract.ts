/**
 * What drivers of SFUs and of RTC authorization services are and what they give (MSC4143, MSC4195): `sfu1` and `rtc1` belong to
 * `hs1`, and so on.
 *
 * As with homeservers, `start` and dispose are all that they have to offer; the rest is an opt-in capability.
 */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { Address, PrepareContext, ServerCapabilities, StartContext } from "./contract.ts";

type ServiceContext = Pick<
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

type ProcessCapabilities = Pick<
  ServerCapabilities,
  "killable" | "pausable" | "restartable" | "stoppable" | "hasLogs"
>;

/** Everything a driver needs to start one SFU. */
export interface SfuStartContext extends ServiceContext {
  /** Where it tells what happens in its rooms; absent: nobody listens. */
  readonly webhookUrl?: string;
}

/** What whoever asks an SFU for rooms, or signs tokens for it, has to know. */
export interface SfuAccess {
  /** Where clients connect, `ws://…` or `wss://…`: past the gateway, which carries no media. */
  readonly websocketUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** A started SFU. Dispose stops it and removes what it used. */
export interface RunningSfu extends AsyncDisposable {
  readonly role: string;
  /** `livekit`. */
  readonly kind: string;
  /** Where the gateway reaches its HTTP API now. Read anew for each connection. */
  readonly address: () => Address;
  readonly access: SfuAccess;
  readonly capabilities: SfuCapabilities;
  /** Settings that differ from the implementation's defaults, one line each, for the run header. */
  readonly settings: readonly string[];
}

export interface SfuCapabilities extends ProcessCapabilities {
  readonly showsRooms?: ShowsRooms;
}

/** Its admin side, past the API under test. Names of rooms and identities are the SFU's own. */
export interface ShowsRooms {
  rooms(): Promise<readonly string[]>;
  /** Empty where there is no such room. */
  participants(room: string): Promise<readonly SfuParticipant[]>;
}

export interface SfuParticipant {
  readonly identity: string;
  readonly canPublish: boolean;
}

export interface SfuDriver extends ServiceDriver {
  readonly start: (context: SfuStartContext) => Promise<RunningSfu>;
}

interface ServiceDriver {
  /** Word in specs, for example `livekit`. */
  readonly name: string;
  /** What its flag accepts of it, for help and suggestions. */
  readonly usage: readonly string[];
  readonly accepts: (spec: ServerSpec) => boolean;
  /** Refuses what can be seen to be wrong before anything starts. @throws HarnessError BAD_USAGE */
  readonly check?: (spec: ServerSpec) => void;
  /** As of a homeserver's driver: what must be there before anything starts. */
  readonly prepare: (spec: ServerSpec, context: PrepareContext) => Promise<void>;
  /** Removes what dead runs left behind on this driver's substrate; tells what it removed, one line each. */
  readonly sweep?: (isDead: (runId: string) => boolean) => Promise<readonly string[]>;
}

/** Everything a driver needs to start one RTC authorization service. */
export interface RtcAuthStartContext extends ServiceContext {
  /** Where clients reach it, which is a listener of the gateway; ends in a slash. */
  readonly publicBase: string;
  readonly homeserver: {
    /** Users of this name may make rooms and publish; those of others only listen. */
    readonly serverName: string;
    /** Base URL of its client API as the service reaches it, ends in a slash: its link through the gateway. */
    readonly endpoint: string;
    /** The same of its federation API. */
    readonly federation: string;
  };
  /** Its way to other servers, whose certificates are of the run's authority. */
  readonly proxy: { readonly port: number; readonly caFile: string };
  readonly sfu: SfuAccess & {
    /** The SFU's HTTP API as the service reaches it, ends in a slash; absent: there is none, and no room can be made. */
    readonly endpoint?: string;
  };
  readonly registration: RtcRegistration;
}

/** Shared between the service and its homeserver, to which it is an application service (MSC4512). */
export interface RtcRegistration {
  readonly asToken: string;
  readonly hsToken: string;
}

/** A started RTC authorization service. Dispose stops it and removes what it used. */
export interface RunningRtcAuth extends AsyncDisposable {
  readonly role: string;
  /** `embedded`, `running`. */
  readonly kind: string;
  /** Where the gateway reaches it now. Read anew for each connection. */
  readonly address: () => Address;
  readonly capabilities: ProcessCapabilities;
  /** Settings that differ from the implementation's defaults, one line each, for the run header. */
  readonly settings: readonly string[];
}

export interface RtcAuthDriver extends ServiceDriver {
  readonly start: (context: RtcAuthStartContext) => Promise<RunningRtcAuth>;
}
