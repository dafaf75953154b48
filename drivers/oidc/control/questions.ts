/** What the admin side can be asked, between the driver and the process of the service: one JSON object per request. */
import type { AuthSession, TokenOrder } from "#harness/deployment/auth-contract";
import type { Registered } from "#harness/deployment/contract";

export interface Questions {
  createAccount(localpart: string, password: string): Promise<void>;
  register(localpart: string, password: string, isAdmin: boolean): Promise<Registered>;
  issueToken(order: TokenOrder): Promise<{ readonly accessToken: string }>;
  lock(localpart: string): Promise<void>;
  unlock(localpart: string): Promise<void>;
  deactivate(localpart: string): Promise<void>;
  reactivate(localpart: string): Promise<void>;
  allowCrossSigningReset(localpart: string): Promise<void>;
  sessions(localpart: string): Promise<readonly AuthSession[]>;
  endSession(id: string): Promise<void>;
  setFault(fault: string, value?: number | string): Promise<void>;
  clearFaults(): Promise<void>;
}

export type Question = {
  readonly [Name in keyof Questions]: {
    readonly name: Name;
    readonly parameters: Parameters<Questions[Name]>;
  };
}[keyof Questions];

/** Why it was not done. */
export interface Trouble {
  readonly trouble: string;
}
