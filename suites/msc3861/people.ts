/** People who sign in with a browser, what becomes of their requests, and whether their sessions live. */
import type { AuthClient } from "#harness/clients/oauth/auth-client";
import type { Landing, Page } from "#harness/clients/oauth/browser";
import { type Callback, parameterOf, readCallback } from "#harness/clients/oauth/callback";
import { type RegisteredClient, registerClient } from "#harness/clients/oauth/registration";
import {
  type AuthorizationRequest,
  authClient,
  type CodeGrant,
  type OAuthSession,
  type Person,
  refresh,
  signIn,
  userAgent,
} from "#harness/clients/oauth/sign-in";
import {
  type Question,
  summary,
  type UserAgent,
  type Visit,
} from "#harness/clients/oauth/user-agent";
import { HarnessError } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import type { Session } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const WHOAMI = "/_matrix/client/v3/account/whoami";
export const DEVICES = "/_matrix/client/v3/devices";

/** How long the end of a session may take to reach the homeserver. */
export const PROPAGATION_MS = 10_000;

/** Somebody with a password, a registered client, and a browser that has not been used. */
export interface Stage {
  readonly alice: Person;
  readonly auth: AuthClient;
  readonly client: RegisteredClient;
  readonly agent: UserAgent;
}

export async function stage(
  world: World,
  metadata?: Parameters<typeof registerClient>[1],
): Promise<Stage> {
  const [alice, auth] = await Promise.all([world.account("alice"), authClient(world)]);
  const client = await registerClient(auth, metadata);
  return { alice, auth, client, agent: userAgent(world, auth) };
}

/** Somebody new, signed in on a device. */
export async function signedIn(
  world: World,
  prefix = "alice",
): Promise<OAuthSession & { readonly person: Person }> {
  const person = await world.account(prefix);
  return { ...(await signIn(world, person)), person };
}

/** As `UserAgent.visit`, but answers nothing twice: a page that asks the same once more has refused the answer. */
export async function visitOnce(agent: UserAgent, url: string, visit: Visit): Promise<Landing> {
  const answered = new Set<Question>();
  let here = await agent.browser.open(url);
  while (here.kind === "page") {
    const question = agent.question(here);
    if (question === undefined || question === visit.until || answered.has(question)) break;
    answered.add(question);
    here = await agent.answer(here, question, visit);
  }
  return here;
}

/** What became of a request for authorization. */
export type Fate =
  | { readonly kind: "code"; readonly grant: CodeGrant }
  | { readonly kind: "error"; readonly error: string; readonly callback: Callback }
  | { readonly kind: "page"; readonly page: Page };

/** Consents to all that is asked, and tells where that ended. */
export async function fateOf(
  request: AuthorizationRequest,
  agent: UserAgent,
  visit: Visit,
): Promise<Fate> {
  const landing = await agent.visit(request.url, visit);
  agent.expectEnd(landing);
  if (landing.kind === "page") return { kind: "page", page: landing };
  const callback = readCallback(landing.url);
  const error = parameterOf(callback, "error");
  if (error !== undefined) return { kind: "error", error, callback };
  const code = textAt({ code: parameterOf(callback, "code") }, "code");
  return { kind: "code", grant: { ...request, callback, code } };
}

/** The error that a client was sent, with the state that it had given. */
export function expectErrorCallback(
  fate: Fate,
  state: string,
  ...errors: readonly string[]
): Callback {
  if (fate.kind !== "error" || !errors.includes(fate.error))
    fail(`a callback with the error ${errors.join(" or ")}`, describeFate(fate));
  expectEqual(parameterOf(fate.callback, "state"), state, "state of the callback");
  return fate.callback;
}

/** A page with a status below 500 that tells the user, or nothing that leads anywhere. */
export function expectPage(fate: Fate): Page {
  if (fate.kind !== "page") fail("a page for the user", describeFate(fate));
  expectThat(
    fate.page.response.status < 500,
    "no status of 500 or more",
    summary(fate.page),
    fate.page.response,
  );
  return fate.page;
}

/** Refused in some way that does not break the server: an error callback or a page. */
export function expectRefused(fate: Fate, ...errors: readonly string[]): void {
  if (fate.kind === "error") {
    const isOne = errors.length === 0 || errors.includes(fate.error);
    if (!isOne) fail(`the error ${errors.join(" or ")}`, describeFate(fate));
  } else expectPage(fate);
}

export function describeFate(fate: Fate): string {
  switch (fate.kind) {
    case "code":
      return "a callback with a code";
    case "error":
      return `a callback with the error ${fate.error}`;
    case "page":
      return summary(fate.page);
  }
}

/** What is answered. Undefined: nothing was, as of a server that is away. */
export async function answerOf(asked: Promise<HttpResponse>): Promise<HttpResponse | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof HarnessError && error.code === "HS_NO_ANSWER") return undefined;
    throw error;
  }
}

/** RFC 6749 §5.2: JSON with a string `error`. Returns the code. */
export function expectOAuthError(
  response: HttpResponse,
  statuses: number | readonly number[],
  codes?: readonly string[],
): string {
  expectStatus(response, statuses);
  const error = at(response.json, "error");
  const isOne = typeof error === "string" && (codes === undefined || codes.includes(error));
  if (!isOne) fail(`the error ${codes?.join(" or ") ?? "as a string"}`, String(error), response);
  return error;
}

/** The token works, for this user and device. */
export async function expectAlive(session: Session): Promise<void> {
  const response = await session.get(WHOAMI);
  const { user_id, device_id } = ok(response);
  expectEqual(
    { user_id, device_id },
    { user_id: session.userId, device_id: session.deviceId },
    "whose the token is",
    response,
  );
}

/** The homeserver refuses the token, soon. Returns the refusal. */
export function expectEnded(
  world: World,
  session: Session,
  deadlineMs = PROPAGATION_MS,
): Promise<HttpResponse> {
  return world.eventually(
    async () => {
      const response = await session.get(WHOAMI);
      expectMatrixError(response, 401, "M_UNKNOWN_TOKEN");
      return response;
    },
    { deadlineMs },
  );
}

/** Both tokens of a session are dead. */
export async function expectSessionEnded(world: World, session: OAuthSession): Promise<void> {
  expectOAuthError(await refresh(session), 400, ["invalid_grant"]);
  await expectEnded(world, session.session);
}
