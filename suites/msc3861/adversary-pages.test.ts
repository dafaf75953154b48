import { type Form, formPost, type Page } from "#harness/clients/oauth/browser";
import { parameterOf, readCallback } from "#harness/clients/oauth/callback";
import { encodeForm } from "#harness/clients/oauth/form";
import { DEVICE_CODE_GRANT, registerClient, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { deviceScope } from "#harness/clients/oauth/scopes";
import { authorizationRequest, deviceName, userAgent } from "#harness/clients/oauth/sign-in";
import type { Question, UserAgent } from "#harness/clients/oauth/user-agent";
import { Unsupported } from "#harness/errors";
import type { HttpResponse } from "#harness/http/client";
import { textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { Account } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { expectOAuthError, stage } from "./people.ts";

const ELSEWHERE = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
const HIDDEN = ["action", "username", "password", "user_code", "code"];

/** The page that asks this, unanswered. */
async function pageAt(
  agent: UserAgent,
  url: string,
  question: Question,
  account: Account,
  userCode?: string,
): Promise<Page> {
  const visit = { account, until: question, ...(userCode === undefined ? {} : { userCode }) };
  const landing = await agent.visit(url, visit);
  if (landing.kind !== "page") fail(`a page that asks for ${question}`, "a callback");
  expectEqual(agent.question(landing), question, "what the page asks for", landing.response);
  return landing;
}

/** Fields that another site would have to know: not those that a person fills in. */
function secretFields({ fields }: Form): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !HIDDEN.includes(name)));
}

/** Posts a form as another site would have a browser do it: without what only the page knows, and with what another browser was given. */
async function forge(
  world: World,
  { agent, form, foreign }: { agent: UserAgent; form: Form; foreign: Form },
  answer: Record<string, string>,
): Promise<readonly HttpResponse[]> {
  const responses: HttpResponse[] = [];
  for (const fields of [{}, secretFields(foreign)]) {
    const post = formPost(encodeForm({ ...fields, ...answer }));
    const headers = { ...post.headers, ...ELSEWHERE };
    const response = await agent.browser.request("POST", form.action, { ...post, headers });
    world.note(`a forged post gets ${response.status}`);
    const { location } = response.headers;
    const callback = readCallback(String(location ?? ""));
    const isGiven = parameterOf(callback, "code") !== undefined;
    expectThat(!isGiven, "no code for a forged post", "a code", response);
    responses.push(response);
  }
  return responses;
}

/** A request for authorization that a mutant can tell from others. */
const LATER = "&x_after=1";
const GIVES_A_CODE_LATER = altersAnswer(
  "gives a code to whoever comes",
  { method: "GET", contains: "x_after=1" },
  { status: 303, headers: { location: "https://app.crucible.example/callback#code=claimed" } },
);

check(
  "MSC3861.adv.csrf-login",
  "no other site logs a browser in",
  { mutant: GIVES_A_CODE_LATER },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    const { url } = authorizationRequest(world, client);
    const mallory = await world.account("mallory");
    const other = userAgent(world, auth);
    const foreign = other.form(await pageAt(other, url, "login", mallory));
    const form = agent.form(await pageAt(agent, url, "login", alice));

    const { localpart: username, password } = mallory;
    await forge(world, { agent, form, foreign }, { username, password });

    const landing = await agent.browser.open(`${url}${LATER}`);
    if (landing.kind === "left") fail("a browser that nobody has logged in", "a callback");
    const question = agent.question(landing);
    expectEqual(question, "login", "what the browser is asked afterwards", landing.response);
  },
);

check(
  "MSC3861.adv.csrf-consent",
  "no other site consents for a person who is logged in",
  { mutant: GIVES_A_CODE_LATER },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    const mallory = await world.account("mallory");
    const other = userAgent(world, auth);
    const request = authorizationRequest(world, client);
    const begun = authorizationRequest(world, client);
    const foreign = other.form(await pageAt(other, begun.url, "consent", mallory));
    const page = await pageAt(agent, request.url, "consent", alice);
    const form = agent.form(page);

    await forge(world, { agent, form, foreign }, { action: "consent" });

    const landing = await agent.browser.open(`${request.url}${LATER}`);
    if (landing.kind === "left") fail("consent that nobody has given", "a callback");
    const question = agent.question(landing);
    expectEqual(question, "consent", "what the browser is asked afterwards", landing.response);
    const origin = await agent.browser.request("POST", form.action, {
      ...formPost(encodeForm({ ...form.fields, action: "consent" })),
      headers: { "content-type": "application/x-www-form-urlencoded", ...ELSEWHERE },
    });
    world.note(`with the right value and a foreign origin: ${origin.status}`);
  },
);

