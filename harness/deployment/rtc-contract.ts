/** What drivers of SFUs and of RTC authorization services are and what they give (MSC4143, MSC4195). */
import type { ServerSpec } from "#harness/config/driver-spec";
import type {
  RunningService,
  ServiceCapabilities,
  ServiceDriver,
  ServiceStartContext,
} from "./service-contract.ts";

/** Everything a driver needs to start one SFU. */
export interface SfuStartContext extends ServiceStartContext {
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

/** `kind` is `livekit`. */
export interface RunningSfu extends RunningService<SfuCapabilities> {
  readonly access: SfuAccess;
}

export interface SfuCapabilities extends ServiceCapabilities {
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

export type SfuDriver = ServiceDriver<SfuStartContext, RunningSfu>;

/** Everything a driver needs to start one RTC authorization service. */
export interface RtcAuthStartContext extends ServiceStartContext {
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

/** `kind` is `embedded`, `lk-jwt-service` or `running`. */
export type RunningRtcAuth = RunningService<RtcAuthCapabilities>;

export interface RtcAuthCapabilities extends ServiceCapabilities {
  /** It has a store for what is left to it, which outlives its process. */
  readonly keepsDelegations?: true;
  readonly startsBare?: StartsBare;
}

export interface StartsBare {
  /**
   * Kills it, and starts it at its place without the list of servers whose users may make rooms. Resolves with how it has ended,
   * such as `exit code 1`, or with `serves` once it answers. Nothing runs there afterwards.
   */
  startBare(): Promise<string>;
}

export interface RtcAuthDriver extends ServiceDriver<RtcAuthStartContext, RunningRtcAuth> {
  /** What this spec starts is an application service of its homeserver, which hands it requests (MSC4512). It is not unless given. */
  readonly isHandedRequests?: (spec: ServerSpec) => boolean;
  /** It gives no tokens where there is no SFU to make rooms on. It does unless given. */
  readonly needsSfu?: true;
}
