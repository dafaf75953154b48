import { refresh, signIn } from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { type HttpResponse, path } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { expectAlive, expectEnded, expectOAuthError, signedIn } from "./people.ts";

const UIA = { flows: [{ stages: ["m.login.dummy"] }], params: {}, session: "session" };

/** What holds only where accounts have no passwords and tokens of their own on the homeserver. */
function onlyOAuth(world: World): void {
  if (world.has("legacy-auth"))
    throw new Unsupported("no legacy-auth", "the server offers the legacy API as well");
}

/** Refused, and not by asking for an authentication that no client can do. */
function expectRefusedWithoutFlows(response: HttpResponse): void {
  const isRefused = response.status >= 400 && response.status < 500;
  expectThat(isRefused, "a status of 400 to 499", response.status, response);
  expectEqual(at(response.json, "flows"), undefined, "flows of user-interactive auth", response);
}

check(
  "MSC3861.legacy.logout-404",
  "the legacy logout does not say that it has ended a session which lives",
  {
    mutant: [
      claims("claims so", { path: "/_matrix/client/v3/logout" }, {}),
      claims("claims so of all sessions", { path: "/_matrix/client/v3/logout/all" }, {}),
    ],
  },
  async (world) => {
    for (const endpoint of ["/_matrix/client/v3/logout", "/_matrix/client/v3/logout/all"]) {
      const { session } = await signedIn(world);

      const response = await session.post(endpoint);

      world.note(`${endpoint}: ${response.status}`);
      if (response.status === 200) await expectEnded(world, session);
      else {
        expectThat(response.status >= 400, "a status of 400 or more", response.status, response);
        await expectAlive(session);
      }
    }
  },
);

const REFUSED_ENDPOINTS = [
  "/_matrix/client/v3/account/password",
  "/_matrix/client/v3/account/deactivate",
  "/_matrix/client/v3/account/3pid/add",
  "/_matrix/client/v3/account/3pid/delete",
  "/_matrix/client/v3/account/3pid",
  "/_matrix/client/v3/delete_devices",
];

check(
  "MSC3861.legacy.password-404",
  "the server refuses what the account page is for, without asking for authentication",
  {
    mutant: [
      altersAnswer(
        "asks for authentication",
        { method: "POST", path: "/_matrix/client/v3/account/deactivate" },
        { status: 401, body: UIA },
      ),
      claims("changes passwords", { path: "/_matrix/client/v3/account/password" }, {}),
    ],
  },
  async (world) => {
    onlyOAuth(world);
    const { session } = await signedIn(world);

    for (const endpoint of REFUSED_ENDPOINTS) {
      const response = await session.post(endpoint, { devices: [], new_password: "new" });

      expectRefusedWithoutFlows(response);
      if (at(response.json, "errcode") !== "M_UNRECOGNIZED")
        world.note(`${endpoint}: ${response.status} ${String(at(response.json, "errcode"))}`);
    }
    await expectAlive(session);
  },
);

check(
  "MSC3861.legacy.register",
  "the server registers nobody past its authorization server",
  {
    mutant: [
      altersAnswer(
        "asks for authentication",
        { method: "POST", path: "/_matrix/client/v3/register" },
        { status: 401, body: UIA },
      ),
      claims("registers them", { path: "/_matrix/client/v3/register" }, { user_id: "@new:hs1" }),
    ],
  },
  async (world) => {
    onlyOAuth(world);
    const username = world.name("newcomer");
    const { serverName } = world.server();

    for (const body of [
      {},
      { username, password: world.name("password"), auth: { type: "m.login.dummy" } },
    ]) {
      const response = await world.anonymous().post("/_matrix/client/v3/register", body);
      expectRefusedWithoutFlows(response);
    }

    const userId = `@${username}:${serverName}`;
    const profile = await world.anonymous().get(path`/_matrix/client/v3/profile/${userId}`);
    expectThat(profile.status !== 200, "no such user", profile.status, profile);
  },
);

