/** Signing in a device that has no browser, by one that has (RFC 8628, MSC4341). */
import type { AuthClient } from "#harness/clients/oauth/auth-client";
import type { Landing } from "#harness/clients/oauth/browser";
import {
  DEVICE_CODE_GRANT,
  NATIVE_CLIENT,
  type RegisteredClient,
  registerClient,
} from "#harness/clients/oauth/registration";
import { deviceScope } from "#harness/clients/oauth/scopes";
import { authClient, deviceName, type Person, userAgent } from "#harness/clients/oauth/sign-in";
import { type Question, summary, type UserAgent } from "#harness/clients/oauth/user-agent";
import type { HttpResponse } from "#harness/http/client";
import { at, numberAt, textAt } from "#harness/match/json";
import { fail, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";

/** Requests of the grant, as rules know them: no other form post of clients has these parameters. */
export const START = { method: "POST", contains: "&scope=urn" };
export const POLL = { method: "POST", contains: "&device_code=" };

const DEVICE_CLIENT = {
  ...NATIVE_CLIENT,
  grant_types: [...NATIVE_CLIENT.grant_types, DEVICE_CODE_GRANT],
};

/** What a user is shown by a device. */
export interface Codes {
  readonly client: RegisteredClient;
  readonly userCode: string;
  readonly verificationUri: string;
}

export interface DeviceGrant extends Codes {
  readonly deviceId: string;
  readonly scope: string;
  readonly deviceCode: string;
  /** With the code in it; undefined where the server gives none. */
  readonly completeUri: string | undefined;
  readonly expiresIn: number;
  readonly response: HttpResponse;
}

/** @param name of the client; one with the same name may be the same to the server */
export async function deviceClient(
  world: World,
  name = DEVICE_CLIENT.client_name,
): Promise<RegisteredClient> {
  return await registerClient(await authClient(world), { ...DEVICE_CLIENT, client_name: name });
}

/** RFC 8628 §3.1. */
export function askForCodes(
  auth: AuthClient,
  clientId: string,
  scope: string,
): Promise<HttpResponse> {
  return auth.startDeviceGrant({ client_id: clientId, scope });
}

/** Codes for a device of a new client. @throws CheckFailure unless the server gives them */
export async function startGrant(world: World): Promise<DeviceGrant> {
  const client = await deviceClient(world);
  const deviceId = deviceName(world);
  const scope = deviceScope(deviceId);
  const response = await askForCodes(client.auth, client.clientId, scope);
  return { ...readCodes(response), client, deviceId, scope, response };
}

/** RFC 8628 §3.2. @throws CheckFailure unless all that is required is there */
export function readCodes(response: HttpResponse) {
  const body = ok(response);
  const complete = at(body, "verification_uri_complete");
  return {
    deviceCode: textAt(body, "device_code"),
    userCode: textAt(body, "user_code"),
    verificationUri: textAt(body, "verification_uri"),
    completeUri: typeof complete === "string" ? complete : undefined,
    expiresIn: numberAt(body, "expires_in"),
  };
}

/** RFC 8628 §3.4. @param changes parameters instead of the usual ones */
export function poll(
  { client, deviceCode }: Pick<DeviceGrant, "client" | "deviceCode">,
  changes: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  return client.auth.token({
    grant_type: DEVICE_CODE_GRANT,
    device_code: deviceCode,
    client_id: client.clientId,
    ...changes,
  });
}

/** A browser that was sent where a device says, and what came of the code that was entered there. */
export interface Entered {
  readonly agent: UserAgent;
  readonly landing: Landing;
  /** What the page asks: for consent where the code is right. */
  readonly question: Question | undefined;
}

/** Somebody with a new browser enters the code of a device, and logs in where they are asked to. */
export async function enterCode(
  world: World,
  { client, verificationUri, userCode }: Codes,
  account: Person,
): Promise<Entered> {
  const agent = userAgent(world, client.auth);
  const form = await agent.visit(verificationUri, { account, until: "user-code" });
  if (form.kind !== "page" || agent.question(form) !== "user-code")
    fail("a page that asks for the code of a device", describeLanding(form), form.response);
  const after = await agent.answer(form, "user-code", { account, userCode });
  const asksForLogin = after.kind === "page" && agent.question(after) === "login";
  const landing = asksForLogin
    ? await agent.continue(after, { account, until: "device-consent" })
    : after;
  return {
    agent,
    landing,
    question: landing.kind === "page" ? agent.question(landing) : undefined,
  };
}

/** As above, and says once whether the device may sign in. */
export async function decide(
  world: World,
  codes: Codes,
  account: Person,
  consent: "give" | "reject" = "give",
): Promise<void> {
  const { agent, landing, question } = await enterCode(world, codes, account);
  if (landing.kind !== "page" || question !== "device-consent")
    fail(
      "a page that asks whether the device may sign in",
      describeLanding(landing),
      landing.response,
    );
  await agent.answer(landing, "device-consent", { account, consent });
}

function describeLanding(landing: Landing): string {
  return landing.kind === "page" ? summary(landing) : "a redirect to elsewhere";
}
