import { lists } from "#harness/clients/oauth/metadata";
import { NATIVE_CLIENT, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { deviceScope } from "#harness/clients/oauth/scopes";
import { authorizationRequest, deviceName, exchange } from "#harness/clients/oauth/sign-in";
import { summary } from "#harness/clients/oauth/user-agent";
import { Unsupported } from "#harness/errors";
import { check } from "#harness/world/check";
import { expectThat, fail } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { AUTHORIZE, callsBack, GIVES_TOKENS } from "./mutants.ts";
import {
  describeFate,
  expectErrorCallback,
  expectOAuthError,
  expectPage,
  expectRefused,
  fateOf,
  type Stage,
  stage,
} from "./people.ts";

/** An answer to the request itself that sends the browser to the client, whatever was asked. */
function sendsTo(name: string, location: string) {
  return altersAnswer(name, AUTHORIZE, { status: 303, headers: { location } });
}

const BREAKS = altersAnswer("breaks", AUTHORIZE, { status: 500, headers: { location: null } });
const SHOWS_A_PAGE = altersAnswer("shows a page instead of calling back", AUTHORIZE, {
  status: 400,
  headers: { location: null },
});

/** Asks with each redirect URI; none may be redirected to, and nobody gets a code. */
async function expectNoRedirect(
  world: World,
  { alice, client, agent }: Stage,
  uris: readonly string[],
): Promise<void> {
  for (const redirect_uri of uris) {
    const request = authorizationRequest(world, client, { redirect_uri });
    const fate = await fateOf(request, agent, { account: alice });
    if (fate.kind !== "page") fail(`no redirect to ${redirect_uri}`, describeFate(fate));
    world.note(`${redirect_uri}: ${summary(fate.page)}`);
  }
}

check(
  "MSC3861.authz.redirect-unregistered",
  "the server sends nobody to a redirect URI that is not registered",
  {
    mutant: sendsTo(
      "sends errors there",
      "https://evil.example/callback#error=invalid_request&state=s",
    ),
  },
  async (world) => {
    const here = await stage(world);

    await expectNoRedirect(world, here, [
      "https://evil.example/callback",
      "https://app.crucible.example/other",
      "https://app.crucible.example/callback/../other",
      "https://app.crucible.example/callback?extra=1",
      "https://app.crucible.example/Callback",
      "https://app.crucible.example/callback/",
      "https://app.crucible.example.evil.example/callback",
    ]);
  },
);

check(
  "MSC3861.authz.redirect-missing",
  "the server tells the user when it can not know where to send the browser",
  { mutant: sendsTo("takes the first one", `${WEB_CLIENT.redirect_uris[0]}#error=x&state=s`) },
  async (world) => {
    const uris = ["https://app.crucible.example/one", "https://app.crucible.example/two"];
    const { alice, client, agent } = await stage(world, { ...WEB_CLIENT, redirect_uris: uris });
    const request = authorizationRequest(world, client, { redirect_uri: undefined });

    const fate = await fateOf(request, agent, { account: alice });

    const { response } = expectPage(fate);
    expectThat(response.status >= 400, "a status of 400 or more", response.status, response);
  },
);

check(
  "MSC3861.authz.native-port-only-loopback",
  "the server takes other ports on loopback only, and no other path there",
  { mutant: sendsTo("takes any port", "https://app.crucible.example:8443/callback#code=c") },
  async (world) => {
    const web = await stage(world);
    const native = await stage(world, NATIVE_CLIENT);

    await expectNoRedirect(world, web, ["https://app.crucible.example:8443/callback"]);
    await expectNoRedirect(world, native, [
      "http://localhost:43123/other",
      "http://127.0.0.2:43123/callback",
    ]);
  },
);

check(
  "MSC3861.authz.unknown-client",
  "the server sends nobody anywhere for a client that it does not know",
  { mutant: sendsTo("sends an error there", "https://app.crucible.example/callback#error=x") },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const request = authorizationRequest(world, client, { client_id: world.name("nobody") });

    const fate = await fateOf(request, agent, { account: alice });

    world.note(describeFate({ kind: "page", page: expectPage(fate) }));
  },
);

check(
  "MSC3861.authz.missing-params",
  "the server tells the client that response_type is missing",
  { mutant: [SHOWS_A_PAGE, callsBack("forgets the state", ["state=", "stale="])] },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const request = authorizationRequest(world, client, { response_type: undefined });
    const unscoped = authorizationRequest(world, client, { scope: undefined });

    const fate = await fateOf(request, agent, { account: alice });
    const second = await fateOf(unscoped, agent, { account: alice });

    expectErrorCallback(fate, request.state, "invalid_request", "unsupported_response_type");
    world.note(`without scope: ${describeFate(second)}`);
    if (second.kind === "page") expectPage(second);
  },
);

check(
  "MSC3861.authz.response-type-token",
  "the server refuses a response type that it does not list",
  {
    mutant: [
      SHOWS_A_PAGE,
      callsBack("gives a token all the same", ["error=", "access_token=claimed&reason="]),
    ],
  },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    if (lists(auth.metadata, "response_types_supported", "token"))
      throw new Unsupported("no response type token", "the server lists it");
    const request = authorizationRequest(world, client, { response_type: "token" });

    const fate = await fateOf(request, agent, { account: alice });

    const errors = ["unsupported_response_type", "unauthorized_client", "invalid_request"];
    const callback = expectErrorCallback(fate, request.state, ...errors);
    expectThat(!callback.url.includes("access_token"), "no access token", "one");
  },
);

check(
  "MSC3861.authz.pkce-invalid-method",
  "the server refuses a challenge method that it does not know",
  { mutant: [BREAKS, callsBack("gives a code all the same", ["error=", "code=claimed&reason="])] },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const request = authorizationRequest(world, client, { code_challenge_method: "S512" });

    const fate = await fateOf(request, agent, { account: alice });

    expectRefused(fate, "invalid_request");
    if (fate.kind === "page") {
      const { response } = fate.page;
      expectThat(response.status >= 400, "a status of 400 or more", response.status, response);
      world.note("told on a page, not to the client");
    }
  },
);

check(
  "MSC3861.authz.pkce-malformed",
  "the server gives no tokens for a challenge that is none",
  {
    mutant: [
      BREAKS,
      {
        name: "takes them",
        rules: [...GIVES_TOKENS.rules, ...callsBack("", ["error=", "code=c&reason="]).rules],
      },
    ],
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);

    for (const code_challenge of ["tooshort10", "a".repeat(42).concat("=")]) {
      const request = authorizationRequest(world, client, { code_challenge });
      const fate = await fateOf(request, agent, { account: alice });

      if (fate.kind !== "code") expectRefused(fate);
      else expectOAuthError(await exchange(fate.grant), 400, ["invalid_grant", "invalid_request"]);
    }
  },
);

check(
  "MSC3861.authz.repeated-params",
  "the server refuses a parameter that stands twice",
  { mutant: [BREAKS, sendsTo("takes one", "https://app.crucible.example/callback#code=c")] },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const request = authorizationRequest(world, client);
    const second = encodeURIComponent(deviceScope(deviceName(world)));
    const url = `${request.url}&scope=${second}`;

    const fate = await fateOf({ ...request, url }, agent, { account: alice });

    if (fate.kind === "code") fail("a refusal of a request with two scopes", describeFate(fate));
    expectRefused(fate, "invalid_request");
  },
);
