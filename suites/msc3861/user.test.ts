/** Accounts that are locked, deactivated or unknown to the homeserver. */

import { parameterOf, readCallback } from "#harness/clients/oauth/callback";
import { deviceScope } from "#harness/clients/oauth/scopes";
import {
  authorizationRequest,
  deviceName,
  refresh,
  signIn,
  userAgent,
} from "#harness/clients/oauth/sign-in";
import type { UserAgent } from "#harness/clients/oauth/user-agent";
import { Unsupported } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Account } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { LOGIN, tryLogin } from "./compat.ts";
import { LEAVES_ACCESS, REFRESH, REFRESHES_ANYTHING, WHOAMI_REQUEST } from "./mutants.ts";
import {
  DEVICES,
  expectAlive,
  expectEnded,
  expectOAuthError,
  PROPAGATION_MS,
  type Stage,
  signedIn,
  stage,
  visitOnce,
  WHOAMI,
} from "./people.ts";

/** Of administrators of Synapse, see scope.admin-allowed. */
const ADMIN_SCOPE = "urn:synapse:admin:*";
const UNKNOWN = { errcode: "M_UNKNOWN_TOKEN", error: "no" };

/** A browser, used or not, that brings its client no code. */
async function expectNoCode(
  world: World,
  { client }: Pick<Stage, "client">,
  agent: UserAgent,
  account: Account,
): Promise<void> {
  const request = authorizationRequest(world, client);
  const landing = await visitOnce(agent, request.url, { account });
  if (landing.kind === "page") {
    const { status } = landing.response;
    expectThat(status < 500, "no status of 500 or more", status, landing.response);
    return;
  }
  const code = parameterOf(readCallback(landing.url), "code");
  expectThat(code === undefined, "no code", "a callback with a code", landing.response);
}

check(
  "MSC3861.user.deactivated",
  "a deactivated user is logged out, and can not log in again",
  {
    mutant: [
      REFRESHES_ANYTHING,
      LEAVES_ACCESS,
      altersAnswer(
        "sends the browser back with a code",
        { to: "as1", method: "POST", contains: "password=", status: [200, 401, 403] },
        {
          status: 303,
          headers: { location: "https://app.crucible.example/callback#code=claimed" },
        },
      ),
      altersAnswer(
        "lets the legacy API log in",
        { method: "POST", path: LOGIN, status: 403 },
        { status: 200, body: { user_id: "@x:y", access_token: "claimed", device_id: "D" } },
      ),
    ],
  },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    const session = await signIn(world, alice, { client, agent });
    await expectAlive(session.session);

    await world.auth().accounts.deactivate(alice.localpart);

    await expectEnded(world, session.session);
    expectOAuthError(await refresh(session), 400, ["invalid_grant"]);
    await expectNoCode(world, { client }, agent, alice);
    await expectNoCode(world, { client }, userAgent(world, auth), alice);
    const legacy = await tryLogin(world, alice);
    if (legacy.status === 404) world.note("the server has no legacy login");
    else expectMatrixError(legacy, 403, ["M_USER_DEACTIVATED", "M_FORBIDDEN"]);
  },
);

const REFUSED = { ...WHOAMI_REQUEST, status: 401 };
const PROFILE = "/_matrix/client/v3/profile/*";
const SEND = { method: "PUT", path: "/_matrix/client/v3/rooms/*/send/m.room.message/*" };
const SYNC = { method: "GET", path: "/_matrix/client/v3/sync" };
const TELLS_OF_NO_LOCK = [
  altersAnswer("takes it all the same", REFUSED, { status: 200, body: {} }),
  altersAnswer("does not say why", REFUSED, { body: UNKNOWN }),
  altersAnswer("logs the client out for good", REFUSED, { set: { "/soft_logout": false } }),
];

