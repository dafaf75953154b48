import { parameterOf } from "#harness/clients/oauth/callback";
import { lists } from "#harness/clients/oauth/metadata";
import { NATIVE_CLIENT, WEB_CLIENT } from "#harness/clients/oauth/registration";
import {
  type AuthorizationRequest,
  authorizationRequest,
  exchange,
  obtainCode,
  userAgent,
} from "#harness/clients/oauth/sign-in";
import { callbackOf } from "#harness/clients/oauth/user-agent";
import { Unsupported } from "#harness/errors";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail, ok } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { asksFor, callsBack } from "./mutants.ts";
import { expectErrorCallback, fateOf, type Stage, stage } from "./people.ts";

const PRIVATE = "example.crucible.app:/callback";

function codeFrom({ alice, agent }: Stage, request: AuthorizationRequest) {
  return obtainCode(request, agent, { account: alice });
}

check(
  "MSC3861.authz.code-fragment",
  "the server sends code and state in the fragment when asked to",
  {
    mutant: [
      callsBack("answers in the query", ["callback#", "callback?"]),
      asksFor("knows no response mode", ["response_mode=fragment", "response_mode=query"]),
      callsBack("forgets the state", ["state=", "stale="]),
    ],
  },
  async (world) => {
    const here = await stage(world);
    const request = authorizationRequest(world, here.client, { response_mode: "fragment" });

    const { callback } = await codeFrom(here, request);

    expectEqual(callback.redirectUri, here.client.redirectUri, "redirect URI");
    expectThat(callback.fragment.has("code"), "a code in the fragment", "none");
    expectEqual(callback.fragment.get("state"), request.state, "state in the fragment");
    expectEqual([...callback.query.keys()], [], "parameters of the query");
  },
);

check(
  "MSC3861.authz.code-query",
  "the server sends code and state in the query when asked to",
  {
    mutant: [
      callsBack("answers in the fragment", ["callback?", "callback#"]),
      callsBack("forgets the state", ["state=", "stale="]),
    ],
  },
  async (world) => {
    const here = await stage(world, NATIVE_CLIENT);
    const request = authorizationRequest(world, here.client, { response_mode: "query" });

    const { callback } = await codeFrom(here, request);

    expectEqual(callback.redirectUri, PRIVATE, "redirect URI");
    expectThat(callback.query.has("code"), "a code in the query", "none");
    expectEqual(callback.query.get("state"), request.state, "state in the query");
    expectEqual([...callback.fragment.keys()], [], "parameters of the fragment");
  },
);

check(
  "MSC3861.authz.default-mode",
  "the server sends the code in the query when no mode is asked for",
  { mutant: callsBack("answers in the fragment", ["callback?", "callback#"]) },
  async (world) => {
    const here = await stage(world, NATIVE_CLIENT);
    const request = authorizationRequest(world, here.client, { response_mode: undefined });

    const { callback } = await codeFrom(here, request);

    expectThat(callback.query.has("code"), "a code in the query", "none");
  },
);

check(
  "MSC3861.authz.state",
  "the server returns the state unchanged, on success and on failure",
  {
    mutant: [
      callsBack("encodes it twice", ["%26", "%2526"]),
      callsBack("adds another on errors", [
        "error=access_denied",
        "error=access_denied&state=other",
      ]),
    ],
  },
  async (world) => {
    const here = await stage(world);
    const state = `${world.name("state")} a&b+c%d=e#f/?"'<>\\`;
    const granted = authorizationRequest(world, here.client, { state });
    const denied = authorizationRequest(world, here.client, { state });

    const { callback } = await codeFrom(here, granted);
    const visit = { account: here.alice, consent: "reject" } as const;
    const refusal = await userAgent(world, here.auth).authorize(denied.url, visit);

    expectEqual(parameterOf(callback, "state"), state, "state of the code");
    expectEqual(parameterOf(refusal, "error"), "access_denied", "error");
    expectEqual(refusal.fragment.getAll("state"), [state], "state of the error");
  },
);

check(
  "MSC3861.authz.denied",
  "the server tells the client that the user has refused",
  {
    mutant: [
      callsBack("calls it something else", ["error=access_denied", "error=server_error"]),
      callsBack("forgets the state", ["state=", "stale="]),
    ],
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const request = authorizationRequest(world, client);

    const callback = await agent.authorize(request.url, { account: alice, consent: "reject" });

    expectEqual(parameterOf(callback, "error"), "access_denied", "error");
    expectEqual(parameterOf(callback, "state"), request.state, "state");
    expectEqual(parameterOf(callback, "code"), undefined, "code");
  },
);

