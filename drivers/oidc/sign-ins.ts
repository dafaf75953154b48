/** How sessions begin and end, with what the homeserver has to be told before a client hears of it. */
import { type Homeserver, HomeserverTrouble } from "./homeserver.ts";
import type { AuthSessionRow, Sessions, TokenPair } from "./store/sessions.ts";
import { Turns } from "./turns.ts";

/** For how long Synapse may believe in a token that it asked about. */
const REMEMBERED_S = 120;

export interface SignIn {
  readonly id: string;
  readonly kind: AuthSessionRow["kind"];
  readonly localpart: string;
  readonly clientId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly scope: string;
  readonly displayName?: string | undefined;
  readonly expiresInS?: number | undefined;
  readonly withRefreshToken: boolean;
}

export class SignIns {
  readonly #sessions: Sessions;
  readonly #homeserver: Homeserver;
  /** Takes what oidc-provider keeps of a session. */
  readonly #forget: (grantId: string) => Promise<void>;
  /** Work on the devices of one account goes one after the other. */
  readonly #turns = new Turns();

  constructor(
    sessions: Sessions,
    homeserver: Homeserver,
    forget: (grantId: string) => Promise<void>,
  ) {
    this.#sessions = sessions;
    this.#homeserver = homeserver;
    this.#forget = forget;
  }

  /**
   * Begins a session. When this resolves the homeserver knows user and device, so that the token works at once; an older
   * session of the same device has ended (specification, Relationship between access tokens and devices).
   */
  begin(signIn: SignIn): Promise<TokenPair> {
    const { id, localpart, deviceId, displayName, expiresInS, withRefreshToken } = signIn;
    return this.#turns.take(localpart, async () => {
      await this.#homeserver.provisionUser({ localpart });
      this.#sessions.add({
        id,
        kind: signIn.kind,
        localpart,
        clientId: signIn.clientId,
        deviceId,
        scope: signIn.scope,
      });
      if (deviceId !== undefined) {
        for (const older of this.#sharing(localpart, deviceId)) await this.#replace(older);
        await this.#homeserver.upsertDevice(localpart, deviceId, displayName);
      }
      this.#sessions.open(id);
      if (deviceId !== undefined) this.#sessions.settleDevice(localpart, deviceId);
      return this.#sessions.addPair({ sessionId: id, expiresInS, withRefreshToken });
    });
  }

  /**
   * Ends a session. When this resolves its device is gone, and with it what the homeserver remembers of its tokens.
   *
   * @throws HomeserverTrouble when it could not be told; the session has ended all the same, and it will be told
   */
  end({ id, localpart, deviceId }: AuthSessionRow): Promise<void> {
    return this.#turns.take(localpart, async () => {
      this.#sessions.end(id, deviceId !== undefined);
      await this.#forget(id);
      if (deviceId !== undefined) await this.#settle(localpart, deviceId);
    });
  }

  /** Ends all of these sessions. @throws HomeserverTrouble as `end`, after all have ended */
  async endAll(sessions: readonly AuthSessionRow[]): Promise<void> {
    const ends = await Promise.allSettled(sessions.map((session) => this.end(session)));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** Tells the homeserver of devices that it could not be told of before. */
  async catchUp(): Promise<void> {
    for (const { localpart, deviceId } of this.#sessions.owingDevices()) {
      if (deviceId === undefined) continue;
      try {
        await this.#turns.take(localpart, () => this.#settle(localpart, deviceId));
      } catch (error) {
        if (!(error instanceof HomeserverTrouble)) throw error;
        // Down: so it is for the others.
        if (error.status === 0) return;
      }
    }
  }

  async #settle(localpart: string, deviceId: string): Promise<void> {
    if (this.#sharing(localpart, deviceId).length === 0) {
      await this.#homeserver.deleteDevice(localpart, deviceId);
    }
    this.#sessions.settleDevice(localpart, deviceId);
  }

  #sharing(localpart: string, deviceId: string): readonly AuthSessionRow[] {
    return this.#sessions.live(localpart).filter((session) => session.deviceId === deviceId);
  }

  /**
   * Ends a session whose device another one takes over. The device lives on, with its keys, unless the homeserver may
   * still believe in an older token: only a device that is gone makes Synapse forget one.
   */
  async #replace({ id, localpart, deviceId }: AuthSessionRow): Promise<void> {
    const remembered = this.#sessions.seenWithin(id, REMEMBERED_S);
    this.#sessions.end(id, false);
    await this.#forget(id);
    if (deviceId === undefined || remembered.length === 0) return;
    await this.#homeserver.deleteDevice(localpart, deviceId);
    for (const accessToken of remembered) await this.#homeserver.knock(accessToken);
  }
}
