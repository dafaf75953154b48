import { API_SCOPE, DEVICE_SCOPE, deviceScope, devicesIn } from "#harness/clients/oauth/scopes";
import {
  authorizationRequest,
  deviceName,
  exchange,
  sessionOf,
  signIn,
} from "#harness/clients/oauth/sign-in";
import { at, listAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { asksFor, EXCHANGE, GRANTS_ANYTHING, grantsAndServes, WHOAMI_REQUEST } from "./mutants.ts";
import {
  DEVICES,
  expectOAuthError,
  expectRefused,
  fateOf,
  type Stage,
  stage,
  WHOAMI,
} from "./people.ts";

/** What somebody gets who asks for a scope: tokens with what was granted, or nothing. */
async function granted(world: World, here: Stage, scope: string) {
  const { alice, client, agent } = here;
  const request = authorizationRequest(world, client, { scope });
  const fate = await fateOf(request, agent, { account: alice });
  if (fate.kind !== "code") {
    expectRefused(fate);
    return undefined;
  }
  const response = await exchange(fate.grant);
  if (response.status !== 200) {
    expectOAuthError(response, [400, 401, 403]);
    return undefined;
  }
  return sessionOf(world, alice, { client, scope }, response);
}

check(
  "MSC3861.scope.full",
  "the API scope gives access to the client-server API",
  {
    mutant: [
      altersAnswer(
        "refuses to create rooms",
        { path: "/_matrix/client/v3/createRoom" },
        {
          status: 403,
          body: { errcode: "M_FORBIDDEN", error: "no" },
        },
      ),
      asksFor("grants less", ["urn%3Amatrix%3Aclient%3Aapi%3A*", "openid"]),
    ],
  },
  async (world) => {
    const { session } = await signIn(world, await world.account("alice"));

    const answers = [
      await session.get(WHOAMI),
      await session.syncResponse(),
      await session.post("/_matrix/client/v3/createRoom", {}),
      await session.post("/_matrix/client/v3/keys/upload", {}),
      await session.get(DEVICES),
    ];

    for (const answer of answers) ok(answer);
  },
);

check(
  "MSC3861.scope.device",
  "the device scope binds the tokens to that device",
  {
    mutant: [
      altersAnswer("has no device", WHOAMI_REQUEST, { remove: ["/device_id"] }),
      altersAnswer("does not list it", { path: DEVICES }, { set: { "/devices": [] } }),
    ],
  },
  async (world) => {
    const deviceId = deviceName(world);
    const { session } = await signIn(world, await world.account("alice"), { deviceId });

    const whoami = await session.get(WHOAMI);
    const devices = await session.get(DEVICES);

    expectEqual(ok(whoami).device_id, deviceId, "device_id", whoami);
    const ids = listAt(ok(devices), "devices").map((device) => at(device, "device_id"));
    expectThat(ids.includes(deviceId), `${deviceId} listed`, ids, devices);
  },
);

check(
  "MSC3861.scope.exactly-one-device",
  "the server makes no session without a device",
  { mutant: grantsAndServes("makes one", { user_id: "@claimed:hs1" }) },
  async (world) => {
    const here = await stage(world);

    const tokens = await granted(world, here, API_SCOPE);

    if (tokens === undefined) return world.note("the server refuses");
    const whoami = await tokens.session.get(WHOAMI);
    const deviceId = textAt(ok(whoami), "device_id");
    expectEqual(devicesIn(tokens.scope), [deviceId], "devices of the granted scope", whoami);
  },
);

check(
  "MSC3861.scope.two-devices",
  "the server binds no tokens to two devices",
  {
    mutant: altersAnswerToTokens("grants both", "DEVICE-first DEVICE-second"),
  },
  async (world) => {
    const here = await stage(world);
    const [first, second] = [deviceName(world), deviceName(world)];

    const tokens = await granted(world, here, `${deviceScope(first)} ${DEVICE_SCOPE}${second}`);

    if (tokens === undefined) return world.note("the server refuses");
    const devices = devicesIn(tokens.scope);
    expectThat(devices.length <= 1, "one device at most in the granted scope", devices);
    const whoami = await tokens.session.get(WHOAMI);
    expectEqual(ok(whoami).device_id, devices[0], "device_id", whoami);
  },
);

/** Grants whatever is asked, with these devices. */
function altersAnswerToTokens(name: string, ids: string, more = "") {
  const devices = ids.split(" ").filter((id) => id !== "");
  const scope = [API_SCOPE, ...devices.map((id) => `${DEVICE_SCOPE}${id}`), more].join(" ").trim();
  const [redirect] = GRANTS_ANYTHING.rules;
  const tokens = altersAnswer(
    name,
    { ...EXCHANGE, status: [200, 400] },
    {
      status: 200,
      body: {
        access_token: "claimed-access-token",
        token_type: "Bearer",
        expires_in: 300,
        refresh_token: "claimed-refresh-token",
        scope,
      },
    },
  );
  return { name, rules: [...(redirect === undefined ? [] : [redirect]), ...tokens.rules] };
}

check(
  "MSC3861.scope.two-devices-homeserver",
  "the homeserver refuses a token of two devices",
  {
    mutant: altersAnswer(
      "takes it",
      { ...WHOAMI_REQUEST, status: [400, 401, 403, 500] },
      { status: 200, body: { user_id: "@claimed:hs1" } },
    ),
  },
  async (world) => {
    world.needs("auth:managesAccounts");
    const tokens = await signIn(world, await world.account("alice"));
    const both = `${tokens.scope} ${DEVICE_SCOPE}${deviceName(world)}`;
    const rule = await world.fault(
      { from: "hs1", to: "as1", method: "POST", contains: tokens.accessToken },
      "processed",
      { kind: "rewrite", set: { "/scope": both } },
    );

    const response = await tokens.session.get(WHOAMI);

    await rule.end();
    expectThat(response.status >= 400, "a refusal", response.status, response);
    if (response.status >= 500) world.note(`refused with ${response.status}`);
  },
);

check(
  "MSC3861.scope.no-api",
  "a token without the API scope opens nothing",
  { mutant: grantsAndServes("takes it", { user_id: "@claimed:hs1" }) },
  async (world) => {
    const here = await stage(world);

    const tokens = await granted(world, here, "openid");

    if (tokens === undefined) return world.note("the server refuses");
    if (tokens.scope.split(" ").includes(API_SCOPE))
      return world.note("the server widens the scope and says so");
    expectMatrixError(await tokens.session.get(WHOAMI), [401, 403]);
    const room = await tokens.session.post("/_matrix/client/v3/createRoom", {});
    expectMatrixError(room, [401, 403]);
  },
);

/** Ids of the devices of the stage's person, as a session of its own lists them. */
async function deviceIds(world: World, { alice }: Stage): Promise<readonly unknown[]> {
  const { session } = await signIn(world, alice);
  const response = await session.get(DEVICES);
  return listAt(ok(response), "devices").map((device) => at(device, "device_id"));
}

function listsDevice(name: string, id: string) {
  return altersAnswer(name, { path: DEVICES }, { set: { "/devices/-": { device_id: id } } });
}

check(
  "MSC3861.scope.device-without-api",
  "a device without the API scope is not made",
  {
    mutant: altersAnswer(
      "makes it",
      { path: DEVICES },
      {
        set: { "/devices/-": { device_id: "DEVICE-claimed" } },
      },
    ),
  },
  async (world) => {
    const here = await stage(world);
    const before = await deviceIds(world, here);

    await granted(world, here, `${DEVICE_SCOPE}DEVICE-claimed`);

    const after = await deviceIds(world, here);
    const made = after.filter((id) => id === "DEVICE-claimed");
    expectEqual(made, [], `devices beyond ${before.length} and one more`);
  },
);

check(
  "MSC3861.scope.unstable",
  "the server takes the unstable scopes for the same, or refuses them",
  { mutant: grantsAndServes("makes a session without device", { user_id: "@claimed:hs1" }) },
  async (world) => {
    const here = await stage(world);
    const deviceId = deviceName(world);
    const prefix = "urn:matrix:org.matrix.msc2967.client";

    const tokens = await granted(world, here, `${prefix}:api:* ${prefix}:device:${deviceId}`);

    if (tokens === undefined) return world.note("the server refuses");
    const whoami = await tokens.session.get(WHOAMI);
    expectEqual(ok(whoami).device_id, deviceId, "device_id", whoami);
  },
);

check(
  "MSC3861.scope.mixed-prefix",
  "the server binds no tokens to two devices by names of two kinds",
  { mutant: grantsAndServes("takes the tokens for both", { user_id: "@claimed:hs1" }) },
  async (world) => {
    const here = await stage(world);
    const [first, second] = [deviceName(world), deviceName(world)];
    const unstable = `urn:matrix:org.matrix.msc2967.client:device:${second}`;

    const tokens = await granted(world, here, `${deviceScope(first)} ${unstable}`);

    if (tokens === undefined) return world.note("the server refuses");
    const isLeftOut = !tokens.scope.includes(first) || !tokens.scope.includes(second);
    expectThat(isLeftOut, "one of the devices left out", tokens.scope);
    const whoami = await tokens.session.get(WHOAMI);
    const { device_id } = ok(whoami);
    expectThat(tokens.scope.includes(String(device_id)), "the other's id", device_id, whoami);
  },
);

check(
  "MSC3861.scope.unknown-token",
  "the server does not grant a scope that it does not know",
  { mutant: altersAnswerToTokens("grants it", "DEVICE-first", "urn:foo") },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const scope = `${deviceScope(deviceName(world))} urn:foo`;
    const request = authorizationRequest(world, client, { scope });

    const fate = await fateOf(request, agent, { account: alice });

    if (fate.kind === "code") {
      const response = await exchange(fate.grant);
      const said = textAt(ok(response), "scope");
      expectThat(!said.split(" ").includes("urn:foo"), "a scope without urn:foo", said, response);
    } else {
      expectEqual(fate.kind, "error", "the end, which should be an error for the client");
      expectRefused(fate, "invalid_scope");
    }
  },
);

