/** What administrators do to users and rooms by Synapse's admin API. */
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type {
  Address,
  Administration,
  MakesAccounts,
  ServerCapabilities,
} from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import { path } from "#harness/http/client";
import { textAt } from "#harness/match/json";

const TIMEOUT_MS = 30_000;
const POLL_MS = 100;

type Method = "GET" | "PUT" | "POST";

export function administrationAt(
  address: Address,
): Required<Pick<ServerCapabilities, Administration>> {
  const answerTo = async (method: Method, target: string, adminToken: string, body?: object) => {
    const { status, text } = await ask(address, method, target, adminToken, body);
    if (status < 200 || status > 299)
      throw refused("Synapse did not do what an administrator asked for", status, text, target);
    return JSON.parse(text) as unknown;
  };
  const act = async (method: Method, target: string, adminToken: string, body: object) => {
    await answerTo(method, target, adminToken, body);
  };
  return {
    suspendsUsers: {
      suspend: (userId, isSuspended, adminToken) =>
        act("PUT", path`/_synapse/admin/v1/suspend/${userId}`, adminToken, {
          suspend: isSuspended,
        }),
    },
    locksUsers: {
      lock: (userId, isLocked, adminToken) =>
        act("PUT", path`/_synapse/admin/v2/users/${userId}`, adminToken, { locked: isLocked }),
    },
    makesRoomAdmins: {
      makeRoomAdmin: (roomId, userId, adminToken) =>
        act("POST", path`/_synapse/admin/v1/rooms/${roomId}/make_room_admin`, adminToken, {
          user_id: userId,
        }),
    },
    purgesHistory: {
      purge: async (roomId, eventId, adminToken) => {
        const target = path`/_synapse/admin/v1/purge_history/${roomId}/${eventId}`;
        const begun = await answerTo("POST", target, adminToken, { delete_local_events: true });
        const state = path`/_synapse/admin/v1/purge_history_status/${textAt(begun, "purge_id")}`;
        for (const deadline = Date.now() + TIMEOUT_MS; ; await sleep(POLL_MS)) {
          const status = textAt(await answerTo("GET", state, adminToken), "status");
          if (status === "complete") return;
          if (status === "failed" || Date.now() > deadline)
            throw new HarnessError("HS_NO_ANSWER", {
              what: `Synapse did not purge history: ${status}`,
              facts: [target],
            });
        }
      },
    },
  };
}

export function accountsAt(address: Address, serverName: string): MakesAccounts {
  return {
    makeAccount: async (localpart, adminToken) => {
      const target = path`/_synapse/admin/v2/users/${`@${localpart}:${serverName}`}`;
      const { status, text } = await ask(address, "PUT", target, adminToken, {});
      if (status === 201) return true;
      // An administrator who is none gets another code, and then nothing has been tried.
      if ([400, 403, 404].includes(status) && !text.includes("You are not a server admin"))
        return false;
      throw refused("Synapse neither made an account nor refused to", status, text, target);
    },
  };
}

async function ask(
  { host, port }: Address,
  method: Method,
  target: string,
  adminToken: string,
  body?: object,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await request(`http://${host}:${port}${target}`, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { status: response.statusCode, text: await response.body.text() };
}

function refused(what: string, status: number, text: string, target: string): HarnessError {
  return new HarnessError("HS_NO_ANSWER", {
    what: `${what}: status ${status}`,
    facts: [target, text.slice(0, 200)],
    next: "the token has to be an administrator's",
  });
}