check(
  "MSC3861.adv.csrf-device",
  "no other site lets a device in",
  {
    mutant: altersAnswer(
      "gives tokens",
      { method: "POST", contains: "device_code=", status: [400, 401, 403] },
      { status: 200, body: { access_token: "claimed-access-token" } },
    ),
  },
  async (world) => {
    const { alice, auth, agent } = await stage(world);
    if (auth.metadata.deviceAuthorizationEndpoint === undefined)
      throw new Unsupported("device-grant", "there is no device grant");
    const grant_types = ["authorization_code", "refresh_token", DEVICE_CODE_GRANT];
    const { clientId } = await registerClient(auth, { ...WEB_CLIENT, grant_types });
    const mallory = await world.account("mallory");
    const start = async () =>
      ok(
        await auth.startDeviceGrant({ client_id: clientId, scope: deviceScope(deviceName(world)) }),
      );
    const [begun, own] = [await start(), await start()];
    const other = userAgent(world, auth);
    const uri = textAt(begun, "verification_uri");
    const codes = [textAt(begun, "user_code"), textAt(own, "user_code")] as const;
    const foreign = other.form(await pageAt(other, uri, "device-consent", mallory, codes[1]));
    const form = agent.form(await pageAt(agent, uri, "device-consent", alice, codes[0]));

    const ticked = Object.fromEntries(form.boxes.map((name) => [name, "on"]));
    await forge(world, { agent, form, foreign }, { ...ticked, action: "consent" });

    const response = await auth.token({
      grant_type: DEVICE_CODE_GRANT,
      client_id: clientId,
      device_code: textAt(begun, "device_code"),
    });
    expectOAuthError(response, [400, 401, 403]);
  },
);

/** A field that a mutant can tell forged forms by. */
const ELSEWHERE_FIELD = { from: "elsewhere" };

check(
  "MSC3861.adv.forged-no-5xx",
  "the server takes no form of another site for trouble of its own",
  {
    mutant: altersAnswer(
      "breaks down over forged forms",
      { method: "POST", contains: "from=elsewhere" },
      { status: 500 },
    ),
  },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    const mallory = await world.account("mallory");
    const other = userAgent(world, auth);
    const forms = async (question: Question) => {
      const form = agent.form(
        await pageAt(agent, authorizationRequest(world, client).url, question, alice),
      );
      const begun = authorizationRequest(world, client);
      return {
        agent,
        form,
        foreign: other.form(await pageAt(other, begun.url, question, mallory)),
      };
    };

    const { localpart: username, password } = mallory;
    const login = { ...ELSEWHERE_FIELD, username, password };
    const logins = await forge(world, await forms("login"), login);
    const consent = { ...ELSEWHERE_FIELD, action: "consent" };
    const consents = await forge(world, await forms("consent"), consent);

    for (const response of [...logins, ...consents])
      expectThat(response.status < 500, "no status of 500 or more", response.status, response);
  },
);

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>';

check(
  "MSC3861.adv.page-injection",
  "what a client or link says is text on the pages",
  {
    mutant: altersAnswer(
      "shows it as it came",
      { method: "GET", status: 200 },
      { replace: [["&lt;script&gt;", "<script>"]] },
    ),
  },
  async (world) => {
    const { alice, agent, client } = await stage(world, { ...WEB_CLIENT, client_name: HOSTILE });
    const hints = { login_hint: HOSTILE, ui_locales: HOSTILE, display: HOSTILE };
    const wrong = { redirect_uri: `https://evil.example/${HOSTILE}` };
    const requests = [
      authorizationRequest(world, client),
      authorizationRequest(world, client, hints),
      authorizationRequest(world, client, { state: HOSTILE }),
      authorizationRequest(world, client, { client_id: HOSTILE }),
      authorizationRequest(world, client, { scope: HOSTILE }),
      authorizationRequest(world, client, { prompt: HOSTILE }),
      authorizationRequest(world, client, wrong),
    ];

    for (const { url } of requests) await agent.visit(url, { account: alice });
    const wrongName = { ...alice, localpart: HOSTILE };
    const retry = userAgent(world, client.auth);
    const login = await pageAt(retry, requests[0]?.url ?? "", "login", alice);
    await retry.answer(login, "login", { account: wrongName });

    const pages = [...agent.browser.history, ...retry.browser.history];
    for (const response of pages) {
      const isHtml = String(response.headers["content-type"] ?? "").includes("html");
      const isRaw = isHtml && /<script>alert|<img src=x/i.test(response.text);
      expectThat(!isRaw, "the text escaped", "it stands in the page as it came", response);
    }
  },
);