const ODD_IDS = ['DEVICE"quoted', "DEVICE\\slashed", "DEVICE\u0001control", "DEVICE-Ä-long"];

check(
  "MSC3861.scope.device-charset",
  "the server makes no device whose id is outside of the grammar",
  { mutant: listsDevice("makes it", ODD_IDS[0] ?? "") },
  async (world) => {
    const here = await stage(world);

    for (const id of ODD_IDS) await granted(world, here, deviceScope(id));

    const ids = await deviceIds(world, here);
    const odd = ids.filter((id) => ODD_IDS.includes(String(id)));
    expectEqual(odd, [], "devices with such ids");
  },
);

check(
  "MSC3861.scope.device-short",
  "the server does not break on a short device id, or one with other characters",
  {
    mutant: altersAnswer(
      "breaks",
      { method: "GET", contains: "response_type=" },
      { status: 500, headers: { location: null } },
    ),
  },
  async (world) => {
    const here = await stage(world);

    for (const id of ["ABC", "DEVICE!ID-12"]) {
      const tokens = await granted(world, here, deviceScope(id));

      world.note(`${id}: ${tokens === undefined ? "refused" : "granted"}`);
    }
  },
);

check(
  "MSC3861.scope.device-ten-unreserved",
  "the server takes ids of ten unreserved characters as they are",
  {
    mutant: [
      asksFor("refuses them", ["device%3A", "device%3A%22"]),
      altersAnswer("changes them", WHOAMI_REQUEST, { set: { "/device_id": "abcdefgh01" } }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");

    for (const deviceId of ["abcdefGH01", "-._~A1b2C3"]) {
      const { session } = await signIn(world, alice, { deviceId });
      const whoami = await session.get(WHOAMI);

      expectEqual(ok(whoami).device_id, deviceId, "device_id", whoami);
    }
  },
);

check(
  "MSC3861.scope.device-long",
  "the server makes no session on an overlong device id",
  { mutant: grantsAndServes("makes one", { user_id: "@claimed:hs1", device_id: "D" }) },
  async (world) => {
    const here = await stage(world);

    const tokens = await granted(world, here, deviceScope("D".repeat(512)));

    if (tokens === undefined) return world.note("the server refuses");
    const { status } = await tokens.session.get(WHOAMI);
    expectThat(status >= 400 && status < 500, "a status of 400 to 499", status);
  },
);

const ADMIN_SCOPES = ["urn:synapse:admin:*", "urn:mas:admin"];

check(
  "MSC3861.scope.admin-escalation",
  "an ordinary user is granted no scope of administrators",
  { mutant: altersAnswerToTokens("grants it", "DEVICE-first", ADMIN_SCOPES[0]) },
  async (world) => {
    const here = await stage(world);

    for (const scope of ADMIN_SCOPES) {
      const tokens = await granted(world, here, `${deviceScope(deviceName(world))} ${scope}`);

      const given = tokens?.scope.split(" ") ?? [];
      expectThat(!given.includes(scope), `no ${scope}`, given);
    }
  },
);

check(
  "MSC3861.scope.no-guest",
  "a scope of earlier drafts for guests opens nothing",
  {
    mutant: {
      name: "takes it",
      rules: [
        ...GRANTS_ANYTHING.rules,
        ...altersAnswer(
          "",
          { path: "/_matrix/client/v3/createRoom", status: 401 },
          { status: 200, body: {} },
        ).rules,
      ],
    },
  },
  async (world) => {
    const here = await stage(world);
    const scope = `urn:matrix:client:api:guest ${DEVICE_SCOPE}${deviceName(world)}`;

    const tokens = await granted(world, here, scope);

    if (tokens === undefined) return world.note("the server refuses");
    const room = await tokens.session.post("/_matrix/client/v3/createRoom", {});
    expectStatus(room, [401, 403]);
  },
);
