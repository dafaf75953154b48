/** What checks about accounts share: user-interactive authentication, registration, tokens that live or not. */
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, type JsonObject, listAt, textAt } from "#harness/match/json";
import { expectMatrixError, expectStatus, expectThat, fail, ok } from "#harness/world/expect";
import type { Account, ServerClient, Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const WHOAMI = "/_matrix/client/v3/account/whoami";
export const LOGIN = "/_matrix/client/v3/login";
export const REGISTER = "/_matrix/client/v3/register";
export const AVAILABLE = "/_matrix/client/v3/register/available";
export const DEVICES = "/_matrix/client/v3/devices";

/** The `auth` of the password stage. */
export function passwordAuth(account: Account, session?: string): JsonObject {
  return {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: account.userId },
    password: account.password,
    ...(session === undefined ? {} : { session }),
  };
}

/** A refusal that asks for user-interactive authentication: 401 with flows. Returns the session, if any. */
export function expectUia(response: HttpResponse): string | undefined {
  expectStatus(response, 401);
  const flows = listAt(response.json, "flows");
  for (const flow of flows) {
    expectThat(Array.isArray(at(flow, "stages")), "each flow to list its stages", flow, response);
  }
  const session = at(response.json, "session");
  const isLong = flows.some((flow) => listAt(flow, "stages").length > 1);
  const isFine = typeof session === "string" || (session === undefined && !isLong);
  expectThat(isFine, "a session, which is a string", session, response);
  return typeof session === "string" ? session : undefined;
}

/**
 * A request that needs the user's password: asks without, then with it in the session that came. A 404 is returned as
 * it is; anything else than a request for stages fails.
 */
export async function withPassword(
  caller: ServerClient,
  account: Account,
  method: "POST" | "DELETE",
  target: string,
  body: JsonObject = {},
): Promise<HttpResponse> {
  const first = await caller.request(method, target, { body });
  if (first.status === 404) return first;
  const session = expectUia(first);
  return caller.request(method, target, {
    body: { ...body, auth: passwordAuth(account, session) },
  });
}

/**
 * POST /register with the dummy stage; any answer other than a request for stages is returned as it is.
 *
 * @throws Unsupported when all flows want more than the dummy stage.
 */
export async function register(world: World, body: JsonObject): Promise<HttpResponse> {
  const first = await world.anonymous().post(REGISTER, body);
  if (first.status !== 401 || !isObject(first.json)) return first;
  const session = expectUia(first);
  const isOpen = listAt(first.json, "flows").some((flow) =>
    listAt(flow, "stages").every((stage) => stage === "m.login.dummy"),
  );
  if (!isOpen) throw new Unsupported("open-registration", "no flow has m.login.dummy alone");
  return world.anonymous().post(REGISTER, {
    ...body,
    auth: { type: "m.login.dummy", ...(session === undefined ? {} : { session }) },
  });
}

/** Registers, which has to succeed, and returns the session. */
export async function registered(
  world: World,
  account: { username: string; password: string },
): Promise<Session> {
  const body = ok(await register(world, account));
  const { username: localpart, password } = account;
  return world.session(
    "hs1",
    { userId: textAt(body, "user_id"), localpart, password },
    { accessToken: textAt(body, "access_token"), deviceId: textAt(body, "device_id") },
  );
}

/**
 * GET /register/available. The endpoint may be rate limited (its 429 is in the specification), by address and so for all
 * checks together: waits until it takes the question.
 */
export function availability(world: World, username: string): Promise<HttpResponse> {
  return world.eventually(
    async () => {
      const response = await world.anonymous().get(AVAILABLE, { username });
      if (response.status === 429) {
        const errcode = String(at(response.json, "errcode"));
        fail("an answer other than 429", `429 ${errcode}`, response);
      }
      return response;
    },
    { deadlineMs: 30_000 },
  );
}

/** POST /login with a password, with any answer. @param changes replaces keys of the body. */
export function tryLogin(
  world: World,
  account: Account,
  changes: JsonObject = {},
): Promise<HttpResponse> {
  return world.anonymous().post(LOGIN, { ...passwordAuth(account), ...changes });
}

/** The session of a login's answer, which has to be a success. */
export function sessionOf(world: World, account: Account, response: HttpResponse): Session {
  const body = ok(response);
  const { localpart, password } = account;
  return world.session(
    "hs1",
    { userId: textAt(body, "user_id"), localpart, password },
    { accessToken: textAt(body, "access_token"), deviceId: textAt(body, "device_id") },
  );
}

export async function expectAlive(session: Session): Promise<void> {
  ok(await session.get(WHOAMI));
}

export async function expectEnded(session: Session): Promise<void> {
  expectMatrixError(await session.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
}

/** Ids of the user's devices, sorted. */
export async function deviceIds(session: Session): Promise<readonly string[]> {
  const devices = listAt(ok(await session.get(DEVICES)), "devices");
  return devices.map((device) => textAt(device, "device_id")).sort();
}
