/** The legacy login with a password, and what ends its sessions. */
import { deviceName, signIn } from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { LOGIN, LOGOUT, loggedIn, needsAwareness, needsFlow, tryLogin } from "./compat.ts";
import { WHOAMI_REQUEST } from "./mutants.ts";
import { DEVICES, expectAlive, expectEnded, signedIn, WHOAMI } from "./people.ts";

const REFRESH = "/_matrix/client/v3/refresh";
const LOGOUT_ALL = "/_matrix/client/v3/logout/all";
const POST_LOGIN = { method: "POST", path: LOGIN };
const LEAVES_TOKEN = altersAnswer(
  "leaves the token alive",
  { ...WHOAMI_REQUEST, status: 401 },
  { status: 200, body: {} },
);

check(
  "MSC3861.compat.flows",
  "the server tells clients that know both APIs which one to take, and old ones how to log in",
  {
    mutant: [
      altersAnswer(
        "does not say so",
        { method: "GET", path: LOGIN },
        { remove: ["/flows/*/oauth_aware_preferred"] },
      ),
      altersAnswer(
        "leaves passwords out",
        { method: "GET", path: LOGIN },
        { set: { "/flows": [{ type: "m.login.sso", oauth_aware_preferred: true }] } },
      ),
      altersAnswer(
        "leaves the browser out",
        { method: "GET", path: LOGIN },
        { set: { "/flows": [{ type: "m.login.password" }] } },
      ),
    ],
  },
  async (world) => {
    const flows = await needsAwareness(world);

    const types = flows.map((flow) => at(flow, "type"));
    const sso = flows.find((flow) => at(flow, "type") === "m.login.sso");
    expectThat(sso !== undefined, "a flow of m.login.sso", types);
    expectEqual(at(sso, "oauth_aware_preferred"), true, "oauth_aware_preferred of m.login.sso");
    expectThat(types.includes("m.login.password"), "a flow of m.login.password", types);
  },
);

