import { registerClient } from "#harness/clients/oauth/registration";
import {
  authClient,
  codeFor,
  exchange,
  exchangeParameters,
  refresh,
  sessionOf,
  signIn,
} from "#harness/clients/oauth/sign-in";
import type { HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { EXCHANGE, GIVES_TOKENS, REFRESHES_ANYTHING, WHOAMI_REQUEST } from "./mutants.ts";
import { expectAlive, expectOAuthError, signedIn, stage, WHOAMI } from "./people.ts";

/** Refused as OAuth has it, and without a token. */
function problemOf(response: HttpResponse): string | undefined {
  const { status, json } = response;
  if (at(json, "access_token") !== undefined) return "tokens";
  if (status < 400 || status >= 500) return `status ${status}`;
  return typeof at(json, "error") === "string" ? undefined : "no error";
}

function expectNone(problems: readonly string[], expected: string): void {
  expectThat(problems.length === 0, expected, problems.join("; "));
}

check(
  "MSC3861.adv.code-injection",
  "a stolen code is worth nothing in the sign-in that the thief has begun",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const mallory = await world.account("mallory");
    const stolen = await codeFor(world, alice, { client, agent });
    const own = await codeFor(world, mallory, { client });

    const withOwnVerifier = await exchange({ ...own, code: stolen.code });
    const withStolenVerifier = await exchange({ ...stolen, code: own.code });

    expectOAuthError(withOwnVerifier, 400, ["invalid_grant"]);
    expectOAuthError(withStolenVerifier, 400, ["invalid_grant"]);
  },
);

check(
  "MSC3861.adv.verifier-forms",
  "no other form of the verifier opens a code",
  {
    deadlineMs: 120_000,
    mutant: [
      GIVES_TOKENS,
      altersAnswer("breaks", { ...EXCHANGE, status: [400, 401] }, { status: 500 }),
    ],
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const problems: string[] = [];
    const forms: Readonly<Record<string, (verifier: string, challenge: string) => string>> = {
      "the challenge": (_, challenge) => challenge,
      nothing: () => "",
      "a space behind": (verifier) => `${verifier} `,
      "a line break behind": (verifier) => `${verifier}\n`,
      "a null byte behind": (verifier) => `${verifier}\u0000`,
      "another case": (verifier) =>
        verifier.replace(/[a-z]/i, (letter) =>
          letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
        ),
      "one letter less": (verifier) => verifier.slice(0, -1),
      "a letter more": (verifier) => `${verifier}A`,
      padding: (verifier) => `${verifier}=`,
      "very long": (verifier) => verifier.repeat(100),
    };

    for (const [name, form] of Object.entries(forms)) {
      const grant = await codeFor(world, alice, { client, agent });
      const { verifier, challenge } = grant.pkce;
      const more = name === "the challenge" ? { code_challenge_method: "plain" } : {};
      const response = await exchange(grant, { ...more, code_verifier: form(verifier, challenge) });
      const problem = problemOf(response);
      if (problem !== undefined) problems.push(`${name}: ${problem}`);
    }

    expectNone(problems, "a refusal each time");
  },
);

check(
  "MSC3861.adv.token-confusion",
  "a token or code is good for its own use only",
  {
    mutant: [
      REFRESHES_ANYTHING,
      GIVES_TOKENS,
      altersAnswer(
        "takes a refresh token for an access token",
        { ...WHOAMI_REQUEST, status: 401 },
        { status: 200, body: { user_id: "@claimed:hs1" } },
      ),
    ],
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const session = await signIn(world, alice, { client, agent });
    const code = await codeFor(world, alice, { client, agent });
    const as = (accessToken: string) =>
      world.session("hs1", alice, { accessToken, deviceId: "" }).get(WHOAMI);

    const answers = {
      "an access token as refresh token": await refresh({
        ...session,
        refreshToken: session.accessToken,
      }),
      "a code as refresh token": await refresh({ ...session, refreshToken: code.code }),
      "a refresh token as code": await exchange({ ...code, code: session.refreshToken }),
      "an access token as code": await exchange({ ...code, code: session.accessToken }),
    };
    const atHomeserver = {
      "a refresh token": await as(session.refreshToken),
      "a code": await as(code.code),
      "a client id": await as(client.clientId),
      "two tokens": await as(`${session.accessToken},${session.accessToken}`),
      "half a token": await as(session.accessToken.slice(0, -1)),
    };

    const problems = Object.entries(answers).flatMap(([name, answer]) => {
      const problem = problemOf(answer);
      return problem === undefined ? [] : [`${name}: ${problem}`];
    });
    for (const [name, { status }] of Object.entries(atHomeserver))
      if (status < 400 || status >= 500) problems.push(`${name} at the homeserver: ${status}`);
    expectNone(problems, "a refusal each time");
    await expectAlive(session.session);
  },
);

check(
  "MSC3861.adv.misuse-leaves-session",
  "what somebody without the tokens tries does not end a session",
  {
    mutant: altersAnswer(
      "ends it",
      { ...WHOAMI_REQUEST, status: 200 },
      { status: 401, body: { errcode: "M_UNKNOWN_TOKEN", error: "no" } },
    ),
  },
  async (world) => {
    const session = await signedIn(world);
    const { clientId } = session.client;
    const guessed = world.name("guessed-refresh-token");

    await refresh({ client: session.client, refreshToken: guessed });
    await session.client.auth.revoke({ client_id: clientId, token: guessed });
    await session.client.auth.revoke({ client_id: clientId, token: session.session.deviceId });
    await session.client.auth.revoke({ client_id: clientId, token: session.person.userId });

    await expectAlive(session.session);
    const grant = { client: session.client, scope: session.scope };
    await expectAlive(sessionOf(world, session.person, grant, await refresh(session)).session);
  },
);

/** Registered by the same name, as a client is that knows two homeservers. */
async function atBoth(world: World) {
  const [first, second] = await Promise.all([authClient(world, "hs1"), authClient(world, "hs2")]);
  const [here, there] = await Promise.all([registerClient(first), registerClient(second)]);
  return { here, there };
}

check(
  "MSC3861.adv.other-issuer",
  "what one authorization server has given is worth nothing at another",
  {
    mutant: [
      GIVES_TOKENS,
      altersAnswer(
        "takes the token",
        { ...WHOAMI_REQUEST, status: 401 },
        { status: 200, body: { user_id: "@claimed:hs2" } },
      ),
    ],
  },
  async (world) => {
    const [alice, namesake] = await Promise.all([
      world.account("alice"),
      world.account("bob", "hs2"),
    ]);
    const { here, there } = await atBoth(world);
    const grant = await codeFor(world, alice, { client: here });
    const session = await signIn(world, alice, { client: here });

    const mixedUp = await there.auth.token({
      ...exchangeParameters(grant),
      client_id: there.clientId,
    });
    const refreshed = await refresh({ client: there, refreshToken: session.refreshToken });
    const { accessToken } = session;
    const used = await world.session("hs2", namesake, { accessToken, deviceId: "" }).get(WHOAMI);

    expectOAuthError(mixedUp, [400, 401], ["invalid_grant", "invalid_client"]);
    expectOAuthError(refreshed, [400, 401], ["invalid_grant", "invalid_client"]);
    expectThat(used.status === 401, "401 of the other homeserver", used.status, used);
    await expectAlive(session.session);
  },
);
