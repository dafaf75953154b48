import { type Browser, formPost, type Page } from "#harness/clients/oauth/browser";
import { parameterOf, readCallback } from "#harness/clients/oauth/callback";
import { encodeForm } from "#harness/clients/oauth/form";
import { WEB_CLIENT } from "#harness/clients/oauth/registration";
import { authorizationRequest, userAgent } from "#harness/clients/oauth/sign-in";
import type { Question } from "#harness/clients/oauth/user-agent";
import type { HttpResponse } from "#harness/http/client";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, fail } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { enterCode, startGrant } from "./device-grants.ts";
import { callsBack } from "./mutants.ts";
import { type Stage, stage } from "./people.ts";

const PAGE = { method: "GET", status: 200 };

/** The page of an authorization request that asks this. */
async function pageAt(world: World, here: Stage, question: Question): Promise<Page> {
  const request = authorizationRequest(world, here.client);
  const landing = await here.agent.visit(request.url, { account: here.alice, until: question });
  if (landing.kind !== "page") fail(`a page that asks for ${question}`, "a callback");
  expectEqual(here.agent.question(landing), question, "what the page asks for", landing.response);
  return landing;
}

/** Whether any other site may show it in a frame. Browsers that know `frame-ancestors` look at nothing else. */
function isFramable({ headers }: HttpResponse): boolean {
  const policy = String(headers["content-security-policy"] ?? "");
  const ancestors = /(?:^|[;,])\s*frame-ancestors([^;,]*)/i.exec(policy)?.[1];
  if (ancestors !== undefined) return /(?:^|\s)(?:\*|https?:)(?:\s|$)/i.test(ancestors);
  const options = String(headers["x-frame-options"] ?? "").toUpperCase();
  return !["DENY", "SAMEORIGIN"].includes(options);
}

const UNFRAMED = { "x-frame-options": null, "content-security-policy": null };

check(
  "MSC3861.authz.clickjacking",
  "no other site can show the pages for signing in and consent in a frame",
  {
    mutant: [
      altersAnswer("lets them be framed", PAGE, { headers: UNFRAMED }),
      altersAnswer("lets everybody frame them", PAGE, {
        headers: { "content-security-policy": "default-src 'self'; frame-ancestors *" },
      }),
      altersAnswer(
        "lets the page for a device's code be framed",
        { method: "POST", contains: "user_code=", status: 200 },
        { headers: UNFRAMED },
      ),
    ],
  },
  async (world) => {
    const here = await stage(world);

    const login = await pageAt(world, here, "login");
    const consent = await pageAt(world, here, "consent");

    const pages = [login, consent];
    if (here.auth.metadata.deviceAuthorizationEndpoint === undefined)
      world.note("there is no device grant, and no page for it");
    else {
      const { landing } = await enterCode(world, await startGrant(world), here.alice);
      if (landing.kind !== "page") fail("a page about the device", "a redirect to elsewhere");
      pages.push(landing);
    }
    for (const { response } of pages)
      expectThat(!isFramable(response), "a page that can not be framed", "none", response);
  },
);

/** Where an answer to a post of the consent leads, without following it. */
function hasCode({ headers }: HttpResponse): boolean {
  const { location } = headers;
  return typeof location === "string" && parameterOf(readCallback(location), "code") !== undefined;
}

/** Follows up to where a code would be given; a consent that was taken leads to one. */
async function leadsToCode(browser: Browser, response: HttpResponse): Promise<boolean> {
  if (hasCode(response)) return true;
  const { location } = response.headers;
  if (typeof location !== "string" || response.status >= 400) return false;
  const landing = await browser.open(new URL(location, browser.lastUrl).href);
  return landing.kind === "left" && parameterOf(readCallback(landing.url), "code") !== undefined;
}

function takesConsent(name: string, contains: string) {
  return altersAnswer(
    `takes consent ${name}`,
    { method: "POST", contains, status: [400, 401, 403, 303, 302, 200] },
    { status: 303, headers: { location: "https://app.crucible.example/callback#code=claimed" } },
  );
}

