import { encodeForm } from "#harness/clients/oauth/form";
import { lists } from "#harness/clients/oauth/metadata";
import { DEVICE_CODE_GRANT, registerClient, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { API_SCOPE, deviceScope, devicesIn } from "#harness/clients/oauth/scopes";
import {
  authClient,
  codeFor,
  deviceName,
  exchange,
  exchangeParameters,
  sessionOf,
} from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { at, numberAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { BREAKS_ON_EXCHANGE, EXCHANGE, GIVES_TOKENS, WHOAMI_REQUEST } from "./mutants.ts";
import { expectAlive, expectOAuthError, stage } from "./people.ts";

const TOKENS = { ...EXCHANGE, status: 200 };
const DAY_S = 86_400;

/** A code that has not been redeemed. */
async function freshCode(world: World) {
  return await codeFor(world, await world.account("alice"));
}

check(
  "MSC3861.token.exchange",
  "the server gives tokens for a code",
  {
    mutant: [
      altersAnswer("gives no access token", TOKENS, { remove: ["/access_token"] }),
      altersAnswer("gives tokens of another type", TOKENS, { set: { "/token_type": "mac" } }),
      altersAnswer("tells no lifetime", TOKENS, { remove: ["/expires_in"] }),
      altersAnswer("grants another scope", TOKENS, { set: { "/scope": "openid" } }),
    ],
  },
  async (world) => {
    const deviceId = deviceName(world);
    const grant = await codeFor(world, await world.account("alice"), { deviceId });

    const response = await exchange(grant);

    const body = ok(response);
    textAt(body, "access_token");
    textAt(body, "refresh_token");
    expectEqual(textAt(body, "token_type").toLowerCase(), "bearer", "token_type", response);
    const expiresIn = numberAt(body, "expires_in");
    const isPositive = Number.isInteger(expiresIn) && expiresIn > 0;
    expectThat(isPositive, "a positive integer as expires_in", expiresIn, response);
    const scope = String(at(body, "scope") ?? grant.parameters.scope);
    expectThat(scope.split(" ").includes(API_SCOPE), `${API_SCOPE} granted`, scope, response);
    expectEqual(devicesIn(scope), [deviceId], "devices of the scope", response);
  },
);

check(
  "MSC3861.token.short-lived",
  "the server gives access tokens that end by themselves",
  {
    mutant: [
      altersAnswer("gives tokens for a year", TOKENS, { set: { "/expires_in": 31_536_000 } }),
      altersAnswer("gives tokens for ever", TOKENS, { remove: ["/expires_in"] }),
    ],
  },
  async (world) => {
    const response = await exchange(await freshCode(world));

    const expiresIn = numberAt(ok(response), "expires_in");
    world.note(`access tokens live ${expiresIn} s`);
    expectThat(expiresIn <= DAY_S, `a lifetime of at most ${DAY_S} s`, expiresIn, response);
  },
);

check(
  "MSC3861.token.refresh-issued",
  "the server gives a refresh token without being asked for offline access",
  { mutant: altersAnswer("gives none", TOKENS, { remove: ["/refresh_token"] }) },
  async (world) => {
    const response = await exchange(await freshCode(world));

    const token = textAt(ok(response), "refresh_token");
    expectThat(token !== "", "a refresh token", "an empty text", response);
  },
);

check(
  "MSC3861.token.no-store",
  "the server lets nobody store tokens",
  {
    mutant: altersAnswer("lets them be stored", TOKENS, { headers: { "cache-control": null } }),
  },
  async (world) => {
    const grant = await freshCode(world);

    const response = await exchange(grant);
    const refusal = await exchange(grant, { code: "unknown" });

    ok(response);
    const control = String(response.headers["cache-control"]);
    expectThat(control.includes("no-store"), "Cache-Control: no-store", control, response);
    const onError = String(refusal.headers["cache-control"]);
    if (!onError.includes("no-store")) world.note(`Cache-Control of an error: ${onError}`);
  },
);

const AT_ONCE = 12;

check(
  "MSC3861.token.accepted-immediately",
  "the homeserver takes each access token as soon as it is there",
  {
    mutant: altersAnswer("does not know the device yet", WHOAMI_REQUEST, {
      status: 401,
      body: { errcode: "M_UNKNOWN_TOKEN", error: "no" },
    }),
  },
  async (world) => {
    const client = await registerClient(await authClient(world));

    const logIn = async () => {
      const person = await world.account("alice");
      const grant = await codeFor(world, person, { client });
      const scope = grant.parameters.scope ?? "";
      await expectAlive(sessionOf(world, person, { client, scope }, await exchange(grant)).session);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, logIn));
  },
);

check(
  "MSC3861.token.unsupported-grant",
  "the server names a grant that it does not support",
  {
    mutant: altersAnswer(
      "calls it a wrong code",
      { method: "POST", contains: "urn%3Aexample%3Anone" },
      { status: 400, body: { error: "invalid_grant" } },
    ),
  },
  async (world) => {
    const { auth, client } = await stage(world);

    const response = await auth.token({
      grant_type: "urn:example:none",
      client_id: client.clientId,
    });

    expectOAuthError(response, 400, ["unsupported_grant_type", "unauthorized_client"]);
  },
);

check(
  "MSC3861.token.missing-grant",
  "the server refuses a token request without grant_type",
  {
    mutant: altersAnswer(
      "breaks",
      { method: "POST", contains: "client_id=", status: 400 },
      { status: 500, body: { error: "server_error" } },
    ),
  },
  async (world) => {
    const { auth, client } = await stage(world);

    const response = await auth.token({ client_id: client.clientId });

    expectOAuthError(response, 400, ["invalid_request"]);
  },
);

check(
  "MSC3861.token.unknown-client",
  "the server does not know a client that is not registered",
  { mutant: [GIVES_TOKENS, BREAKS_ON_EXCHANGE] },
  async (world) => {
    const grant = await freshCode(world);

    const response = await exchange(grant, { client_id: world.name("nobody") });

    expectOAuthError(response, [400, 401], ["invalid_client"]);
  },
);

check(
  "MSC3861.token.no-client-id",
  "the server gives a public client without its id no tokens",
  { mutant: [GIVES_TOKENS, BREAKS_ON_EXCHANGE] },
  async (world) => {
    const grant = await freshCode(world);

    const response = await exchange(grant, { client_id: undefined });

    expectOAuthError(response, [400, 401], ["invalid_request", "invalid_client"]);
  },
);

check(
  "MSC3861.token.unknown-params-ignored",
  "the server ignores parameters of a token request that it does not know",
  {
    mutant: altersAnswer(
      "refuses them",
      { ...EXCHANGE, contains: "x_example=1" },
      { status: 400, body: { error: "invalid_request" } },
    ),
  },
  async (world) => {
    const response = await exchange(await freshCode(world), { x_example: "1" });

    textAt(ok(response), "access_token");
  },
);

check(
  "MSC3861.token.json-body",
  "the server gives no tokens for JSON",
  {
    mutant: [
      altersAnswer(
        "takes JSON",
        { method: "POST", contains: '"grant_type"' },
        { status: 200, body: { access_token: "claimed-access-token" } },
      ),
      altersAnswer("breaks", { method: "POST", contains: '"grant_type"' }, { status: 500 }),
    ],
  },
  async (world) => {
    const grant = await freshCode(world);
    const { auth } = grant.client;

    const response = await auth.request("POST", auth.metadata.tokenEndpoint, {
      body: exchangeParameters(grant),
    });

    expectThat([400, 415].includes(response.status), "400 or 415", response.status, response);
  },
);

check(
  "MSC3861.token.duplicate-params",
  "the server gives no tokens for two codes at once",
  { mutant: [GIVES_TOKENS, BREAKS_ON_EXCHANGE] },
  async (world) => {
    const grant = await freshCode(world);
    const pairs = Object.entries(exchangeParameters(grant)) as [string, string][];

    const response = await grant.client.auth.token([...pairs, ["code", "other"]]);

    expectOAuthError(response, 400, ["invalid_request", "invalid_grant"]);
  },
);

check(
  "MSC3861.token.get-refused",
  "the server gives no tokens for a GET",
  {
    mutant: altersAnswer(
      "takes a GET",
      { method: "GET", contains: "grant_type=" },
      { status: 200, body: { access_token: "claimed-access-token" } },
    ),
  },
  async (world) => {
    const grant = await freshCode(world);
    const { auth } = grant.client;

    const url = `${auth.metadata.tokenEndpoint}?${encodeForm(exchangeParameters(grant))}`;
    const response = await auth.request("GET", url);

    const isRefused = [400, 404, 405].includes(response.status);
    expectThat(isRefused, "400, 404 or 405", response.status, response);
  },
);

check(
  "MSC3861.token.grant-not-registered",
  "the server lets a client use no grant that it has not registered",
  {
    mutant: altersAnswer(
      "starts the device grant",
      { method: "POST", contains: "scope=" },
      { status: 200, body: { device_code: "claimed-device-code" } },
    ),
  },
  async (world) => {
    const auth = await authClient(world);
    const registered = await auth.register(WEB_CLIENT);
    const grants = at(registered.json, "grant_types");
    const isRegistered = Array.isArray(grants) && grants.includes(DEVICE_CODE_GRANT);
    if (isRegistered || !lists(auth.metadata, "grant_types_supported", DEVICE_CODE_GRANT))
      throw new Unsupported("device-grant", "the device grant is not listed, or added to each");

    const response = await auth.startDeviceGrant({
      client_id: textAt(registered.json, "client_id"),
      scope: deviceScope(deviceName(world)),
    });

    expectOAuthError(response, [400, 401, 403], ["unauthorized_client"]);
  },
);
