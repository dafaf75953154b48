/** Suspension by Synapse's admin API (PUT /_synapse/admin/v1/suspend/{userId}). */
import { request } from "undici";
import type { Address, SuspendsUsers } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";

const TIMEOUT_MS = 30_000;

export function suspensionAt({ host, port }: Address): SuspendsUsers {
  return {
    suspend: async (userId, isSuspended, adminToken) => {
      const target = path`/_synapse/admin/v1/suspend/${userId}`;
      const { statusCode, body } = await request(`http://${host}:${port}${target}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        body: JSON.stringify({ suspend: isSuspended }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const said = await body.text();
      if (statusCode === 200) return;
      throw new HarnessError("HS_NO_ANSWER", {
        what: `Synapse did not suspend ${userId}: status ${statusCode}`,
        facts: [said.slice(0, 200)],
        next: "the token has to be an administrator's",
      });
    },
  };
}