/** @param isWarm whether the homeserver has seen the token before */
async function expectTold(world: World, isWarm: boolean): Promise<void> {
  const { session, person } = await signedIn(world);
  if (isWarm) await expectAlive(session);
  await world.auth().accounts.lock(person.localpart);
  const started = performance.now();

  const response = await world.eventually(
    async () => {
      const refusal = await session.get(WHOAMI);
      expectThat(refusal.status !== 200, "a refusal", refusal.status, refusal);
      return refusal;
    },
    { deadlineMs: PROPAGATION_MS },
  );

  world.note(`refused after ${Math.round(performance.now() - started)} ms`);
  expectMatrixError(response, 401, "M_USER_LOCKED");
  expectEqual(at(response.json, "soft_logout"), true, "soft_logout", response);
}

check(
  "MSC3861.user.locked",
  "a locked user is told so with a token that has not been used",
  { mutant: TELLS_OF_NO_LOCK },
  (world) => expectTold(world, false),
);

check(
  "MSC3861.user.locked",
  "a locked user is told so with a token that has been used",
  { mutant: TELLS_OF_NO_LOCK },
  (world) => expectTold(world, true),
);

check(
  "MSC3861.user.unlocked-session",
  "a session goes on once its user is unlocked",
  {
    mutant: [
      {
        name: "has ended it",
        rules: [
          {
            match: { ...WHOAMI_REQUEST, status: 200 },
            phase: "processed",
            action: { kind: "rewrite", status: 401, body: UNKNOWN },
          },
          {
            match: { ...REFRESH, status: 200 },
            phase: "processed",
            action: { kind: "rewrite", status: 400, body: { error: "invalid_grant" } },
          },
        ],
      },
      altersAnswer("has forgotten the device", { path: DEVICES }, { set: { "/devices": [] } }),
    ],
  },
  async (world) => {
    const session = await signedIn(world);
    const { accounts } = world.auth();
    const { localpart } = session.person;
    await accounts.lock(localpart);
    const locked = await session.session.get(WHOAMI);
    expectThat(locked.status !== 200, "a refusal while locked", locked.status, locked);

    await accounts.unlock(localpart);

    let live = session.session;
    if ((await live.get(WHOAMI)).status !== 200) {
      const accessToken = String(at(ok(await refresh(session)), "access_token"));
      live = world.session("hs1", session.person, { accessToken, deviceId: live.deviceId });
      world.note("the access token is dead, the refresh token gives another one");
    }
    await expectAlive(live);
    const devices = await live.get(DEVICES);
    const ids = listAt(ok(devices), "devices").map((device) => at(device, "device_id"));
    expectThat(ids.includes(live.deviceId), "the device listed", ids, devices);
  },
);

check(
  "MSC3861.user.suspended",
  "a suspended user who has signed in by OAuth reads, and sends nothing",
  {
    mutant: [
      altersAnswer("lets them send", { ...SEND, status: 403 }, { status: 200, body: {} }),
      altersAnswer(
        "does not say why",
        { ...SEND, status: 403 },
        { set: { "/errcode": "M_FORBIDDEN" } },
      ),
      altersAnswer("logs them out", { ...SYNC, status: 200 }, { status: 401, body: UNKNOWN }),
      altersAnswer(
        "never lets them send again",
        { ...SEND, status: 200 },
        { status: 403, body: { errcode: "M_USER_SUSPENDED", error: "no" } },
      ),
    ],
  },
  async (world) => {
    const { session } = await signedIn(world);
    const admin = await world.account("admin");
    const scope = `${deviceScope(deviceName(world))} ${ADMIN_SCOPE}`;
    const issued = await world.auth().accounts.issueToken({ localpart: admin.localpart, scope });
    const created = ok(await session.post("/_matrix/client/v3/createRoom", {}));
    const send = () =>
      session.put(
        path`/_matrix/client/v3/rooms/${textAt(created, "room_id")}/send/m.room.message/${world.name("txn")}`,
        { msgtype: "m.text", body: "hello" },
      );

    await world.administration(issued.accessToken).suspend(session.userId, true);
    const refused = await send();
    const synced = await session.get("/_matrix/client/v3/sync");
    await world.administration(issued.accessToken).suspend(session.userId, false);
    const sent = await send();

    expectMatrixError(refused, 403, "M_USER_SUSPENDED");
    ok(synced);
    ok(sent);
  },
);

