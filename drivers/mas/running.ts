/** A MAS that already runs beside a homeserver that already runs: only its admin side is used, and nothing of it is changed. */
import { request } from "undici";
import type { AuthStartContext, RunningAuthService } from "#harness/deployment/auth-contract";
import { HarnessError } from "#harness/errors";
import { managesAccounts, registersUsers } from "./accounts.ts";
import { AdminClient, textAt } from "./admin-client.ts";
import { adminOf } from "./options.ts";

export async function useRunning({ role, spec }: AuthStartContext): Promise<RunningAuthService> {
  const base = new URL(spec.url ?? "");
  const root = base.href.replace(/\/+$/, "");
  await answersMetadata(root, role);
  const admin = new AdminClient({ base: () => root, ...adminOf(spec) });
  // Tells now whether the credentials are good. What the deployment would call the server is not what it is called.
  const { json } = await admin.ask("GET", "/site-config");
  const serverName = textAt(json, "server_name");
  const isTls = base.protocol === "https:";
  const port = base.port === "" ? (isTls ? 443 : 80) : Number(base.port);
  return {
    role,
    kind: "mas",
    address: () => ({
      host: base.hostname,
      port,
      ...(isTls ? ({ tlsName: base.hostname, trust: "machine" } as const) : {}),
    }),
    settings: ["MAS runs elsewhere: its settings are not ours"],
    capabilities: {
      registersUsers: registersUsers(admin, serverName),
      managesAccounts: managesAccounts(admin),
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function answersMetadata(root: string, role: string): Promise<void> {
  const target = `${root}/.well-known/openid-configuration`;
  try {
    const { statusCode, body } = await request(target, {
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  } catch (cause) {
    throw new HarnessError("HS_DID_NOT_START", {
      what: `${role} does not answer GET ${target}`,
      facts: [cause instanceof Error ? cause.message : String(cause)],
      next: "check the URL, and that the service runs",
      cause,
    });
  }
}
