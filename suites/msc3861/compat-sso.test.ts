/** The legacy login by the pages of the authorization server (specification, Client login via SSO; MSC3824). */
import { parameterOf } from "#harness/clients/oauth/callback";
import { summary } from "#harness/clients/oauth/user-agent";
import { textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  APP,
  callbackOfSso,
  LOGIN,
  locationOf,
  loggedIn,
  needsAwareness,
  SSO,
  startSso,
} from "./compat.ts";
import { callsBack, WHOAMI_REQUEST } from "./mutants.ts";
import { expectAlive, visitOnce } from "./people.ts";

const REFUSAL = { status: 400, body: { errcode: "M_INVALID_PARAM", error: "no" } };

check(
  "MSC3861.compat.sso-action",
  "a client says whether somebody logs in or registers",
  {
    mutant: [
      altersAnswer("knows no logins", { path: SSO, contains: "action=login" }, REFUSAL),
      altersAnswer("knows no registrations", { path: SSO, contains: "action=register" }, REFUSAL),
      altersAnswer("breaks", { path: SSO, contains: "action=other" }, { status: 500 }),
    ],
  },
  async (world) => {
    await needsAwareness(world);

    for (const action of ["login", "register"]) {
      const start = await startSso(world, { redirectUrl: APP, action });
      const page = await start.agent.browser.open(locationOf(start));
      if (page.kind === "left") fail("a page", "a redirect elsewhere", page.response);
      expectEqual(page.response.status, 200, `status of the page to ${action}`, page.response);
      world.note(`${action}: the page asks for ${start.agent.question(page) ?? "something else"}`);
    }
    const { response } = await startSso(world, { redirectUrl: APP, action: "other" });
    expectThat(response.status < 500, "no status of 500 or more", response.status, response);
  },
);

check(
  "MSC3861.compat.sso-login",
  "somebody who logs in by the browser gets a token for the client",
  {
    mutant: [
      callsBack("forgets the query", ["kept=1", "lost=1"]),
      callsBack("gives no token", ["loginToken=", "other="]),
      altersAnswer(
        "takes no such token",
        { method: "POST", path: LOGIN },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
      altersAnswer("names another user", WHOAMI_REQUEST, { set: { "/user_id": "@other:hs1" } }),
    ],
  },
  async (world) => {
    await needsAwareness(world);
    const alice = await world.account("alice");

    const { callback, token } = await callbackOfSso(world, alice);
    const response = await world.anonymous().post(LOGIN, { type: "m.login.token", token });

    expectThat(
      callback.url.startsWith("https://app.crucible.example/sso?"),
      "redirectUrl",
      "another",
    );
    expectEqual(parameterOf(callback, "kept"), "1", "kept, which redirectUrl had");
    expectEqual(ok(response).user_id, alice.userId, "user_id", response);
    await expectAlive(loggedIn(world, alice, response));
  },
);

/** Schemes of which a browser runs or shows what they carry. */
const SCRIPTS = ["javascript:alert(1)", "data:text/html,hello"];

async function expectNotCalled(world: World, redirectUrl: string): Promise<void> {
  const scheme = redirectUrl.slice(0, redirectUrl.indexOf(":") + 1);
  const alice = await world.account("alice");
  const { agent, location, response } = await startSso(world, { redirectUrl });
  expectThat(response.status < 500, "no status of 500 or more", response.status, response);
  if (location === undefined) return;
  expectThat(!location.startsWith(scheme), `no Location with ${scheme}`, "such a one", response);
  const end = await visitOnce(agent, location, { account: alice });
  if (end.kind === "page") world.note(`${scheme} ends on ${summary(end)}`);
  else expectThat(!end.url.startsWith(scheme), `no Location with ${scheme}`, "one", end.response);
}

check(
  "MSC3861.compat.sso-redirect-url",
  "no browser is sent to a script with a token",
  {
    mutant: altersAnswer(
      "sends it there",
      { path: SSO, contains: "data" },
      { status: 303, headers: { location: "data:text/html,hello" } },
    ),
  },
  async (world) => {
    await needsAwareness(world);

    for (const redirectUrl of SCRIPTS) await expectNotCalled(world, redirectUrl);
  },
);

check(
  "MSC3861.compat.sso-redirect-url",
  "the user sees which address gets the token, and is asked",
  {
    mutant: [
      altersAnswer(
        "does not show it",
        { to: "as1", method: "GET", status: 200 },
        { replace: [["app.crucible.example", "somewhere"]] },
      ),
    ],
  },
  async (world) => {
    await needsAwareness(world);
    const alice = await world.account("alice");
    const start = await startSso(world, { redirectUrl: APP });

    const landing = await visitOnce(start.agent, locationOf(start), {
      account: alice,
      until: "consent",
    });

    if (landing.kind === "left") fail("a page that asks", "a redirect", landing.response);
    expectEqual(start.agent.question(landing), "consent", "what the page asks", landing.response);
    const isShown = landing.html.text.includes("app.crucible.example");
    expectThat(isShown, "the address on the page", summary(landing), landing.response);
  },
);

check(
  "MSC3861.compat.login-token-once",
  "a token of a login by the browser works once",
  {
    mutant: altersAnswer(
      "takes it again",
      { method: "POST", path: LOGIN, status: 403 },
      { status: 200, body: { user_id: "@x:y", access_token: "claimed", device_id: "D" } },
    ),
  },
  async (world) => {
    await needsAwareness(world);
    const alice = await world.account("alice");
    const { token } = await callbackOfSso(world, alice);

    const first = await world.anonymous().post(LOGIN, { type: "m.login.token", token });
    const second = await world.anonymous().post(LOGIN, { type: "m.login.token", token });

    textAt(ok(first), "access_token");
    expectMatrixError(second, 403, "M_FORBIDDEN");
  },
);

const LONG_MS = 60_000;

check(
  "MSC3861.compat.login-token-once",
  "a token of a login by the browser does not live long",
  {
    mutant: altersAnswer(
      "takes it still",
      { method: "POST", path: LOGIN, status: 403 },
      { status: 200, body: { user_id: "@x:y", access_token: "claimed", device_id: "D" } },
    ),
    deadlineMs: 3 * LONG_MS,
  },
  async (world) => {
    await needsAwareness(world);
    const alice = await world.account("alice");
    const { token } = await callbackOfSso(world, alice);

    await world.quietPeriod(LONG_MS);
    const response = await world.anonymous().post(LOGIN, { type: "m.login.token", token });

    expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);
