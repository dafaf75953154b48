import { registerClient, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { deviceScope } from "#harness/clients/oauth/scopes";
import { type OAuthSession, refresh, sessionOf } from "#harness/clients/oauth/sign-in";
import type { HttpResponse } from "#harness/http/client";
import { at, numberAt, textAt } from "#harness/match/json";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { REFRESH, REFRESHES_ANYTHING, TOKENS, WHOAMI_REQUEST } from "./mutants.ts";
import {
  answerOf,
  expectAlive,
  expectEnded,
  expectOAuthError,
  signedIn,
  WHOAMI,
} from "./people.ts";

const REFRESHED = { ...REFRESH, status: 200 };
/** How long a server may take a replaced refresh token, and see no attack in it. */
const GRACE_MS = 60_000;
const INVALID = ["invalid_grant"];

type Signed = Awaited<ReturnType<typeof signedIn>>;

/** The session as a refresh has renewed it; a server that returns no new refresh token keeps the old one. */
function renewed(world: World, session: Signed, response: HttpResponse): OAuthSession {
  const body = ok(response);
  const refresh_token = at(body, "refresh_token") ?? session.refreshToken;
  const json = { ...body, refresh_token };
  return sessionOf(world, session.person, session, { ...response, json });
}

/** Uses both of the tokens that a refresh gave, so that the ones before have had their time. */
async function advance(world: World, session: Signed): Promise<OAuthSession> {
  const next = renewed(world, session, await refresh(session));
  await expectAlive(next.session);
  return renewed(world, { ...session, ...next }, await refresh(next));
}

check(
  "MSC3861.refresh.basic",
  "the server renews an access token for the same device",
  {
    mutant: [
      altersAnswer("gives no access token", REFRESHED, { remove: ["/access_token"] }),
      altersAnswer("tells no lifetime", REFRESHED, { remove: ["/expires_in"] }),
      altersAnswer("gives the token of another device", WHOAMI_REQUEST, {
        set: { "/device_id": "OTHER" },
      }),
    ],
  },
  async (world) => {
    const session = await signedIn(world);

    const response = await refresh(session);

    const body = ok(response);
    expectEqual(textAt(body, "token_type").toLowerCase(), "bearer", "token_type", response);
    numberAt(body, "expires_in");
    const next = renewed(world, session, response);
    const whoami = ok(await next.session.get(WHOAMI));
    const { userId: user_id, deviceId: device_id } = session.session;
    expectEqual(
      { user_id: whoami.user_id, device_id: whoami.device_id },
      { user_id, device_id },
      "whose the token is",
    );
  },
);

check(
  "MSC3861.refresh.rotate",
  "the server gives a new refresh token each time",
  { mutant: altersAnswer("gives none", REFRESHED, { remove: ["/refresh_token"] }) },
  async (world) => {
    const session = await signedIn(world);

    const response = await refresh(session);

    const token = textAt(ok(response), "refresh_token");
    expectThat(token !== session.refreshToken, "another refresh token", "the same", response);
  },
);

check(
  "MSC3861.refresh.old-invalidated",
  "the server refuses a refresh token once those after it have been used",
  { deadlineMs: 120_000, mutant: REFRESHES_ANYTHING },
  async (world) => {
    const session = await signedIn(world);
    const next = await advance(world, session);
    if (next.refreshToken === session.refreshToken)
      return world.note("the server keeps the refresh token");

    await world.eventually(
      async () => void expectOAuthError(await refresh(session), 400, INVALID),
      { deadlineMs: GRACE_MS },
    );
  },
);

check(
  "MSC3861.refresh.retry-lost-response",
  "a client whose answer got lost refreshes again",
  {
    mutant: [
      altersAnswer("takes each refresh token once", REFRESHED, {
        status: 400,
        body: { error: "invalid_grant" },
      }),
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    await loseAnswer(world, session);

    const response = await refresh(session);

    await expectAlive(renewed(world, session, response).session);
  },
);

/** A refresh that the server has done and the client hears nothing of. */
async function loseAnswer(world: World, session: Signed): Promise<void> {
  const match = { ...REFRESH, contains: session.refreshToken };
  const loss = await world.fault(match, "processed", { kind: "reset" }, 1);
  const response = await answerOf(refresh(session));
  expectThat(response === undefined, "no answer", response?.status, response);
  await loss.end();
}

check(
  "MSC3861.refresh.retry-concurrent",
  "two refreshes at once leave one session that can be refreshed",
  {
    mutant: [
      altersAnswer(
        "refuses both",
        { ...REFRESH, status: [200, 400] },
        { status: 400, body: { error: "invalid_grant" } },
      ),
      altersAnswer("breaks", { ...REFRESH, status: [200, 400] }, { status: 500 }),
      REFRESHES_ANYTHING,
    ],
  },
  async (world) => {
    const session = await signedIn(world);

    const answers = await Promise.all([refresh(session), refresh(session)]);

    for (const answer of answers)
      expectThat(answer.status < 500, "no status of 500 or more", answer.status, answer);
    const [first, second] = answers
      .filter(({ status }) => status === 200)
      .map((answer) => renewed(world, session, answer));
    if (first === undefined) {
      const statuses = answers.map(({ status }) => status);
      expectThat(false, "one success at least", statuses, answers[0]);
      return;
    }
    await expectAlive(first.session);
    ok(await refresh(first));
    if (second !== undefined && second.refreshToken !== first.refreshToken)
      expectOAuthError(await refresh(second), 400, INVALID);
  },
);

check(
  "MSC3861.refresh.reuse-revokes",
  "the server ends the session whose old refresh token comes again",
  {
    deadlineMs: 150_000,
    mutant: altersAnswer(
      "leaves the session alive",
      { ...WHOAMI_REQUEST, status: 401 },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const session = await signedIn(world);
    const current = await advance(world, session);
    await expectAlive(current.session);

    await world.eventually(
      async () => void expectOAuthError(await refresh(session), 400, INVALID),
      { deadlineMs: GRACE_MS },
    );

    await expectEnded(world, current.session);
    expectOAuthError(await refresh(current), 400, INVALID);
  },
);

check(
  "MSC3861.refresh.other-client",
  "the server refreshes nothing for a client that the token was not given to",
  { mutant: REFRESHES_ANYTHING },
  async (world) => {
    const session = await signedIn(world);
    const { auth } = session.client;
    const { clientId } = await registerClient(auth, { ...WEB_CLIENT, client_name: "Other" });

    const response = await refresh(session, { client_id: clientId });
    const rightful = await refresh(session);

    const code = expectOAuthError(response, [400, 401], [...INVALID, "unauthorized_client"]);
    world.note(`${response.status} ${code}; its own client then gets ${rightful.status}`);
  },
);

check(
  "MSC3861.refresh.unknown",
  "the server refuses refresh tokens that it has not given",
  {
    mutant: [
      REFRESHES_ANYTHING,
      altersAnswer(
        "calls it another error",
        { ...REFRESH, status: 400 },
        {
          body: { error: "invalid_client" },
        },
      ),
    ],
  },
  async (world) => {
    const session = await signedIn(world);

    const random = await refresh(session, { refresh_token: world.name("unknown-refresh-token") });
    const access = await refresh(session, { refresh_token: session.accessToken });
    const empty = await refresh(session, { refresh_token: "" });

    for (const response of [random, access]) expectOAuthError(response, 400, INVALID);
    expectOAuthError(empty, 400, [...INVALID, "invalid_request"]);
  },
);

const ADMIN_SCOPE = "urn:synapse:admin:*";

/** A refresh that asks for this is granted what it asks for. */
function widens(name: string, asked: string, scope: string): Mutant {
  const body = { ...TOKENS, scope };
  return altersAnswer(name, { method: "POST", contains: asked }, { status: 200, body });
}

check(
  "MSC3861.refresh.scope-widen",
  "a refresh gives no other device and no wider scope",
  {
    mutant: [
      widens("grants the other device", "OTHERDEVICE", deviceScope("OTHERDEVICE")),
      widens(
        "grants the powers of administrators",
        "synapse%3Aadmin",
        `${deviceScope("DEVICE")} ${ADMIN_SCOPE}`,
      ),
    ],
  },
  async (world) => {
    let session = await signedIn(world);
    const wider = [
      "urn:matrix:client:api:* urn:matrix:client:device:OTHERDEVICE",
      `${session.scope} ${ADMIN_SCOPE}`,
    ];

    for (const scope of wider) {
      const response = await refresh(session, { scope });

      if (response.status !== 200) {
        expectOAuthError(response, 400, ["invalid_scope"]);
        continue;
      }
      const granted = String(at(response.json, "scope") ?? session.scope);
      const sorted = (text: string) => text.split(" ").sort();
      expectEqual(sorted(granted), sorted(session.scope), "the granted scope", response);
      session = { ...session, ...renewed(world, session, response) };
      await expectAlive(session.session);
    }
  },
);

check(
  "MSC3861.refresh.old-access-token",
  "the server refreshes, and the access token before may end or not",
  {
    mutant: altersAnswer("does not refresh", REFRESHED, {
      status: 400,
      body: { error: "invalid_grant" },
    }),
  },
  async (world) => {
    const session = await signedIn(world);
    await expectAlive(session.session);
    const next = renewed(world, session, await refresh(session));
    await expectAlive(next.session);

    const before = await session.session.get(WHOAMI);

    world.note(`the access token before is answered with ${before.status}`);
  },
);

check(
  "MSC3861.refresh.errors-oauth-shaped",
  "the server refuses a refresh as OAuth has it",
  {
    mutant: [
      altersAnswer(
        "refuses as Matrix has it",
        { ...REFRESH, status: [400, 401] },
        {
          body: { errcode: "M_UNKNOWN_TOKEN", error: { of: "another kind" } },
        },
      ),
      altersAnswer("refuses with a page", { ...REFRESH, status: [400, 401] }, { text: "<html>" }),
    ],
  },
  async (world) => {
    const session = await signedIn(world);

    const refusals = [
      await refresh(session, { refresh_token: world.name("unknown-refresh-token") }),
      await refresh(session, { refresh_token: undefined }),
      await refresh(session, { client_id: world.name("nobody") }),
      await refresh(session, { client_id: undefined }),
    ];

    for (const refusal of refusals) expectOAuthError(refusal, [400, 401]);
  },
);

check(
  "MSC3861.refresh.locked-user",
  "a user who refreshes while locked keeps the session",
  {
    mutant: altersAnswer("ends the session of a locked user", REFRESHED, {
      status: 400,
      body: { error: "invalid_grant" },
    }),
  },
  async (world) => {
    const session = await signedIn(world);
    const { accounts } = world.auth();
    await accounts.lock(session.person.localpart);

    const during = await refresh(session);

    await accounts.unlock(session.person.localpart);
    const isKept = during.status === 200 || during.status >= 500;
    expectThat(isKept, "200, or a status of 500 or more", during.status, during);
    const latest = during.status === 200 ? renewed(world, session, during) : session;
    const after = await refresh(latest);
    const again = after.status === 200 ? after : await refresh(session);
    await expectAlive(renewed(world, session, again).session);
  },
);

check(
  "MSC3861.refresh.retry-after-as-restart",
  "a refresh that a crash of the authorization server interrupts can be repeated",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: {
      name: "has lost its sessions",
      rules: [
        {
          match: { ...REFRESH, contains: "x_again=1" },
          phase: "before",
          action: { kind: "answer", status: 400, body: { error: "invalid_grant" } },
        },
      ],
    },
  },
  async (world) => {
    const session = await signedIn(world);
    const match = { ...REFRESH, contains: session.refreshToken };
    const crash = await world.fault(match, "processed", { kind: "kill" }, 1);
    const loss = await world.fault(match, "processed", { kind: "reset" }, 1);
    const answer = await answerOf(refresh(session));
    await crash.end();
    await loss.end();
    await world.actOnServer("as1", "restart");

    const response = await refresh(session, { x_again: "1" });

    world.note(`the interrupted refresh got ${answer?.status ?? "no answer"}`);
    await expectAlive(renewed(world, session, response).session);
  },
);