check(
  "MSC3861.legacy.register-disabled",
  "the server tells clients of the older API that nobody registers there",
  {
    mutant: ["M_UNKNOWN", "M_INVALID_USERNAME"].map((errcode) =>
      altersAnswer(
        `tells them ${errcode}`,
        { method: "POST", path: "/_matrix/client/v3/register", status: [403, 404] },
        { status: 400, set: { "/errcode": errcode } },
      ),
    ),
  },
  async (world) => {
    onlyOAuth(world);
    const account = { username: world.name("newcomer"), password: world.name("password") };

    // As clients do that look for the ways to register, and as those do that take the first one.
    for (const body of [{}, account]) {
      const response = await world.anonymous().post("/_matrix/client/v3/register", body);
      expectMatrixError(response, [403, 404], ["M_FORBIDDEN", "M_UNRECOGNIZED"]);
    }
  },
);

check(
  "MSC3861.legacy.refresh-404",
  "the legacy refresh takes no refresh token of the OAuth API",
  {
    mutant: claims(
      "takes it",
      { path: "/_matrix/client/v3/refresh" },
      {
        access_token: "claimed-access-token",
      },
    ),
  },
  async (world) => {
    const session = await signedIn(world);

    const response = await world
      .anonymous()
      .post("/_matrix/client/v3/refresh", { refresh_token: session.refreshToken });

    const isRefused = response.status >= 400 && response.status < 500;
    expectThat(isRefused, "a status of 400 to 499", response.status, response);
    ok(await refresh(session));
  },
);

const CAPABILITIES = { path: "/_matrix/client/v3/capabilities" };

check(
  "MSC3861.legacy.capabilities",
  "the server tells clients that they can not change passwords and addresses",
  {
    mutant: [
      altersAnswer("leaves passwords out", CAPABILITIES, {
        remove: ["/capabilities/m.change_password"],
      }),
      altersAnswer("offers addresses", CAPABILITIES, {
        set: { "/capabilities/m.3pid_changes": { enabled: true } },
      }),
      altersAnswer("offers login tokens", CAPABILITIES, {
        set: { "/capabilities/m.get_login_token": { enabled: true } },
      }),
    ],
  },
  async (world) => {
    onlyOAuth(world);
    const { session } = await signedIn(world);

    const response = await session.get("/_matrix/client/v3/capabilities");

    const capabilities = at(ok(response), "capabilities");
    const enabled = (name: string) => at(capabilities, name, "enabled");
    for (const name of ["m.change_password", "m.3pid_changes"])
      expectEqual(enabled(name), false, `${name}.enabled`, response);
    const offered = enabled("m.get_login_token") ?? false;
    expectEqual(offered, false, "m.get_login_token.enabled", response);
  },
);

check(
  "MSC3861.legacy.uia-delete-device",
  "the server asks for no authentication that a client could not do to delete a device",
  {
    mutant: [
      altersAnswer("asks for a password", { method: "DELETE" }, { status: 401, body: UIA }),
      altersAnswer(
        "refuses, and has deleted it",
        { method: "GET", path: "/_matrix/client/v3/devices/*" },
        {
          status: 404,
          body: { errcode: "M_NOT_FOUND", error: "no" },
        },
      ),
    ],
  },
  async (world) => {
    const { session, person } = await signedIn(world);
    const other = await signIn(world, person);
    const target = path`/_matrix/client/v3/devices/${other.session.deviceId}`;

    const response = await session.delete(target);

    if (response.status === 200) world.note("the server deletes it without authentication");
    else {
      expectRefusedWithoutFlows(response);
      ok(await session.get(target));
      await expectAlive(other.session);
    }
  },
);

check(
  "MSC3861.legacy.both-apis",
  "a token of one API is not ended by the other",
  {
    mutant: altersAnswer(
      "ends it",
      { method: "GET", path: "/_matrix/client/v3/account/whoami" },
      { status: 401, body: { errcode: "M_UNKNOWN_TOKEN", error: "no" } },
    ),
  },
  async (world) => {
    const login = await world.anonymous().get("/_matrix/client/v3/login");
    if (login.status !== 200) throw new Unsupported("compat", "the server has no legacy login");
    const compat = await world.user("alice");
    const oauth = await signedIn(world, "bob");

    const { auth, clientId } = oauth.client;
    const revoked = await auth.revoke({ client_id: clientId, token: compat.accessToken });
    const loggedOut = await oauth.session.post("/_matrix/client/v3/logout");

    if (revoked.status !== 200) expectOAuthError(revoked, [400, 401]);
    await expectAlive(compat);
    await expectAlive(oauth.session);
    world.note(`revocation: ${revoked.status}, logout: ${loggedOut.status}`);
  },
);