check(
  "MSC3861.user.provision-idempotent",
  "a user whom the authorization server tells of once more keeps the profile",
  {
    mutant: [
      altersAnswer(
        "forgets the name",
        { method: "GET", path: PROFILE },
        { remove: ["/displayname"] },
      ),
      altersAnswer(
        "forgets the picture",
        { method: "GET", path: PROFILE },
        { remove: ["/avatar_url"] },
      ),
    ],
  },
  async (world) => {
    const { session, person } = await signedIn(world);
    const { accounts } = world.auth();
    const of = (name: string) => path`/_matrix/client/v3/profile/${session.userId}/${name}`;
    ok(await session.put(of("displayname"), { displayname: "Alice" }));
    ok(await session.put(of("avatar_url"), { avatar_url: "mxc://crucible.example/alice" }));
    const told = await world.rule({
      name: "counts what is taken",
      match: {
        from: "as1",
        to: "hs1",
        method: "POST",
        contains: person.localpart,
        status: [200, 201],
      },
      phase: "processed",
      action: { kind: "delay", ms: 0 },
    });

    await accounts.lock(person.localpart);
    await accounts.unlock(person.localpart);
    const again = await signIn(world, person);

    if ((await told.fired()) === 0)
      throw new Unsupported("auth:managesAccounts", "it told nothing");
    const profile = await again.session.get(path`/_matrix/client/v3/profile/${session.userId}`);
    const { displayname, avatar_url } = ok(profile);
    const kept = { displayname: "Alice", avatar_url: "mxc://crucible.example/alice" };
    expectEqual({ displayname, avatar_url }, kept, "the profile", profile);
  },
);

check(
  "MSC3861.user.unknown-localpart",
  "a token of a user whom the homeserver does not know opens nothing, and makes no such user",
  {
    mutant: [
      altersAnswer(
        "lets it in",
        { ...WHOAMI_REQUEST, status: [401, 403, 500, 503] },
        { status: 200, body: {} },
      ),
      altersAnswer(
        "makes the user",
        { method: "GET", path: PROFILE, status: [403, 404] },
        { status: 200, body: {} },
      ),
    ],
  },
  async (world) => {
    const { session, accessToken } = await signedIn(world);
    const username = world.name("stranger");
    const strange = await world.fault(
      { from: "hs1", to: "as1", method: "POST", contains: accessToken },
      "processed",
      { kind: "rewrite", set: { "/username": username } },
    );

    const response = await session.get(WHOAMI);

    await strange.end();
    expectThat(response.status >= 400, "a refusal", response.status, response);
    world.note(`refused with ${response.status}`);
    const userId = `@${username}:${world.server().serverName}`;
    const profile = await world.anonymous().get(path`/_matrix/client/v3/profile/${userId}`);
    expectMatrixError(profile, [403, 404]);
  },
);

check(
  "MSC3861.user.admin-create",
  "the server makes no account past the authorization server, not for an administrator either",
  {
    mutant: altersAnswer(
      "has made it",
      { method: "GET", path: PROFILE, status: [403, 404] },
      { status: 200, body: { displayname: "made" } },
    ),
  },
  async (world) => {
    const admin = await world.account("admin");
    const scope = `${deviceScope(deviceName(world))} ${ADMIN_SCOPE}`;
    const issued = await world.auth().accounts.issueToken({ localpart: admin.localpart, scope });
    const localpart = world.name("past");

    const isMade = await world.makeAccount(localpart, issued.accessToken);
    const userId = `@${localpart}:${world.server().serverName}`;
    const profile = await world.anonymous().get(path`/_matrix/client/v3/profile/${userId}`);

    expectEqual(isMade, false, "whether the account was made");
    expectMatrixError(profile, [403, 404]);
  },
);
