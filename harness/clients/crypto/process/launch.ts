/** What a process is told to become a client. */
import type { ServerInfo } from "#harness/world/run-info";
import type { CryptoPolicy, SyncKind } from "../crypto-client.ts";
import type { StorePlace } from "../setup.ts";

/** The first question of a process, `launch`. */
export interface Launch {
  readonly server: ServerInfo;
  readonly account: {
    readonly userId: string;
    readonly localpart: string;
    readonly password: string;
    readonly accessToken: string;
    readonly deviceId: string;
    readonly serviceToken?: string;
  };
  readonly check: string;
  readonly timeoutScale: number;
  readonly policy: CryptoPolicy;
  readonly sync: SyncKind;
  readonly place?: StorePlace;
  readonly log?: string;
}
