/** Registration by a shared secret: Synapse's endpoint, which the Complement contract took over. */
import { createHmac } from "node:crypto";
import { type Dispatcher, request } from "undici";
import type { Registered } from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";

export interface SharedSecretRegistration {
  readonly baseUrl: string;
  readonly secret: string;
  readonly localpart: string;
  readonly password: string;
  readonly admin: boolean;
  readonly dispatcher?: Dispatcher;
}

const ENDPOINT = "/_synapse/admin/v1/register";

/** @throws HarnessError BAD_CONFIG when the server has no such endpoint or refuses. */
export async function registerBySharedSecret(
  registration: SharedSecretRegistration,
): Promise<Registered> {
  const { baseUrl, secret, localpart, password, admin, dispatcher } = registration;
  const target = `${baseUrl}${ENDPOINT}`;
  const options = dispatcher === undefined ? {} : { dispatcher };
  const first = await request(target, options);
  const { nonce } = (await first.body.json().catch(() => ({}))) as { nonce?: string };
  if (nonce === undefined) throw refused(first.statusCode);
  const mac = createHmac("sha1", secret)
    .update([nonce, localpart, password, admin ? "admin" : "notadmin"].join("\0"))
    .digest("hex");
  const { statusCode, body } = await request(target, {
    ...options,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ nonce, username: localpart, password, admin, mac }),
  });
  const answer = (await body.json().catch(() => ({}))) as Record<string, string>;
  const { user_id: userId, access_token: accessToken, device_id: deviceId } = answer;
  if (userId === undefined || accessToken === undefined || deviceId === undefined) {
    throw refused(statusCode, answer.error);
  }
  return { userId, accessToken, deviceId };
}

function refused(status: number, error = ""): HarnessError {
  return new HarnessError("BAD_CONFIG", {
    what: "the server does not register users by shared secret",
    facts: [`${ENDPOINT} answered ${status} ${error}`.trim()],
    next: "set registration_shared_secret, or name another way to make users in --hs",
  });
}
