/** The auth service of a check's homeserver. Kill, pause or restart it by `world.actOnServer(auth.role, …)`. */
import type { AuthFaults, ManagesAccounts } from "#harness/deployment/auth-contract";
import { Unsupported } from "#harness/errors";
import type { Control } from "./control.ts";
import type { AuthInfo, DeploymentInfo } from "./run-info.ts";

export interface WorldAuth extends Omit<AuthInfo, "place" | "faults" | "secret"> {
  /** What it and its homeserver show each other. @throws Unsupported when nobody here knows */
  secret(): string;
  /** @throws Unsupported when its driver has no admin side */
  readonly accounts: ManagesAccounts;
  /** Names of faults that it knows. On until the check ends, or they are cleared. @throws Unsupported as above */
  readonly faults: AuthFaults;
}

export interface AuthListeners {
  readonly onFault: () => void;
  /** From now on it must not be told. */
  readonly onSecret: (secret: string) => void;
}

export function authOf(
  control: Control,
  deployment: DeploymentInfo,
  info: AuthInfo,
  { onFault, onSecret }: AuthListeners,
): WorldAuth {
  const { place, faults: known, secret, ...shown } = info;
  const ask = (capability: "managesAccounts" | "faults", method: string, parameters: unknown[]) => {
    if (!info.capabilities.includes(capability)) throw new Unsupported(`auth:${capability}`);
    return control.askAuth(deployment.id, place, capability, method, parameters);
  };
  const accounts = new Proxy({} as ManagesAccounts, {
    get: (_, method) =>
      typeof method === "string" && method !== "then"
        ? async (...parameters: unknown[]) => await ask("managesAccounts", method, parameters)
        : undefined,
  });
  return {
    ...shown,
    secret: () => {
      if (secret === undefined) throw new Unsupported("auth:secret");
      onSecret(secret);
      return secret;
    },
    accounts,
    faults: {
      known,
      set: async (fault, ...value) => {
        onFault();
        await ask("faults", "set", [fault, ...value]);
      },
      clear: async () => {
        await ask("faults", "clear", []);
      },
    },
  };
}