check(
  "MSC3861.compat.password",
  "a password gives a token, on the device that the client asks for",
  {
    mutant: [
      altersRequest("ignores the device", POST_LOGIN, { remove: ["/device_id"] }),
      altersRequest("ignores its name", POST_LOGIN, { remove: ["/initial_device_display_name"] }),
      altersAnswer("names another user", POST_LOGIN, { set: { "/user_id": "@other:hs1" } }),
      altersAnswer("binds the token to another device", WHOAMI_REQUEST, {
        set: { "/device_id": "OTHER" },
      }),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");
    const device_id = deviceName(world);

    const asked = await tryLogin(world, alice, { device_id, initial_device_display_name: "Mine" });
    const unasked = await tryLogin(world, alice);

    for (const response of [asked, unasked]) {
      expectEqual(ok(response).user_id, alice.userId, "user_id", response);
      await expectAlive(loggedIn(world, alice, response));
    }
    expectEqual(ok(asked).device_id, device_id, "device_id", asked);
    const session = loggedIn(world, alice, asked);
    const shown = await session.get(path`/_matrix/client/v3/devices/${device_id}`);
    expectEqual(ok(shown).display_name, "Mine", "display_name of the device", shown);
  },
);

const REFUSED_LOGIN = { ...POST_LOGIN, status: [400, 401, 403] };
const LOGS_IN = altersAnswer("logs in all the same", REFUSED_LOGIN, {
  status: 200,
  body: { user_id: "@x:y", access_token: "claimed", device_id: "D" },
});

check(
  "MSC3861.compat.password-bad",
  "a wrong password is refused",
  {
    mutant: [
      LOGS_IN,
      altersAnswer("answers 401", REFUSED_LOGIN, { status: 401 }),
      altersAnswer("gives another reason", REFUSED_LOGIN, { set: { "/errcode": "M_UNKNOWN" } }),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");

    const response = await tryLogin(world, alice, { password: "wrong" });

    if (response.status === 429) world.note("refused with 429");
    else expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "MSC3861.compat.password-enumeration",
  "a login does not tell whether there is such a user",
  {
    mutant: [
      altersAnswer(
        "says that there is none",
        { ...REFUSED_LOGIN, contains: "nobody-" },
        { set: { "/error": "no such user" } },
      ),
      altersAnswer(
        "answers 404",
        { ...REFUSED_LOGIN, contains: "nobody-" },
        { status: 404, body: { errcode: "M_NOT_FOUND", error: "no" } },
      ),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");
    const user = `@${world.name("nobody")}:${world.server().serverName}`;

    const wrong = await tryLogin(world, alice, { password: "wrong" });
    const unknown = await tryLogin(world, alice, { identifier: { type: "m.id.user", user } });

    expectMatrixError(wrong, [401, 403]);
    expectEqual(
      { status: unknown.status, body: unknown.json },
      { status: wrong.status, body: wrong.json },
      "the answer for an unknown user",
      unknown,
    );
  },
);

check(
  "MSC3861.compat.bad-type",
  "the server refuses what is no login",
  {
    mutant: [
      LOGS_IN,
      altersAnswer("breaks", REFUSED_LOGIN, { status: 500 }),
      altersAnswer("answers 403", REFUSED_LOGIN, { status: 403 }),
      altersAnswer(
        "takes what is no JSON for something else",
        { ...REFUSED_LOGIN, contains: "no JSON" },
        { set: { "/errcode": "M_UNKNOWN" } },
      ),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const anonymous = world.anonymous();
    const headers = { "content-type": "application/json" };

    const unknown = await anonymous.post(LOGIN, { type: "com.example.unknown" });
    const wrongType = await anonymous.post(LOGIN, { type: 7 });
    const noJson = await anonymous.request("POST", LOGIN, { raw: "no JSON", headers });

    const errcode = expectMatrixError(unknown, 400);
    if (errcode !== "M_UNKNOWN") world.note(`an unknown type is refused with ${errcode}`);
    expectMatrixError(wrongType, 400);
    expectMatrixError(noJson, 400, ["M_NOT_JSON", "M_BAD_JSON"]);
  },
);

check(
  "MSC3861.compat.refresh",
  "a session of the legacy API is refreshed again and again",
  {
    mutant: [
      altersAnswer(
        "takes no token that it has just made",
        { path: REFRESH, status: 200 },
        { set: { "/refresh_token": "consumed" } },
      ),
      altersAnswer("makes a token that does not work", WHOAMI_REQUEST, {
        status: 401,
        body: { errcode: "M_UNKNOWN_TOKEN", error: "no" },
      }),
      altersAnswer(
        "takes old tokens",
        { path: REFRESH, status: 401 },
        { status: 200, body: { access_token: "claimed" } },
      ),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");
    const first = ok(await tryLogin(world, alice, { refresh_token: true }));
    if (typeof first.refresh_token !== "string")
      throw new Unsupported("refresh-tokens", "the login gives no refresh token");
    expectThat(typeof first.expires_in_ms === "number", "expires_in_ms", first.expires_in_ms);
    const refresh = (refresh_token: string) => world.anonymous().post(REFRESH, { refresh_token });
    const deviceId = textAt(first, "device_id");

    const second = ok(await refresh(first.refresh_token));
    const accessToken = textAt(second, "access_token");
    await expectAlive(world.session("hs1", alice, { accessToken, deviceId }));
    const third = ok(await refresh(textAt(second, "refresh_token")));
    const newest = textAt(third, "access_token");
    await expectAlive(world.session("hs1", alice, { accessToken: newest, deviceId }));

    expectMatrixError(await refresh(first.refresh_token), 401, "M_UNKNOWN_TOKEN");
  },
);

check(
  "MSC3861.compat.logout",
  "a logout ends the token and the device at once",
  {
    mutant: [
      claims("claims so", { path: LOGOUT }, {}),
      LEAVES_TOKEN,
      altersAnswer(
        "keeps the device",
        { path: `${DEVICES}/*`, status: 404 },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");
    const [session, other] = [await world.login(alice), await world.login(alice)];
    await expectAlive(session);

    const response = await session.post(LOGOUT);

    ok(response);
    expectMatrixError(await session.get(WHOAMI), 401, "M_UNKNOWN_TOKEN");
    const device = await other.get(path`/_matrix/client/v3/devices/${session.deviceId}`);
    expectStatus(device, 404);
    const devices = await other.get(DEVICES);
    const ids = listAt(ok(devices), "devices").map((each) => at(each, "device_id"));
    expectEqual(ids, [other.deviceId], "the devices", devices);
  },
);

check(
  "MSC3861.compat.logout-all",
  "a logout of all ends every session of the legacy API",
  { mutant: [claims("claims so", { path: LOGOUT_ALL }, {}), LEAVES_TOKEN] },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");
    const [session, other] = [await world.login(alice), await world.login(alice)];
    const oauth = await signIn(world, alice);
    for (const each of [session, other, oauth.session]) await expectAlive(each);

    const response = await session.post(LOGOUT_ALL);

    if (response.status === 404)
      throw new Unsupported("logout/all", "the server does not offer it");
    ok(response);
    for (const each of [session, other]) await expectEnded(world, each);
    const { status } = await oauth.session.get(WHOAMI);
    world.note(`the session of the OAuth API is answered with ${status} then`);
  },
);

check(
  "MSC3861.compat.device-replace",
  "a legacy login on a device ends the session of the OAuth API there",
  {
    mutant: [
      LEAVES_TOKEN,
      altersRequest("logs in on another device", POST_LOGIN, { remove: ["/device_id"] }),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const { session, person } = await signedIn(world);
    await expectAlive(session);

    const response = await tryLogin(world, person, { device_id: session.deviceId });

    const compat = loggedIn(world, person, response);
    expectEqual(compat.deviceId, session.deviceId, "device_id", response);
    await expectEnded(world, session);
    await expectAlive(compat);
  },
);

check(
  "MSC3861.compat.locked",
  "a locked user is told so, and that the session can come back",
  {
    mutant: [
      LOGS_IN,
      altersAnswer("says no more than that it is forbidden", REFUSED_LOGIN, {
        set: { "/errcode": "M_FORBIDDEN" },
      }),
      altersAnswer("answers 403", REFUSED_LOGIN, { status: 403 }),
      altersAnswer("logs the client out for good", REFUSED_LOGIN, { remove: ["/soft_logout"] }),
    ],
  },
  async (world) => {
    await needsFlow(world, "m.login.password");
    const alice = await world.account("alice");
    await world.auth().accounts.lock(alice.localpart);

    const response = await tryLogin(world, alice);

    expectMatrixError(response, 401, "M_USER_LOCKED");
    expectEqual(at(response.json, "soft_logout"), true, "soft_logout", response);
  },
);
