/** Application services register users where nobody else can log in (MSC4190). */
import { lists } from "#harness/clients/oauth/metadata";
import { authorizationRequest, userAgent } from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { path } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import { appservice, newGhost, registerGhost } from "#harness/world/appservice";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { stage, visitOnce, WHOAMI } from "./people.ts";

const REGISTER = "/_matrix/client/v3/register";
const LOGIN = "/_matrix/client/v3/login";
const TYPE = "m.login.application_service";

check(
  "MSC3861.as.register",
  "an application service registers a user without logging in",
  {
    mutant: [
      altersAnswer("logs the user in", { path: REGISTER }, { set: { "/access_token": "claimed" } }),
      altersAnswer(
        "refuses",
        { path: REGISTER },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
      altersAnswer("does not know the user then", { path: WHOAMI }, { status: 403 }),
    ],
  },
  async (world) => {
    const localpart = world.name(`${world.deployment.appservice.prefix}ghost`);
    const userId = `@${localpart}:${world.server().serverName}`;

    const response = await registerGhost(world, localpart);

    const body = ok(response);
    expectEqual(body.user_id, userId, "user_id", response);
    for (const name of ["access_token", "device_id", "refresh_token"])
      expectThat(!(name in body), `no ${name}`, `there is a ${name}`, response);
    const whoami = await appservice(world).get(WHOAMI, { user_id: userId });
    expectEqual(ok(whoami).user_id, userId, "user_id of whoami as the new user", whoami);
  },
);

/** Registers with something else than `inhibit_login: true`. */
async function registerLoggingIn(world: World, more: object, errcodes: readonly string[]) {
  if (world.has("legacy-auth"))
    throw new Unsupported("no legacy-auth", "the server offers the legacy API as well");
  const service = appservice(world);
  const username = world.name(`${world.deployment.appservice.prefix}ghost`);

  const response = await service.post(REGISTER, { type: TYPE, username, ...more });

  expectMatrixError(response, 400, errcodes);
  const userId = `@${username}:${world.server().serverName}`;
  const whoami = await service.get(WHOAMI, { user_id: userId });
  world.note(whoami.status === 200 ? "the user exists all the same" : "there is no such user");
}

const REGISTERS = altersAnswer(
  "registers the user all the same",
  { path: REGISTER, status: 400 },
  { status: 200, body: { user_id: "@ghost:hs1" } },
);
const OTHER_REASON = altersAnswer(
  "gives another reason",
  { path: REGISTER, status: 400 },
  { set: { "/errcode": "M_FORBIDDEN" } },
);
const UNSUPPORTED = "M_APPSERVICE_LOGIN_UNSUPPORTED";

check(
  "MSC3861.as.register-no-inhibit",
  "an application service that wants its user logged in is told that this is no longer done",
  { mutant: [REGISTERS, OTHER_REASON] },
  async (world) => {
    for (const more of [{}, { inhibit_login: false }])
      await registerLoggingIn(world, more, [UNSUPPORTED]);
  },
);

check(
  "MSC3861.as.register-no-inhibit",
  "the text true is not the value that keeps a user from being logged in",
  { mutant: [REGISTERS, OTHER_REASON] },
  (world) =>
    registerLoggingIn(world, { inhibit_login: "true" }, [
      UNSUPPORTED,
      "M_BAD_JSON",
      "M_INVALID_PARAM",
    ]),
);

check(
  "MSC3861.as.login",
  "an application service that logs in is told that this is no longer done",
  {
    mutant: [
      altersAnswer(
        "logs it in by a token that is none",
        { method: "POST", path: LOGIN },
        { status: 200, body: { user_id: "@x:y", access_token: "claimed", device_id: "D" } },
      ),
      altersAnswer(
        "gives another reason",
        { method: "POST", path: LOGIN },
        { set: { "/errcode": "M_UNKNOWN" } },
      ),
    ],
  },
  async (world) => {
    const ghost = await newGhost(world);
    const flows = await world.anonymous().get(LOGIN);
    const offered = flows.status === 200 ? listAt(flows.json, "flows") : [];

    const response = await appservice(world).post(LOGIN, {
      type: TYPE,
      identifier: { type: "m.id.user", user: ghost.localpart },
    });

    const isOffered = offered.some((flow) => at(flow, "type") === TYPE);
    if (!isOffered || response.status !== 200) {
      expectMatrixError(response, 400, UNSUPPORTED);
      return;
    }
    const { access_token, device_id } = ok(response);
    const device = { accessToken: String(access_token), deviceId: String(device_id) };
    const whoami = await world.session("hs1", ghost, device).get(WHOAMI);
    expectEqual(ok(whoami).user_id, ghost.userId, "user_id of the new token", whoami);
  },
);

/** Fills in the page for new users, and tells whether it has taken the name. */
async function isTaken(world: World, localpart: string): Promise<boolean> {
  const { auth, client } = await stage(world);
  if (!lists(auth.metadata, "prompt_values_supported", "create"))
    throw new Unsupported("prompt=create", "the authorization server offers no registration");
  const agent = userAgent(world, auth);
  const account = { localpart, userId: "", password: world.name("password") };
  const { url } = authorizationRequest(world, client, { prompt: "create" });
  const landing = await visitOnce(agent, url, { account, until: "consent" });
  if (landing.kind === "left") fail("a page", "a redirect to the client", landing.response);
  const { status } = landing.response;
  expectThat(status < 500, "no status of 500 or more", status, landing.response);
  return agent.question(landing) === "register" || status >= 400;
}

check(
  "MSC3861.as.namespace-not-registrable",
  "nobody can register by a name that belongs to an application service",
  {
    mutant: [
      {
        name: "is told that the name is free",
        rules: [
          {
            match: { from: "as1", to: "hs1", method: "GET", contains: "localpart=crucible_as_" },
            phase: "processed",
            action: { kind: "rewrite", status: 200, body: {} },
          },
        ],
      },
      claims("knows such a user then", { method: "GET", path: "/_matrix/client/v3/profile/*" }, {}),
    ],
  },
  async (world) => {
    const localpart = world.name(`${world.deployment.appservice.prefix}human`);

    const isRefused = await isTaken(world, localpart);
    const isOrdinaryRefused = await isTaken(world, world.name("human"));

    expectThat(!isOrdinaryRefused, "an ordinary name to be taken", "it was refused");
    expectThat(isRefused, "a name of the namespace to be refused", "it was taken");
    const userId = `@${localpart}:${world.server().serverName}`;
    const profile = await world.anonymous().get(path`/_matrix/client/v3/profile/${userId}`);
    expectThat(profile.status !== 200, "no such user", profile.status, profile);
  },
);
