/** What a Synapse that runs can be started again with. */
import type { AuthAccess, Setting } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { runCommand } from "#harness/python/command";
import { addPackages } from "#harness/python/environment";

/** Exact, so that all machines have one; it comes with no release of Synapse. */
const OPENID_CONNECT = ["Authlib==1.9.10"];

/** Providers belong to accounts of its own, which it does not have beside an auth service; the others need one. */
export function restartSettingsOf(auth: AuthAccess | undefined): readonly Setting[] {
  return auth === undefined
    ? ["unreachable-login-provider", "no-presence"]
    : ["qr-sign-in", "auth-service-below-path", "no-presence"];
}

/** The address of its auth service, with this setting or without. */
export function authWith(setting: Setting | undefined, auth: AuthAccess | undefined) {
  if (auth === undefined || setting !== "auth-service-below-path") return auth;
  return { ...auth, endpoint: `${auth.endpoint}crucible/` };
}

/** Adds a setting to a configuration. */
export function applySetting(configuration: Record<string, unknown>, setting: Setting): void {
  if (setting === "qr-sign-in") {
    const { experimental_features: experiments } = configuration;
    configuration.experimental_features = { ...(experiments as object), msc4108_enabled: true };
  }
  if (setting === "no-presence") configuration.presence = { enabled: false };
  if (setting === "unreachable-login-provider") {
    configuration.oidc_providers = [
      {
        idp_id: "crucible",
        idp_name: "nobody is there",
        // Nothing of ours listens on port 1.
        issuer: "http://127.0.0.1:1/",
        discover: true,
        client_id: "synapse",
        client_secret: "none",
        scopes: ["openid"],
        skip_verification: true,
      },
    ];
    // What it sends users back to.
    configuration.public_baseurl ??= `https://${configuration.server_name}/`;
  }
}

/**
 * Sees to the packages that a setting takes.
 *
 * @param isOurs the environment was made by us, so that it may be added to
 * @throws HarnessError INSTALL_FAILED
 */
export async function prepareSetting(
  setting: Setting,
  {
    python,
    isOurs,
    ...context
  }: {
    readonly python: string;
    readonly isOurs: boolean;
    readonly progress: (line: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  if (setting !== "unreachable-login-provider") return;
  if (isOurs) return await addPackages(python, { packages: OPENID_CONNECT, ...context });
  const { code } = await runCommand(python, ["-c", "import authlib"]);
  if (code === 0) return;
  throw new HarnessError("INSTALL_FAILED", {
    what: "this Synapse has no Authlib, without which it takes no OpenID Connect providers",
    next: `${python} -m pip install Authlib`,
  });
}
