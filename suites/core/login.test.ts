import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims, refuses } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  DEVICES,
  deviceIds,
  expectAlive,
  expectEnded,
  LOGIN,
  passwordAuth,
  sessionOf,
  tryLogin,
  WHOAMI,
} from "./accounts.ts";

const REFRESH = "/_matrix/client/v3/refresh";
const LOGOUT = "/_matrix/client/v3/logout";
const LOGOUT_ALL = "/_matrix/client/v3/logout/all";

check(
  "CS.login.password",
  "the server accepts a password by full id and by localpart",
  {
    mutant: refuses(
      "knows users by localpart only",
      { method: "POST", path: LOGIN, contains: ":hs" },
      403,
      "M_FORBIDDEN",
    ),
  },
  async (world) => {
    const alice = await world.user("alice");

    for (const user of [alice.userId, alice.localpart]) {
      const response = await world.anonymous().post(LOGIN, {
        type: "m.login.password",
        identifier: { type: "m.id.user", user },
        password: alice.password,
      });

      const body = ok(response);
      expectEqual(body.user_id, alice.userId, "user_id", response);
      const device = {
        accessToken: textAt(body, "access_token"),
        deviceId: textAt(body, "device_id"),
      };
      const whoami = await world
        .session("hs1", alice, device)
        .get("/_matrix/client/v3/account/whoami");
      expectEqual(ok(whoami).user_id, alice.userId, "user_id of the new token", whoami);
    }
  },
);

