/** A MAS that already runs beside a homeserver that already runs: only its admin side is used, and nothing of it is changed. */
import { addressOf, requireAnswer } from "#drivers/substrates/running";
import type { AuthStartContext, RunningAuthService } from "#harness/deployment/auth-contract";
import { managesAccounts, registersUsers } from "./accounts.ts";
import { AdminClient, textAt } from "./admin-client.ts";
import { adminOf } from "./options.ts";

export async function useRunning({ role, spec }: AuthStartContext): Promise<RunningAuthService> {
  const base = new URL(spec.url ?? "");
  const root = base.href.replace(/\/+$/, "");
  await requireAnswer(role, `${root}/.well-known/openid-configuration`);
  const admin = new AdminClient({ base: () => root, ...adminOf(spec) });
  // Tells now whether the credentials are good. What the deployment would call the server is not what it is called.
  const { json } = await admin.ask("GET", "/site-config");
  const serverName = textAt(json, "server_name");
  const address = addressOf(base);
  return {
    role,
    kind: "mas",
    address: () => address,
    settings: ["MAS runs elsewhere: its settings are not ours"],
    capabilities: {
      registersUsers: registersUsers(admin, serverName),
      managesAccounts: managesAccounts(admin),
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
