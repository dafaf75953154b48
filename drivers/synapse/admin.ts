/** What Synapse's admin API does for checks, as an administrator whose token they have. */
import { request } from "undici";
import type { Address, MakesAccounts, SuspendsUsers } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";

const TIMEOUT_MS = 30_000;

async function ask(
  { host, port }: Address,
  method: "PUT" | "POST",
  target: string,
  adminToken: string,
  body: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await request(`http://${host}:${port}${target}`, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { status: response.statusCode, text: await response.body.text() };
}

/** PUT /_synapse/admin/v1/suspend/{userId} */
export function suspensionAt(address: Address): SuspendsUsers {
  return {
    suspend: async (userId, isSuspended, adminToken) => {
      const target = path`/_synapse/admin/v1/suspend/${userId}`;
      const { status, text } = await ask(address, "PUT", target, adminToken, {
        suspend: isSuspended,
      });
      if (status === 200) return;
      throw new HarnessError("HS_NO_ANSWER", {
        what: `Synapse did not suspend ${userId}: status ${status}`,
        facts: [text.slice(0, 200)],
        next: "the token has to be an administrator's",
      });
    },
  };
}

/** PUT /_synapse/admin/v2/users/{userId} */
export function accountsAt(address: Address, serverName: string): MakesAccounts {
  return {
    makeAccount: async (localpart, adminToken) => {
      const target = path`/_synapse/admin/v2/users/${`@${localpart}:${serverName}`}`;
      const { status, text } = await ask(address, "PUT", target, adminToken, {});
      if (status === 201) return true;
      // An administrator who is none gets another code, and then nothing has been tried.
      if ([400, 403, 404].includes(status) && !text.includes("You are not a server admin"))
        return false;
      throw new HarnessError("HS_NO_ANSWER", {
        what: `Synapse neither made the account ${localpart} nor refused to: status ${status}`,
        facts: [text.slice(0, 200)],
        next: "the token has to be an administrator's",
      });
    },
  };
}
