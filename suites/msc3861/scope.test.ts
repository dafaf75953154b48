import { API_SCOPE, DEVICE_SCOPE, deviceScope } from "#harness/clients/oauth/scopes";
import { authorizationRequest, deviceName, exchange, signIn } from "#harness/clients/oauth/sign-in";
import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { asksFor, GRANTS_ANYTHING, grantsAndServes } from "./mutants.ts";
import { DEVICES, expectRefused, fateOf, stage, WHOAMI } from "./people.ts";
import { granted, grantsDevices } from "./scope-grants.ts";

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
  "MSC3861.scope.unknown-token",
  "the server does not grant a scope that it does not know",
  { mutant: grantsDevices("grants it", "DEVICE-first", "urn:foo") },
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

const ADMIN_SCOPES = ["urn:synapse:admin:*", "urn:mas:admin"];

check(
  "MSC3861.scope.admin-escalation",
  "an ordinary user is granted no scope of administrators",
  {
    mutant: [
      grantsDevices("grants it", "DEVICE-first", ADMIN_SCOPES[0]),
      {
        name: "leaves it out, and opens what is for administrators",
        rules: [
          ...grantsDevices("", "DEVICE-first").rules,
          ...claims("", { path: "/_matrix/client/v3/admin/whois/*" }, {}).rules,
        ],
      },
    ],
  },
  async (world) => {
    const here = await stage(world);
    const { userId } = await world.account("bob");

    for (const scope of ADMIN_SCOPES) {
      const tokens = await granted(world, here, `${deviceScope(deviceName(world))} ${scope}`);

      if (tokens === undefined) {
        world.note(`${scope}: refused`);
        continue;
      }
      const given = tokens.scope.split(" ");
      expectThat(!given.includes(scope), `no ${scope}`, given);
      const whois = await tokens.session.get(path`/_matrix/client/v3/admin/whois/${userId}`);
      expectMatrixError(whois, 403);
    }
  },
);

const WHOIS = { method: "GET", path: "/_matrix/client/v3/admin/whois/*" };

check(
  "MSC3861.scope.admin-allowed",
  "a token administers with the scope of administrators, and only with it",
  {
    mutant: [
      altersAnswer("never lets it", { ...WHOIS, status: 200 }, { status: 403 }),
      altersAnswer("always lets it", { ...WHOIS, status: 403 }, { status: 200, body: {} }),
    ],
  },
  async (world) => {
    const { accounts } = world.auth();
    const [alice, bob] = await Promise.all([world.account("alice"), world.account("bob")]);
    const whois = async (more: string) => {
      const deviceId = deviceName(world);
      const scope = `${deviceScope(deviceId)}${more}`;
      const { accessToken } = await accounts.issueToken({ localpart: alice.localpart, scope });
      const session = world.session("hs1", alice, { accessToken, deviceId });
      return await session.get(path`/_matrix/client/v3/admin/whois/${bob.userId}`);
    };

    const without = await whois("");
    const withScope = await whois(` ${ADMIN_SCOPES[0]}`);

    expectMatrixError(without, 403);
    expectEqual(at(ok(withScope), "user_id"), bob.userId, "who was looked at", withScope);
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
