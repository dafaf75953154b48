/** The admin side: accounts and sessions, past the API under test. */
import { randomUUID } from "node:crypto";
import { randomDeviceId } from "../device-id.ts";
import type { Homeserver } from "../homeserver.ts";
import { deviceOf, scopeFor } from "../oauth/scope.ts";
import type { SignIns } from "../sign-ins.ts";
import type { Standing } from "../standing.ts";
import type { Accounts } from "../store/accounts.ts";
import type { Sessions } from "../store/sessions.ts";
import type { Faults } from "./faults.ts";
import type { Questions } from "./questions.ts";

export interface AdminParts {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly signIns: SignIns;
  readonly standing: Standing;
  readonly homeserver: Homeserver;
  readonly serverName: string;
  readonly faults: Faults;
}

export function adminSide(parts: AdminParts): Questions {
  const { accounts, sessions, signIns, standing, homeserver, serverName, faults } = parts;
  return {
    createAccount: async (localpart, password) => {
      if (!accounts.add(localpart, password)) throw new Error(`${localpart} is taken`);
      await homeserver.provisionUser({ localpart });
    },
    register: async (localpart, password, isAdmin) => {
      if (!accounts.add(localpart, password, isAdmin)) throw new Error(`${localpart} is taken`);
      const deviceId = randomDeviceId();
      const { accessToken } = await signIns.begin({
        id: randomUUID(),
        kind: "compat",
        localpart,
        deviceId,
        scope: scopeFor({ isAdmin }),
        withRefreshToken: false,
      });
      return { userId: `@${localpart}:${serverName}`, accessToken, deviceId };
    },
    issueToken: async ({ localpart, scope, deviceId, expiresInS }) => {
      // A user that an application service made has no account here yet.
      accounts.add(localpart, undefined);
      const { accessToken } = await signIns.begin({
        id: randomUUID(),
        kind: "personal",
        localpart,
        deviceId: deviceId ?? deviceOf(scope),
        scope,
        expiresInS,
        withRefreshToken: false,
      });
      return { accessToken };
    },
    lock: (localpart) => standing.setLocked(localpart, true),
    unlock: (localpart) => standing.setLocked(localpart, false),
    deactivate: (localpart) => standing.deactivate(localpart),
    reactivate: (localpart) => standing.reactivate(localpart),
    allowCrossSigningReset: (localpart) => homeserver.allowCrossSigningReset(localpart),
    sessions: async (localpart) =>
      sessions.live(localpart).map(({ id, deviceId, clientId }) => ({
        id,
        ...(deviceId === undefined ? {} : { deviceId }),
        ...(clientId === undefined ? {} : { clientId }),
      })),
    endSession: async (id) => {
      const session = sessions.find(id);
      if (session === undefined) throw new Error(`there is no session ${id}`);
      await signIns.end(session);
    },
    setFault: async (fault, value) => faults.set(fault, value),
    clearFaults: async () => faults.clear(),
  };
}