check(
  "MSC3861.authz.native-any-port",
  "the server sends the code to any port of a loopback address that is registered",
  { mutant: callsBack("insists on the port", [":43123/callback", "/callback"]) },
  async (world) => {
    const here = await stage(world, NATIVE_CLIENT);
    const redirect_uri = "http://localhost:43123/callback";
    const request = authorizationRequest(world, here.client, { redirect_uri });

    const grant = await codeFrom(here, { ...request, client: here.client });
    const response = await exchange(grant);

    expectEqual(grant.callback.redirectUri, redirect_uri, "redirect URI");
    ok(response);
  },
);

/** The callback keeps what the registered redirect URI has as its query. */
async function expectQueryKept(
  world: World,
  metadata: Parameters<typeof stage>[1] & object,
  mode: "query" | "fragment",
): Promise<void> {
  const here = await stage(world, metadata);
  const request = authorizationRequest(world, here.client, { response_mode: mode });
  const { callback } = await codeFrom(here, request);
  expectEqual(callback.query.get("query"), "value", `query with response mode ${mode}`);
  expectEqual(callback[mode].get("state"), request.state, `state in the ${mode}`);
}

check(
  "MSC3861.authz.redirect-query-kept",
  "the server keeps the query of a redirect URI in the callback",
  { mutant: callsBack("drops it", ["query=value", "no=value"]) },
  async (world) => {
    await expectQueryKept(
      world,
      { ...WEB_CLIENT, redirect_uris: ["https://crucible.example/cb?query=value"] },
      "fragment",
    );
    await expectQueryKept(
      world,
      { ...NATIVE_CLIENT, redirect_uris: [`${PRIVATE}?query=value`] },
      "query",
    );
  },
);

check(
  "MSC3861.authz.unknown-params-ignored",
  "the server ignores parameters of the authorization request that it does not know",
  {
    mutant: callsBack("refuses them", ["code=", "error=invalid_request&other="]),
  },
  async (world) => {
    const here = await stage(world);
    const request = authorizationRequest(world, here.client, { x_example: "1" });

    const grant = await codeFrom(here, request);
    const response = await exchange(grant);

    ok(response);
  },
);

check(
  "MSC3861.authz.iss-param",
  "a server that says so adds the issuer to each callback",
  { mutant: callsBack("names another issuer", ["iss=", "iss=https%3A%2F%2Fother.example&x="]) },
  async (world) => {
    const here = await stage(world);
    const { document, issuer } = here.auth.metadata;
    if (at(document, "authorization_response_iss_parameter_supported") !== true)
      throw new Unsupported("iss", "the server does not say that it adds the issuer");

    const granted = await codeFrom(here, authorizationRequest(world, here.client));
    const visit = { account: here.alice, consent: "reject" } as const;
    const { url } = authorizationRequest(world, here.client);
    const denied = await userAgent(world, here.auth).authorize(url, visit);

    for (const callback of [granted.callback, denied])
      expectEqual(parameterOf(callback, "iss"), issuer, "iss of the callback");
  },
);

check(
  "MSC3861.authz.prompt-create",
  "somebody who registers on the way is sent back with a code",
  {
    mutant: [
      asksFor("knows no such prompt", ["prompt=create", "prompt=other"]),
      callsBack("forgets the state", ["state=", "stale="]),
    ],
  },
  async (world) => {
    const { auth, client, agent } = await stage(world);
    if (!lists(auth.metadata, "prompt_values_supported", "create"))
      throw new Unsupported("prompt=create", "it is not listed");
    const localpart = world.name("newcomer");
    const account = { localpart, userId: "", password: world.name("password") };
    const request = authorizationRequest(world, client, { prompt: "create" });

    const landing = await agent.visit(request.url, { account, until: "register" });
    if (landing.kind !== "page") fail("a page", "a redirect to the client", landing.response);
    expectEqual(agent.question(landing), "register", "what the page asks for", landing.response);
    const callback = callbackOf(await agent.continue(landing, { account }));

    expectEqual(parameterOf(callback, "state"), request.state, "state");
    expectThat(parameterOf(callback, "code") !== undefined, "a code", "none");
  },
);

check(
  "MSC3861.authz.prompt-none",
  "a server that lists the prompt none does not ask anything by it",
  { mutant: callsBack("gives another reason", ["error=", "error=server_error&reason="]) },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    if (!lists(auth.metadata, "prompt_values_supported", "none"))
      throw new Unsupported("prompt=none", "it is not listed");
    const request = authorizationRequest(world, client, { prompt: "none" });

    const fate = await fateOf(request, agent, { account: alice, until: "login" });

    const errors = ["login_required", "interaction_required", "consent_required"];
    expectErrorCallback(fate, request.state, ...errors);
  },
);
