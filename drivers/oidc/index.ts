/** The embedded auth service: an authorization server of our own for a homeserver that delegates to one (MSC3861). */
import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freeAddress } from "#drivers/substrates/process/address";
import { serve } from "#drivers/substrates/process/served";
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
  await mkdir(workFolder, { recursive: true });
  const settingsFile = path.join(workFolder, "settings.json");
  await writeFile(settingsFile, JSON.stringify(settings), { mode: 0o600 });
  const { child, capabilities } = await serve(context, {
    command: process.execPath,
    args: [childFile(), settingsFile],
    cwd: workFolder,
    env: { NODE_NO_WARNINGS: "1" },
    address,
    path: "/.well-known/openid-configuration",
  });
  return {
    role,
    kind: "oidc",
    address: () => address,
    settings: [],
    capabilities: {
      ...capabilities,
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
    [Symbol.asyncDispose]: async () => {
      await child.kill();
      await rm(workFolder, { recursive: true, force: true });
    },
  };
}

/** As source, or compiled in the package that is published. */
function childFile(): string {
  const [, extension = "ts"] = /\.(\w+)$/.exec(import.meta.url) ?? [];
  return fileURLToPath(new URL(`./child.${extension}`, import.meta.url));
}