check(
  "MSC3861.authz.csrf",
  "nobody can consent for somebody else by a request from another site",
  {
    mutant: [
      takesConsent("from anywhere", "action=consent"),
      takesConsent("by any value", "csrf=wrong"),
    ],
  },
  async (world) => {
    const here = await stage(world);
    const { action, fields } = here.agent.form(await pageAt(world, here, "consent"));
    const { csrf, ...rest } = fields;
    const { browser } = here.agent;

    const post = { ...formPost(encodeForm({ ...rest, action: "consent" })) };
    const headers = {
      ...post.headers,
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
    };
    // A browser sends no cookie that is SameSite=Lax or Strict with a post from another site.
    const foreign = await here.auth.request("POST", action, { ...post, headers });
    // Where it leads to, a browser goes with cookies.
    const isGiven = await leadsToCode(browser, foreign);
    const wrong = encodeForm({ ...fields, csrf: "wrong", action: "consent" });
    const forged =
      csrf === undefined ? undefined : await browser.request("POST", action, formPost(wrong));

    expectThat(!isGiven, "no code for a post from another site", "a code", foreign);
    if (forged !== undefined) {
      const isForged = await leadsToCode(browser, forged);
      expectThat(!isForged, "no code for a wrong anti-forgery value", "a code", forged);
    }
  },
);

check(
  "MSC3861.authz.consent-links",
  "the pages before a code link the client's terms and policy",
  {
    mutant: altersAnswer("does not link the terms", PAGE, {
      replace: [["https://crucible.example/terms", "https://crucible.example/"]],
    }),
  },
  async (world) => {
    const links = {
      tos_uri: "https://crucible.example/terms",
      policy_uri: "https://crucible.example/policy",
    };
    const here = await stage(world, { ...WEB_CLIENT, ...links });

    await pageAt(world, here, "consent");

    const shown = here.agent.browser.history.map(({ text }) => text).join("\n");
    for (const link of Object.values(links))
      expectThat(shown.includes(link), `a link to ${link}`, "none");
  },
);

check(
  "MSC3861.authz.cookie-flags",
  "the cookie of a session is for the server alone",
  {
    mutant: [
      callsBack("lets scripts read it", ["httponly", "x"], ["HttpOnly", "x"]),
      callsBack("sends it from anywhere", ["samesite", "x"], ["SameSite", "x"]),
    ],
  },
  async (world) => {
    const here = await stage(world);

    await pageAt(world, here, "consent");

    const set = here.agent.browser.history.flatMap((each) => each.headers["set-cookie"] ?? []);
    const isSecure = here.auth.metadata.issuer.startsWith("https:");
    const kept = set.filter((line) => !/expires=thu, 01 jan 1970|max-age=0/i.test(line));
    expectThat(kept.length > 0, "a cookie at least", kept.length);
    for (const line of kept) {
      const [name] = line.split("=");
      const flags = line.toLowerCase();
      expectThat(flags.includes("httponly"), `${name} to be HttpOnly`, "no such flag");
      expectThat(/samesite=(lax|strict)/.test(flags), `SameSite of ${name}`, "none, or None");
      if (isSecure) expectThat(flags.includes("secure"), `${name} to be Secure`, "no such flag");
    }
  },
);

check(
  "MSC3861.authz.session-isolation",
  "nobody ends what somebody else has begun without consenting",
  {
    mutant: altersAnswer(
      "gives a code to whoever comes",
      { method: "GET", status: [400, 401, 403, 404] },
      { status: 303, headers: { location: "https://app.crucible.example/callback#code=claimed" } },
    ),
  },
  async (world) => {
    const here = await stage(world);
    const mallory = await world.account("mallory");
    const agent = userAgent(world, here.auth);
    const other = authorizationRequest(world, here.client);
    await agent.visit(other.url, { account: mallory, until: "consent" });
    const consent = await pageAt(world, here, "consent");

    const landing = await agent.browser.open(consent.url);

    if (landing.kind === "page") return;
    const code = parameterOf(readCallback(landing.url), "code");
    expectEqual(code, undefined, "code that another user's browser got");
  },
);