check(
  "CS.login.wrong-password",
  "the server refuses a wrong password",
  {
    mutant: altersAnswer(
      "answers 401 to a wrong password",
      { method: "POST", path: LOGIN, status: 403 },
      { status: 401 },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await world.anonymous().post(LOGIN, {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: alice.userId },
      password: "wrong",
    });

    expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "CS.login.flows",
  "the server lists login flows without a token",
  {
    mutant: refuses("demands a token", { method: "GET", path: LOGIN }, 401, "M_MISSING_TOKEN"),
  },
  async (world) => {
    const response = await world.anonymous().get(LOGIN);

    if (response.status === 404) {
      expectMatrixError(response, 404, "M_UNRECOGNIZED");
      return;
    }
    for (const flow of listAt(ok(response), "flows")) {
      expectThat(typeof at(flow, "type") === "string", "each flow to have a type", flow, response);
    }
  },
);

check(
  "CS.login.device-id",
  "the server uses the device id asked for and makes one up otherwise",
  {
    mutant: [
      altersRequest("ignores the device id", { path: LOGIN }, { remove: ["/device_id"] }),
      altersAnswer("names no device", { path: LOGIN }, { remove: ["/device_id"] }),
      altersAnswer(
        "binds the token to another device",
        { path: WHOAMI },
        {
          set: { "/device_id": "OTHER" },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const deviceId = world.name("DEVICE");

    const asked = await tryLogin(world, alice, { device_id: deviceId });
    const unasked = await tryLogin(world, alice);

    expectEqual(ok(asked).device_id, deviceId, "device_id", asked);
    const whoami = await sessionOf(world, alice, asked).get(WHOAMI);
    expectEqual(ok(whoami).device_id, deviceId, "device_id of the token", whoami);
    const generated = textAt(ok(unasked), "device_id");
    const isNew = generated !== "" && generated !== deviceId && generated !== alice.deviceId;
    expectThat(isNew, "a new device_id", generated, unasked);
  },
);

check(
  "CS.login.same-device-tokens",
  "the server logs a device in anew",
  {
    mutant: [
      altersAnswer(
        "ends the new session too",
        { path: WHOAMI },
        {
          status: 401,
          body: { errcode: "M_UNKNOWN_TOKEN", error: "no" },
        },
      ),
      altersRequest("moves to another device", { path: LOGIN }, { remove: ["/device_id"] }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const device = { device_id: world.name("DEVICE") };
    const before = await world.login(alice, device);

    const now = await world.login(alice, device);

    expectEqual(now.deviceId, before.deviceId, "the device");
    await expectAlive(now);
    const response = await before.get(WHOAMI);
    if (response.status === 200) world.note("the device's former token keeps working");
    else expectMatrixError(response, 401, "M_UNKNOWN_TOKEN");
  },
);

check(
  "CS.login.unknown-user",
  "the server refuses unknown users like wrong passwords",
  {
    mutant: [
      altersAnswer(
        "reveals that there is no account",
        { path: LOGIN, contains: "nobody" },
        {
          status: 404,
          body: { errcode: "M_NOT_FOUND", error: "no such user" },
        },
      ),
      altersAnswer(
        "reveals it by an errcode",
        { path: LOGIN, contains: "nobody" },
        {
          set: { "/errcode": "M_USER_DEACTIVATED" },
        },
      ),
      altersRequest(
        "ignores the server name",
        { path: LOGIN, contains: ":elsewhere" },
        {
          replace: [
            ["@alice", "alice"],
            [":elsewhere.example", ""],
          ],
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const nobody = `@${world.name("nobody")}:${alice.server.serverName}`;
    const elsewhere = `@${alice.localpart}:elsewhere.example`;

    const wrong = await tryLogin(world, { ...account(alice), password: "wrong" });
    const unknown = await tryLogin(world, { ...account(alice), userId: nobody });
    const foreign = await tryLogin(world, { ...account(alice), userId: elsewhere });

    const errcode = expectMatrixError(wrong, 403, "M_FORBIDDEN");
    expectMatrixError(unknown, 403, errcode);
    expectMatrixError(foreign, 403, errcode);
  },
);

check(
  "CS.login.unknown-type",
  "the server refuses unknown types of login and of identifier",
  {
    mutant: [
      altersAnswer(
        "answers 500 to an unknown type",
        { path: LOGIN, contains: '"type":"zz"' },
        {
          status: 500,
        },
      ),
      altersRequest(
        "takes any identifier",
        { path: LOGIN, contains: '"m.login.password"' },
        {
          set: { "/identifier/type": "m.id.user" },
        },
      ),
      altersRequest(
        "assumes a password",
        { path: LOGIN },
        {
          set: { "/type": "m.login.password" },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const { identifier, password } = passwordAuth(alice);
    const ofType = { type: "zz", user: alice.userId };

    const answers = [
      await tryLogin(world, alice, { type: "zz" }),
      await tryLogin(world, alice, { identifier: ofType }),
      await world.anonymous().post(LOGIN, { identifier, password }),
    ];

    for (const response of answers) {
      const errcodes = ["M_UNKNOWN", "M_INVALID_PARAM", "M_BAD_JSON", "M_MISSING_PARAM"];
      expectMatrixError(response, 400, errcodes);
    }
  },
);

check(
  "CS.login.uppercase",
  "the server finds the account when its name is written in capitals",
  {
    mutant: [
      altersAnswer("breaks on capitals", { path: LOGIN }, { status: 500 }),
      altersAnswer(
        "gives a token of an account in capitals",
        { path: WHOAMI },
        {
          set: { "/user_id": "@ALICE:hs1" },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const capitals = `@${alice.localpart.toUpperCase()}:${alice.server.serverName}`;

    const response = await tryLogin(world, { ...account(alice), userId: capitals });

    if (response.status === 403) {
      expectMatrixError(response, 403, "M_FORBIDDEN");
      world.note("an account is not found by its name in capitals");
      return;
    }
    const whoami = await sessionOf(world, alice, response).get(WHOAMI);
    expectEqual(ok(whoami).user_id, alice.userId, "user_id", whoami);
  },
);

check(
  "CS.refresh.rotate",
  "the server exchanges a refresh token once",
  {
    mutant: [
      altersAnswer(
        "lets old refresh tokens live",
        { path: REFRESH, status: [401, 403] },
        {
          status: 200,
          body: { access_token: "claimed", refresh_token: "claimed" },
        },
      ),
      altersAnswer(
        "gives a token that does not work",
        { path: REFRESH, status: 200 },
        {
          set: { "/access_token": "zz" },
        },
      ),
      altersAnswer("moves to another device", { path: WHOAMI }, { set: { "/device_id": "OTHER" } }),
    ],
  },
  async (world) => {
    const { login, refreshToken } = await refreshable(world);
    const deviceId = textAt(login.json, "device_id");

    const response = await world.anonymous().post(REFRESH, { refresh_token: refreshToken });
    const accessToken = textAt(ok(response), "access_token");
    const whoami = await world.session("hs1", NOBODY, { accessToken, deviceId }).get(WHOAMI);
    const again = await world.anonymous().post(REFRESH, { refresh_token: refreshToken });

    expectEqual(ok(whoami).device_id, deviceId, "device_id after the refresh", whoami);
    if (at(response.json, "refresh_token") === undefined) {
      world.note("no new refresh token: the old one stays");
      ok(again);
      return;
    }
    if (again.status < 400 || again.status > 499) fail("a 4xx", again.text, again);
    const errcode = expectMatrixError(again, again.status);
    if (again.status !== 401) world.note(`${again.status} ${errcode} to a used refresh token`);
  },
);

check(
  "CS.refresh.retry-before-use",
  "the server takes a refresh token again until the new one is used",
  {
    mutant: [
      altersAnswer(
        "answers a repetition with a dead token",
        { path: REFRESH },
        {
          set: { "/access_token": "zz" },
        },
      ),
      altersAnswer(
        "loses the refresh token",
        { path: REFRESH },
        {
          status: 401,
          body: { errcode: "M_UNKNOWN_TOKEN", error: "no" },
        },
      ),
    ],
  },
  async (world) => {
    const { login, refreshToken } = await refreshable(world);
    const deviceId = textAt(login.json, "device_id");

    const lost = await world.anonymous().post(REFRESH, { refresh_token: refreshToken });
    const response = await world.anonymous().post(REFRESH, { refresh_token: refreshToken });

    ok(lost);
    const accessToken = textAt(ok(response), "access_token");
    await expectAlive(world.session("hs1", NOBODY, { accessToken, deviceId }));
  },
);

check(
  "CS.refresh.bogus",
  "the server refuses a refresh token it never issued",
  {
    mutant: [
      altersAnswer("answers 400", { path: REFRESH, status: 401 }, { status: 400 }),
      altersAnswer("answers 500 to an empty body", { path: REFRESH, status: 400 }, { status: 500 }),
      claims(
        "takes any refresh token",
        { path: REFRESH, contains: '"zz"' },
        {
          access_token: "claimed",
        },
      ),
    ],
  },
  async (world) => {
    const unknown = await world.anonymous().post(REFRESH, { refresh_token: "zz" });
    const missing = await world.anonymous().post(REFRESH, {});

    expectMatrixError(unknown, 401, "M_UNKNOWN_TOKEN");
    expectMatrixError(missing, 400);
  },
);

check(
  "CS.logout.current",
  "the server ends the session that logs out, and no other",
  {
    mutant: [
      claims("ends nothing", { path: LOGOUT }, {}),
      altersRequest("ends all sessions", { path: LOGOUT }, { path: LOGOUT_ALL }),
      altersAnswer(
        "keeps the device",
        { path: DEVICES },
        {
          set: { "/devices/-": { device_id: "KEPT" } },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const other = await world.login(alice);

    const response = await alice.post(LOGOUT);

    expectStatus(response, 200);
    await expectEnded(alice);
    expectEqual(await deviceIds(other), [other.deviceId], "the devices left");
  },
);

check(
  "CS.logout.all",
  "the server ends all sessions of the user",
  {
    mutant: [
      altersRequest("ends the calling session only", { path: LOGOUT_ALL }, { path: LOGOUT }),
      claims("ends nothing", { path: LOGOUT_ALL }, {}),
      altersAnswer(
        "keeps a device",
        { path: DEVICES },
        {
          set: { "/devices/-": { device_id: "KEPT" } },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const sessions = [alice, await world.login(alice), await world.login(alice)];

    const response = await alice.post(LOGOUT_ALL);

    expectStatus(response, 200);
    await Promise.all(sessions.map(expectEnded));
    const anew = await world.login(alice);
    expectEqual(await deviceIds(anew), [anew.deviceId], "the devices after a new login");
  },
);

check(
  "CS.whoami.get",
  "the server names the user and the device of a token",
  {
    mutant: [
      altersAnswer("names another device", { path: WHOAMI }, { set: { "/device_id": "OTHER" } }),
      altersAnswer("names another user", { path: WHOAMI }, { set: { "/user_id": "@bob:hs1" } }),
      altersAnswer("names no device", { path: WHOAMI }, { remove: ["/device_id"] }),
      altersAnswer("calls a user a guest", { path: WHOAMI }, { set: { "/is_guest": true } }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const deviceId = world.name("DEVICE");
    const other = await world.login(alice, { device_id: deviceId });

    const answers = await Promise.all([alice.get(WHOAMI), other.get(WHOAMI)]);

    for (const [index, response] of answers.entries()) {
      const body = ok(response);
      expectEqual(body.user_id, alice.userId, "user_id", response);
      const expected = index === 0 ? alice.deviceId : deviceId;
      expectEqual(body.device_id, expected, "device_id", response);
      expectEqual(body.is_guest ?? false, false, "is_guest", response);
    }
  },
);

/** For tokens whose user does not matter. */
const NOBODY = { userId: "", localpart: "", password: "" };

/** The parts of a session that make an account. */
function account({ userId, localpart, password }: typeof NOBODY): typeof NOBODY {
  return { userId, localpart, password };
}

/** A login with a refresh token. @throws Unsupported when there is none. */
async function refreshable(world: World): Promise<{ login: HttpResponse; refreshToken: string }> {
  const alice = await world.user("alice");
  const login = await tryLogin(world, alice, { refresh_token: true });
  if (ok(login).refresh_token === undefined) {
    throw new Unsupported("refresh-tokens", "login gave none");
  }
  return { login, refreshToken: textAt(login.json, "refresh_token") };
}
