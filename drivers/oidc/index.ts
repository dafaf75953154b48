/** The embedded auth service: an authorization server of our own for a homeserver that delegates to one (MSC3861). */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { freeAddress } from "#drivers/substrates/process/address";
import { serveOwn } from "#drivers/substrates/process/own-service";
import type {
  AuthDriver,
  AuthStartContext,
  RunningAuthService,
} from "#harness/deployment/auth-contract";
import { ask, type ControlAddress } from "./control/client.ts";
import { FAULTS } from "./control/faults.ts";
import type { ServiceSettings } from "./settings.ts";

export const oidc: AuthDriver = {
  name: "oidc",
  usage: ["process:oidc"],
  accepts: ({ substrate, driver }) => substrate === "process" && driver === "oidc",
  takesClients: true,
  prepare: async () => undefined,
  start,
};

async function start(context: AuthStartContext): Promise<RunningAuthService> {
  const { role, workFolder, publicBase, homeserver, secret } = context;
  const address = await freeAddress();
  const control: ControlAddress = {
    role,
    ...(await freeAddress()),
    secret: randomBytes(24).toString("hex"),
  };
  const settings: ServiceSettings = {
    publicBase,
    serverName: homeserver.serverName,
    homeserver: homeserver.endpoint,
    secret,
    ...address,
    control: { host: control.host, port: control.port, secret: control.secret },
    databaseFile: path.join(workFolder, "oidc.db"),
  };
  const served = await serveOwn(context, {
    besideChild: import.meta.url,
    settings,
    address,
    path: "/.well-known/openid-configuration",
  });
  return {
    role,
    kind: "oidc",
    address: () => address,
    settings: [],
    capabilities: {
      ...served.capabilities,
      registersUsers: {
        register: (localpart, password, options) =>
          ask(control, "register", localpart, password, options?.admin ?? false),
      },
      managesAccounts: {
        createAccount: (localpart, password) => ask(control, "createAccount", localpart, password),
        issueToken: (order) => ask(control, "issueToken", order),
        lock: (localpart) => ask(control, "lock", localpart),
        unlock: (localpart) => ask(control, "unlock", localpart),
        deactivate: (localpart) => ask(control, "deactivate", localpart),
        reactivate: (localpart) => ask(control, "reactivate", localpart),
        allowCrossSigningReset: (localpart) => ask(control, "allowCrossSigningReset", localpart),
        sessions: (localpart) => ask(control, "sessions", localpart),
        endSession: (id) => ask(control, "endSession", id),
      },
      faults: {
        known: FAULTS,
        set: (fault, value) => ask(control, "setFault", fault, value),
        clear: () => ask(control, "clearFaults"),
      },
    },
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}
