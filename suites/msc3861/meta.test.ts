import { AuthClient } from "#harness/clients/oauth/auth-client";
import { AUTH_METADATA, discover, lists } from "#harness/clients/oauth/metadata";
import { DEVICE_CODE_GRANT } from "#harness/clients/oauth/registration";
import { authorizationRequest } from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { at, isObject, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectContains,
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { asksFor, METADATA, tells } from "./mutants.ts";
import { stage } from "./people.ts";

const ENDPOINTS = [
  "authorization_endpoint",
  "token_endpoint",
  "revocation_endpoint",
  "registration_endpoint",
];
const LISTS = [
  "response_types_supported",
  "grant_types_supported",
  "response_modes_supported",
  "code_challenge_methods_supported",
];

async function metadata(world: World) {
  return await world.anonymous().get(AUTH_METADATA);
}

async function expectListed(world: World, name: string, ...values: string[]): Promise<void> {
  const response = await metadata(world);

  const list = listAt(ok(response), name);
  for (const value of values)
    expectThat(list.includes(value), `${value} in ${name}`, list, response);
}

check(
  "MSC3861.meta.get",
  "the server tells its metadata to anybody",
  {
    mutant: altersAnswer("demands a token", METADATA, {
      status: 401,
      body: { errcode: "M_MISSING_TOKEN", error: "no" },
    }),
  },
  async (world) => {
    const response = await metadata(world);
    const bogus = await world
      .anonymous()
      .request("GET", AUTH_METADATA, { headers: { authorization: "Bearer bogus" } });

    ok(response);
    const type = String(response.headers["content-type"]);
    expectThat(type.startsWith("application/json"), "content-type application/json", type);
    if (bogus.status !== 200) world.note(`a bogus token is answered with ${bogus.status}`);
  },
);

check(
  "MSC3861.meta.required-fields",
  "the server names all that its metadata has to hold",
  {
    mutant: [
      tells("names no registration endpoint", { remove: ["/registration_endpoint"] }),
      tells("names a path instead of a URL", { set: { "/revocation_endpoint": "/revoke" } }),
      tells("lists no response modes", { remove: ["/response_modes_supported"] }),
    ],
  },
  async (world) => {
    const response = await metadata(world);

    const body = ok(response);
    for (const name of ["issuer", ...ENDPOINTS]) {
      const url = textAt(body, name);
      expectThat(URL.canParse(url), `an absolute URL as ${name}`, url, response);
    }
    for (const name of LISTS) {
      const isOfTexts = listAt(body, name).every((value) => typeof value === "string");
      expectThat(isOfTexts, `texts in ${name}`, at(body, name), response);
    }
  },
);

check(
  "MSC3861.meta.response-types",
  "the server lists the response type code",
  {
    mutant: tells("lists token only", { set: { "/response_types_supported": ["token"] } }),
  },
  (world) => expectListed(world, "response_types_supported", "code"),
);

check(
  "MSC3861.meta.grant-types",
  "the server lists the grants that clients need",
  {
    mutant: tells("does not list refresh_token", {
      set: { "/grant_types_supported": ["authorization_code"] },
    }),
  },
  (world) => expectListed(world, "grant_types_supported", "authorization_code", "refresh_token"),
);

check(
  "MSC3861.meta.response-modes",
  "the server lists both response modes",
  { mutant: tells("lists query only", { set: { "/response_modes_supported": ["query"] } }) },
  (world) => expectListed(world, "response_modes_supported", "query", "fragment"),
);

check(
  "MSC3861.meta.pkce-s256",
  "the server lists S256",
  {
    mutant: tells("lists plain only", { set: { "/code_challenge_methods_supported": ["plain"] } }),
  },
  async (world) => {
    await expectListed(world, "code_challenge_methods_supported", "S256");

    const known = await discover(world.anonymous());
    if (lists(known, "code_challenge_methods_supported", "plain"))
      world.note("plain is listed as well");
  },
);

check(
  "MSC3861.meta.issuer-https",
  "the issuer is a URL over https without query and fragment",
  {
    mutant: [
      tells("has an issuer over http", { set: { "/issuer": "http://auth.crucible.example/" } }),
      tells("has an issuer with a query", { set: { "/issuer": "https://auth.example/?a=b" } }),
    ],
  },
  async (world) => {
    const response = await metadata(world);

    const issuer = textAt(ok(response), "issuer");
    const { protocol, hostname } = new URL(issuer);
    const isTestRig =
      protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(hostname);
    if (isTestRig) world.note("the issuer is of http on loopback, as in test rigs");
    else expectEqual(protocol, "https:", "scheme of the issuer", response);
    expectThat(!/[?#]/.test(issuer), "no query and no fragment", issuer, response);
  },
);

check(
  "MSC3861.meta.issuer-matches-discovery",
  "the server's metadata are those of its authorization server",
  {
    mutant: tells("names an endpoint of another deployment", {
      set: { "/token_endpoint": "https://other.example/token" },
    }),
  },
  async (world) => {
    const auth = await AuthClient.of(world.anonymous());
    const { issuer, document } = auth.metadata;

    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const published = await auth.request("GET", url);

    if (published.status !== 200) return world.note("the authorization server publishes nothing");
    const told = Object.fromEntries(["issuer", ...ENDPOINTS].map((name) => [name, document[name]]));
    expectContains(published.json, told, "what the authorization server publishes", published);
  },
);

check(
  "MSC3861.meta.unsupported-404",
  "a server without the OAuth API does not know its metadata",
  {
    mutant: altersAnswer("fails", { ...METADATA, status: 404 }, { status: 500 }),
  },
  async (world) => {
    if (world.has("next-gen-auth"))
      throw new Unsupported("no next-gen-auth", "the server has the OAuth API");

    expectMatrixError(await metadata(world), 404, "M_UNRECOGNIZED");
  },
);

const UNSTABLE = "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata";

check(
  "MSC3861.meta.unstable-path",
  "the server tells the same under the unstable path, or does not know it",
  {
    mutant: altersAnswer(
      "tells something else there",
      { path: UNSTABLE },
      { status: 200, body: { issuer: "https://other.example/" } },
    ),
  },
  async (world) => {
    const [stable, unstable] = [await metadata(world), await world.anonymous().get(UNSTABLE)];

    if (unstable.status === 404) expectMatrixError(unstable, 404, "M_UNRECOGNIZED");
    else expectEqual(ok(unstable), ok(stable), "the document", unstable);
  },
);

check(
  "MSC3861.meta.cache-headers",
  "the server tells the same document while it may be cached",
  {
    mutant: [
      {
        name: "tells another document the first time",
        rules: [
          {
            match: METADATA,
            phase: "processed",
            action: { kind: "rewrite", set: { "/issuer": "https://other.example/" } },
            times: 1,
          },
        ],
      },
      altersAnswer("tells nothing, and nothing of caching", METADATA, {
        status: 404,
        headers: { "cache-control": null },
        body: { errcode: "M_UNRECOGNIZED", error: "no" },
      }),
    ],
  },
  async (world) => {
    const [first, second] = [await metadata(world), await metadata(world)];

    const [document, again] = [ok(first), ok(second)];
    const control = first.headers["cache-control"];
    world.note(`Cache-Control: ${control ?? "none"}`);
    if (/max-age=[1-9]/.test(String(control))) expectEqual(again, document, "the document", second);
  },
);

const ORIGIN = "https://app.crucible.example";

check(
  "MSC3861.meta.cors",
  "browsers of other origins may use metadata, registration, token and revocation",
  {
    mutant: [
      altersAnswer("allows no other origin", METADATA, {
        headers: { "access-control-allow-origin": null },
      }),
      altersAnswer(
        "allows no other origin to post",
        { method: "POST" },
        {
          headers: { "access-control-allow-origin": null },
        },
      ),
      altersAnswer(
        "allows no JSON",
        { method: "OPTIONS" },
        {
          headers: { "access-control-allow-headers": null },
        },
      ),
    ],
  },
  async (world) => {
    const auth = await AuthClient.of(world.anonymous());
    const { registrationEndpoint, tokenEndpoint, revocationEndpoint } = auth.metadata;
    const posts = [registrationEndpoint, tokenEndpoint, revocationEndpoint];

    const answers = await Promise.all([
      world.anonymous().request("GET", AUTH_METADATA, { headers: { origin: ORIGIN } }),
      ...posts.map((url) => auth.request("POST", url, { body: {}, headers: { origin: ORIGIN } })),
    ]);
    const headers = {
      origin: ORIGIN,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    const preflight = await auth.request("OPTIONS", registrationEndpoint, { headers });

    for (const answer of [...answers, preflight]) {
      const allowed = answer.headers["access-control-allow-origin"];
      expectThat(["*", ORIGIN].includes(String(allowed)), "the origin allowed", allowed, answer);
    }
    expectThat([200, 204].includes(preflight.status), "200 or 204", preflight.status, preflight);
    const allowed = String(preflight.headers["access-control-allow-headers"] ?? "").toLowerCase();
    const isAllowed = allowed === "*" || allowed.includes("content-type");
    expectThat(isAllowed, "content-type allowed", allowed, preflight);
  },
);

check(
  "MSC3861.meta.as-down",
  "the server does not deny the OAuth API while its authorization server is away",
  {
    isolated: {},
    deadlineMs: 120_000,
    mutant: [
      altersAnswer(
        "denies it",
        { ...METADATA, status: [500, 502, 503, 504] },
        { status: 404, body: { errcode: "M_UNRECOGNIZED", error: "no" } },
      ),
      altersAnswer("does not notice its end", { ...METADATA, status: 200 }, { status: 503 }),
    ],
  },
  async (world) => {
    const away = await world.fault({ from: "hs1", to: "as1" }, "before", { kind: "reset" });
    await world.killAndRestart();

    const during = await metadata(world);
    await away.end();
    const after = await metadata(world);

    const isTrouble = during.status >= 500 && during.status < 600;
    expectThat(isTrouble, "a status of 500 to 599", during.status, during);
    expectStatus(after, 200);
  },
);

check(
  "MSC3861.meta.login-discovery",
  "the server lists legacy login flows, or does not know the endpoint",
  {
    mutant: altersAnswer(
      "denies it to strangers",
      { method: "GET", path: "/_matrix/client/v3/login" },
      { status: 401, body: { errcode: "M_MISSING_TOKEN", error: "no" } },
    ),
  },
  async (world) => {
    const response = await world.anonymous().get("/_matrix/client/v3/login");

    if (response.status === 404) expectMatrixError(response, 404, "M_UNRECOGNIZED");
    else listAt(ok(response), "flows");
  },
);

check(
  "MSC3861.meta.prompt-create",
  "a server that lists the prompt create shows a registration page by it",
  { mutant: asksFor("knows no such prompt", ["prompt=create", "prompt=other"]) },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    if (!lists(auth.metadata, "prompt_values_supported", "create"))
      throw new Unsupported("prompt=create", "it is not listed");

    const { url } = authorizationRequest(world, client, { prompt: "create" });
    const landing = await agent.visit(url, { account: alice, until: "register" });

    const question = landing.kind === "page" ? agent.question(landing) : landing.kind;
    expectEqual(question, "register", "what the page asks for", landing.response);
  },
);

check(
  "MSC3861.meta.device-endpoint-coherent",
  "a server that lists the device grant names its endpoint",
  {
    mutant: tells("lists the device grant without endpoint", {
      set: { "/grant_types_supported/-": DEVICE_CODE_GRANT },
      remove: ["/device_authorization_endpoint"],
    }),
  },
  async (world) => {
    const { document, deviceAuthorizationEndpoint, ...known } = await discover(world.anonymous());

    const isListed = lists(
      { ...known, document, deviceAuthorizationEndpoint },
      "grant_types_supported",
      DEVICE_CODE_GRANT,
    );
    if (isListed) textAt(document, "device_authorization_endpoint");
    else if (deviceAuthorizationEndpoint !== undefined)
      world.note("the endpoint is named and the grant is not listed");
  },
);

check(
  "MSC3861.meta.account-fields-advertised",
  "a server for OAuth-aware clients names its account management",
  { mutant: tells("names none", { remove: ["/account_management_uri"] }) },
  async (world) => {
    const login = await world.anonymous().get("/_matrix/client/v3/login");
    const flows = at(login.json, "flows");
    const isAware = (flow: unknown) => isObject(flow) && flow.oauth_aware_preferred === true;
    if (!Array.isArray(flows) || !flows.some(isAware))
      throw new Unsupported("oauth-aware", "no login flow is oauth_aware_preferred");

    const response = await metadata(world);

    const uri = textAt(ok(response), "account_management_uri");
    expectThat(URL.canParse(uri), "an absolute URL", uri, response);
  },
);
