/** What a driver of auth services is and what it gives: the authorization server of one homeserver (MSC3861), such as MAS. */
import type { ServerCapabilities } from "./contract.ts";
import type {
  RunningService,
  ServiceCapabilities,
  ServiceDriver,
  ServiceStartContext,
} from "./service-contract.ts";

/** Everything a driver needs to start one auth service. */
export interface AuthStartContext extends ServiceStartContext {
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

/** `kind` says which user agent presses its buttons: `oidc`, `mas`. The gateway reaches it for clients and for its homeserver. */
export type RunningAuthService = RunningService<AuthCapabilities>;

export interface AuthCapabilities
  extends ServiceCapabilities,
    Pick<ServerCapabilities, "hasDatabase" | "registersUsers"> {
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

export interface AuthDriver extends ServiceDriver<AuthStartContext, RunningAuthService> {
  /** Takes homeservers that ask as OAuth clients. It does not unless given. */
  readonly takesClients?: true;
}
