/** What administrators do to users and rooms by Synapse's admin API. */
import { request } from "undici";
import type { Address, Administration, ServerCapabilities } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";

const TIMEOUT_MS = 30_000;

export function administrationAt({
  host,
  port,
}: Address): Required<Pick<ServerCapabilities, Administration>> {
  const ask = async (method: string, target: string, adminToken: string, body: object) => {
    const answer = await request(`http://${host}:${port}${target}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const said = await answer.body.text();
    if (answer.statusCode >= 200 && answer.statusCode < 300) return;
    throw new HarnessError("HS_NO_ANSWER", {
      what: `Synapse did not do what an administrator asked for: status ${answer.statusCode}`,
      facts: [`${method} ${target}`, said.slice(0, 200)],
      next: "the token has to be an administrator's",
    });
  };
  return {
    locksUsers: {
      lock: async (userId, isLocked, adminToken) => {
        const target = path`/_synapse/admin/v2/users/${userId}`;
        await ask("PUT", target, adminToken, { locked: isLocked });
      },
    },
    makesRoomAdmins: {
      makeRoomAdmin: async (roomId, userId, adminToken) => {
        const target = path`/_synapse/admin/v1/rooms/${roomId}/make_room_admin`;
        await ask("POST", target, adminToken, { user_id: userId });
      },
    },
  };
}
