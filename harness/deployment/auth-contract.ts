/**
 * What a driver of auth services is and what it gives: the authorization server of one homeserver (MSC3861), such as MAS.
 *
 * As with homeservers, `start` and dispose are all that it has to offer; the rest is an opt-in capability.
 */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { Address, PrepareContext, ServerCapabilities, StartContext } from "./contract.ts";

/** Everything a driver needs to start one auth service. Neither side waits for the other: each is asked when needed. */
export interface AuthStartContext
  extends Pick<
    StartContext,
    | "runId"
    | "name"
    | "spec"
    | "workFolder"
    | "logFile"
    | "startTimeoutMs"
    | "signal"
    | "progress"
    | "registerProcess"
    | "onUnexpectedExit"
  > {
  /** `as1` belongs to `hs1`, and so on. */
  readonly role: string;
  /** Issuer, ends in a slash: where clients reach it, which is a listener of the gateway. */
  readonly publicBase: string;
  readonly homeserver: {
    readonly serverName: string;
    /** Base URL of the homeserver as the service reaches it, ends in a slash: its link through the gateway. */
    readonly endpoint: string;
  };
  /** Shared between the two: what each shows the other as its bearer token. */
  readonly secret: string;
}

/** A started auth service. Dispose stops it and removes what it used. */
export interface RunningAuthService extends AsyncDisposable {
  readonly role: string;
  /** Which user agent presses its buttons: `oidc`, `mas`. */
  readonly kind: string;
  /** Where the gateway reaches it now, for clients and for its homeserver. Read anew for each connection. */
  readonly address: () => Address;
  readonly capabilities: AuthCapabilities;
  /** Settings that differ from the implementation's defaults, one line each, for the run header. */
  readonly settings: readonly string[];
}

export interface AuthCapabilities
  extends Pick<
    ServerCapabilities,
    | "killable"
    | "pausable"
    | "restartable"
    | "stoppable"
    | "hasLogs"
    | "hasDatabase"
    | "registersUsers"
  > {
  readonly managesAccounts?: ManagesAccounts;
  readonly faults?: AuthFaults;
}

/** The service's admin side, past the API under test. Accounts go by localpart. */
export interface ManagesAccounts {
  /** An account that one can sign in to with this password, without any device. */
  createAccount(localpart: string, password: string): Promise<void>;
  /** A token that nobody signed in for, as MAS's personal sessions have; its device exists when this resolves. */
  issueToken(order: TokenOrder): Promise<{ readonly accessToken: string }>;
  lock(localpart: string): Promise<void>;
  unlock(localpart: string): Promise<void>;
  deactivate(localpart: string): Promise<void>;
  reactivate(localpart: string): Promise<void>;
  /** What the account page asks for before a user's cross-signing keys may be replaced (MSC4312). */
  allowCrossSigningReset(localpart: string): Promise<void>;
  sessions(localpart: string): Promise<readonly AuthSession[]>;
  endSession(id: string): Promise<void>;
}

export interface TokenOrder {
  readonly localpart: string;
  /** Space separated; without a device scope where `deviceId` names the device. */
  readonly scope: string;
  readonly deviceId?: string;
  /** Does not expire unless given. */
  readonly expiresInS?: number;
}

export interface AuthSession {
  readonly id: string;
  readonly deviceId?: string;
  readonly clientId?: string;
}

/** What an auth service can be made to do wrong that no rule at the gateway can. */
export interface AuthFaults {
  /** Names that `set` knows. */
  readonly known: readonly string[];
  /** On until it is cleared; a number or a text where the fault has a measure. */
  set(fault: string, value?: number | string): Promise<void>;
  clear(): Promise<void>;
}

/** A driver: knows one implementation on one or more substrates. */
export interface AuthDriver {
  /** Word in specs, for example `oidc`. */
  readonly name: string;
  /** What `--auth` and `--mas` accept of it, for help and suggestions. */
  readonly usage: readonly string[];
  readonly accepts: (spec: ServerSpec) => boolean;
  /** Takes homeservers that ask as OAuth clients. It does not unless given. */
  readonly takesClients?: true;
  /** Refuses what can be seen to be wrong before anything starts. @throws HarnessError BAD_USAGE */
  readonly check?: (spec: ServerSpec) => void;
  /** As of a homeserver's driver: what must be there before anything starts. */
  readonly prepare: (spec: ServerSpec, context: PrepareContext) => Promise<void>;
  /** @throws HarnessError HS_DID_NOT_START with the last log lines. */
  readonly start: (context: AuthStartContext) => Promise<RunningAuthService>;
  /** Removes what dead runs left behind on this driver's substrate; tells what it removed, one line each. */
  readonly sweep?: (isDead: (runId: string) => boolean) => Promise<readonly string[]>;
}
