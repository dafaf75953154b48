import { lists } from "#harness/clients/oauth/metadata";
import { registerClient, WEB_CLIENT } from "#harness/clients/oauth/registration";
import {
  authorizationRequest,
  codeFor,
  exchange,
  refresh,
  sessionOf,
} from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { check } from "#harness/world/check";
import { expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  EXCHANGE,
  GIVES_TOKENS,
  GRANTS_ANYTHING,
  LEAVES_ACCESS,
  REFRESHES_ANYTHING,
} from "./mutants.ts";
import {
  expectAlive,
  expectEnded,
  expectOAuthError,
  expectRefused,
  fateOf,
  stage,
} from "./people.ts";

const GRANT_OR_REQUEST = ["invalid_grant", "invalid_request"];

check(
  "MSC3861.token.pkce-wrong",
  "the server gives no tokens for a wrong verifier",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const grant = await codeFor(world, await world.account("alice"));

    const response = await exchange(grant, { code_verifier: "w".repeat(43) });

    expectOAuthError(response, 400, ["invalid_grant"]);
  },
);

check(
  "MSC3861.token.pkce-missing-verifier",
  "the server gives no tokens without the verifier",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const grant = await codeFor(world, await world.account("alice"));

    const response = await exchange(grant, { code_verifier: undefined });

    expectOAuthError(response, 400, GRANT_OR_REQUEST);
  },
);

check(
  "MSC3861.token.pkce-downgrade",
  "the server takes no verifier for a code that was asked for without challenge",
  { mutant: GRANTS_ANYTHING },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const none = { code_challenge: undefined, code_challenge_method: undefined };
    const request = authorizationRequest(world, client, none);

    const fate = await fateOf(request, agent, { account: alice });

    if (fate.kind === "code") {
      const response = await exchange(fate.grant);
      const isRefused = response.status >= 400 && response.status < 500;
      expectThat(isRefused, "a status of 400 to 499", response.status, response);
    } else expectRefused(fate, "invalid_request");
  },
);

check(
  "MSC3861.token.pkce-required",
  "the server gives a public client no tokens without a challenge",
  { mutant: GRANTS_ANYTHING },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const none = { code_challenge: undefined, code_challenge_method: undefined };
    const request = authorizationRequest(world, client, none);

    const fate = await fateOf(request, agent, { account: alice });

    if (fate.kind === "code")
      expectOAuthError(await exchange(fate.grant, { code_verifier: undefined }), [400, 401]);
    else expectRefused(fate, "invalid_request");
  },
);

check(
  "MSC3861.token.pkce-plain",
  "the server refuses a challenge that is the verifier",
  { mutant: GRANTS_ANYTHING },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    if (lists(auth.metadata, "code_challenge_methods_supported", "plain"))
      return world.note("plain is listed");
    const base = authorizationRequest(world, client, { code_challenge_method: "plain" });
    const url = base.url.replace(base.pkce.challenge, base.pkce.verifier);

    const fate = await fateOf({ ...base, url }, agent, { account: alice });

    if (fate.kind === "code") expectOAuthError(await exchange(fate.grant), 400);
    else expectRefused(fate, "invalid_request");
  },
);

check(
  "MSC3861.token.redirect-mismatch",
  "the server gives no tokens for another redirect URI than that of the code",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const [first, other] = ["one", "two"].map((name) => `https://app.crucible.example/${name}`);
    const uris = [first, other].filter((uri) => uri !== undefined);
    const { alice, client, agent } = await stage(world, { ...WEB_CLIENT, redirect_uris: uris });

    for (const redirect_uri of [other, undefined]) {
      const grant = await codeFor(world, alice, { client, agent });

      const response = await exchange(grant, { redirect_uri });

      expectOAuthError(response, 400, GRANT_OR_REQUEST);
    }
  },
);

check(
  "MSC3861.token.other-client",
  "the server gives a client no tokens for the code of another",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    const grant = await codeFor(world, alice, { client, agent });
    const { clientId } = await registerClient(auth, { ...WEB_CLIENT, client_name: "Other" });

    const response = await exchange(grant, { client_id: clientId });
    const rightful = await exchange(grant);

    const codes = ["invalid_grant", "unauthorized_client", "invalid_client"];
    const code = expectOAuthError(response, [400, 401], codes);
    world.note(`${response.status} ${code}; the rightful client then gets ${rightful.status}`);
  },
);

check(
  "MSC3861.token.code-reuse",
  "the server takes a code once",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const grant = await codeFor(world, await world.account("alice"));

    const first = await exchange(grant);
    const second = await exchange(grant);

    ok(first);
    expectOAuthError(second, 400, ["invalid_grant"]);
  },
);

const LIFETIME = "code-lifetime";
const SHORT_S = 2;
/** The server's clock is not ours. */
const LEEWAY_MS = 2_000;

check(
  "MSC3861.token.code-expiry",
  "the server gives no tokens for a code whose time is over",
  { isolated: {}, mutant: GIVES_TOKENS },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const { faults } = world.auth();
    if (!faults.known.includes(LIFETIME))
      throw new Unsupported("short-codes", "codes can not be made to live shorter");
    const long = await codeFor(world, alice, { client, agent });
    await faults.set(LIFETIME, SHORT_S);
    const short = await codeFor(world, alice, { client, agent });

    await world.quietPeriod(SHORT_S * 1000 + LEEWAY_MS);
    const late = await exchange(short);
    const early = await exchange(long);

    expectOAuthError(late, 400, ["invalid_grant"]);
    ok(early);
  },
);

const ROUNDS = 5;

check(
  "MSC3861.token.code-reuse",
  "the server takes a code once when it comes twice at once",
  {
    mutant: altersAnswer(
      "takes it both times",
      { ...EXCHANGE, status: [200, 400] },
      { status: 200, body: { access_token: "claimed-access-token" } },
    ),
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    for (let round = 0; round < ROUNDS; round++) {
      const grant = await codeFor(world, alice, { client, agent });

      const answers = await Promise.all([exchange(grant), exchange(grant)]);

      const taken = answers.filter(({ status }) => status === 200);
      expectThat(taken.length <= 1, "tokens once at most", `${taken.length} times`, answers[1]);
      for (const answer of answers)
        expectThat(answer.status < 500, "no status of 500 or more", answer.status, answer);
    }
  },
);

check(
  "MSC3861.token.code-reuse-revokes",
  "the server ends the session whose code comes a second time",
  {
    mutant: [REFRESHES_ANYTHING, LEAVES_ACCESS],
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const grant = await codeFor(world, alice, { client, agent });
    const scope = grant.parameters.scope ?? "";
    const session = sessionOf(world, alice, { client, scope }, await exchange(grant));
    await expectAlive(session.session);

    await exchange(grant);

    await expectEnded(world, session.session, 30_000);
    expectOAuthError(await refresh(session), 400, ["invalid_grant"]);
  },
);
