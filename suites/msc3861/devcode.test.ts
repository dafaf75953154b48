import { WEB_CLIENT } from "#harness/clients/oauth/registration";
import { authClient, refresh, sessionOf, signIn, userAgent } from "#harness/clients/oauth/sign-in";
import { path } from "#harness/http/client";
import { at, numberAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { decide, enterCode, POLL, poll, START, startGrant } from "./device-grants.ts";
import { WHOAMI_REQUEST } from "./mutants.ts";
import { expectAlive, expectOAuthError } from "./people.ts";

const TOKENS_GIVEN = { ...POLL, status: 200 };
const REFUSED = { ...POLL, status: 400 };

function refusesWith(error: string) {
  return altersAnswer(`answers ${error}`, REFUSED, { set: { "/error": error } });
}

check(
  "MSC3861.devcode.start",
  "the server gives a device its codes, and says where they are entered",
  {
    mutant: [
      altersAnswer("gives no user code", START, { remove: ["/user_code"] }),
      altersAnswer("gives a text as time", START, { set: { "/expires_in": "600" } }),
      altersAnswer("gives a text as interval", START, { set: { "/interval": "5" } }),
      altersAnswer("names a path", START, { set: { "/verification_uri": "/device" } }),
    ],
  },
  async (world) => {
    const { response, verificationUri, expiresIn } = await startGrant(world);

    expectThat(expiresIn > 0, "a time to come as expires_in", expiresIn, response);
    expectThat(URL.canParse(verificationUri), "an absolute URL", verificationUri, response);
    if (at(response.json, "interval") !== undefined) numberAt(response.json, "interval");
    world.note(`Cache-Control: ${response.headers["cache-control"] ?? "none"}`);
  },
);

check(
  "MSC3861.devcode.complete-uri",
  "the server also gives a link that has the code in it",
  {
    mutant: altersAnswer("gives none", START, { remove: ["/verification_uri_complete"] }),
  },
  async (world) => {
    const { completeUri, userCode, client } = await startGrant(world);

    const link = textAt({ link: completeUri }, "link");
    if (link.includes(userCode)) return;
    const account = await world.account("alice");
    const agent = userAgent(world, client.auth);
    const landing = await agent.visit(link, { account, until: "device-consent" });
    const question = landing.kind === "page" ? agent.question(landing) : landing.kind;
    expectEqual(question, "device-consent", "what the link leads to", landing.response);
  },
);

check(
  "MSC3861.devcode.pending",
  "a device that asks before its user has agreed is told to go on",
  {
    mutant: [
      altersAnswer("answers 403", REFUSED, { status: 403 }),
      altersAnswer("gives tokens", REFUSED, { status: 200, body: { access_token: "claimed" } }),
      refusesWith("invalid_grant"),
    ],
  },
  async (world) => {
    const grant = await startGrant(world);

    const response = await poll(grant);

    expectOAuthError(response, 400, ["authorization_pending", "slow_down"]);
  },
);

check(
  "MSC3861.devcode.slow-down",
  "a device that asks without a pause is told to slow down, or to go on",
  { mutant: refusesWith("server_error") },
  async (world) => {
    const grant = await startGrant(world);

    const answers = [await poll(grant), await poll(grant)];

    for (const answer of answers) {
      const error = expectOAuthError(answer, 400, ["authorization_pending", "slow_down"]);
      world.note(error);
    }
  },
);

check(
  "MSC3861.devcode.approved",
  "a device has tokens once its user has agreed",
  {
    mutant: [
      altersAnswer("goes on waiting", TOKENS_GIVEN, {
        status: 400,
        body: { error: "authorization_pending" },
      }),
      altersAnswer("gives no refresh token", TOKENS_GIVEN, { remove: ["/refresh_token"] }),
      altersAnswer("gives another type", TOKENS_GIVEN, { set: { "/token_type": "mac" } }),
      altersAnswer("does not say for how long", TOKENS_GIVEN, { remove: ["/expires_in"] }),
      altersAnswer("signs in somebody else", WHOAMI_REQUEST, { set: { "/user_id": "@bob:hs1" } }),
      altersAnswer("binds no device", WHOAMI_REQUEST, { remove: ["/device_id"] }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const grant = await startGrant(world);

    await decide(world, grant, alice);
    const response = await poll(grant);

    const tokens = sessionOf(world, alice, grant, response);
    expectEqual(
      textAt(response.json, "token_type").toLowerCase(),
      "bearer",
      "token_type",
      response,
    );
    textAt(response.json, "scope");
    expectEqual(tokens.session.deviceId, grant.deviceId, "device of the scope", response);
    await expectAlive(tokens.session);
    textAt(ok(await refresh(tokens)), "access_token");
  },
);

check(
  "MSC3861.devcode.denied",
  "a device whose user has not agreed is told so",
  {
    mutant: [
      refusesWith("authorization_pending"),
      altersAnswer("answers 403", REFUSED, { status: 403 }),
      altersAnswer(
        "makes the device all the same",
        { method: "GET", path: "/_matrix/client/v3/devices/*", status: 404 },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const { session: other } = await signIn(world, alice);
    const grant = await startGrant(world);

    await decide(world, grant, alice, "reject");
    const response = await poll(grant);

    expectOAuthError(response, 400, ["access_denied"]);
    const device = await other.get(path`/_matrix/client/v3/devices/${grant.deviceId}`);
    expectMatrixError(device, 404);
  },
);

check(
  "MSC3861.devcode.consent-shows-device",
  "a user who enters a code is told who asks, and asked",
  {
    mutant: [
      altersAnswer(
        "does not name the client",
        { status: 200 },
        {
          replace: [[`<strong>${WEB_CLIENT.client_name}</strong>`, "A client"]],
        },
      ),
      altersAnswer("has agreed by the code alone", REFUSED, {
        status: 200,
        body: { access_token: "claimed" },
      }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const grant = await startGrant(world);

    const { landing, question } = await enterCode(world, grant, alice);

    if (landing.kind !== "page") fail("a page that asks for consent", "a callback");
    expectEqual(question, "device-consent", "what the page asks for", landing.response);
    const text = landing.html.querySelector("body")?.text ?? "";
    expectThat(text.includes(WEB_CLIENT.client_name), "the client's name", text, landing.response);
    expectThat(/device|session/i.test(text), "that a device is signed in", text, landing.response);
    expectOAuthError(await poll(grant), 400, ["authorization_pending", "slow_down"]);
  },
);

check(
  "MSC3861.devcode.unknown-client",
  "the server gives no codes to a client that it does not know",
  {
    mutant: [
      altersAnswer(
        "gives codes",
        { ...START, status: [400, 401] },
        {
          status: 200,
          body: { device_code: "claimed", user_code: "claimed" },
        },
      ),
      altersAnswer("breaks", { ...START, status: [400, 401] }, { status: 500 }),
    ],
  },
  async (world) => {
    const auth = await authClient(world);

    const response = await auth.startDeviceGrant({
      client_id: world.name("nobody"),
      scope: "urn:matrix:client:api:*",
    });

    const error = expectOAuthError(response, [400, 401]);
    expectEqual(at(response.json, "device_code"), undefined, "device_code", response);
    if (error !== "invalid_client") world.note(`the error is ${error}`);
  },
);
