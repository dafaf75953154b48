import type { Page } from "#harness/clients/oauth/browser";
import { encodeForm } from "#harness/clients/oauth/form";
import { NATIVE_CLIENT, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { deviceScope } from "#harness/clients/oauth/scopes";
import {
  authClient,
  authorizationRequest,
  deviceName,
  userAgent,
} from "#harness/clients/oauth/sign-in";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { AUTHORIZE, callsBack, REGISTERS_ANYTHING } from "./mutants.ts";
import { type Stage, stage } from "./people.ts";
import { NATIVE_TRICKS, REGISTERED_TRICKS, type Tricks, WEB_TRICKS } from "./redirect-tricks.ts";

const LEADS_AWAY = altersAnswer(
  "sends the browser where it was asked to",
  { ...AUTHORIZE, status: [400, 401, 403, 404, 422] },
  { status: 303, headers: { location: "https://evil.example/callback#error=invalid_request" } },
);
const BREAKS = altersAnswer(
  "breaks",
  { ...AUTHORIZE, status: [400, 401, 403, 404, 422] },
  { status: 500 },
);
const LINKS_IT = altersAnswer(
  "links the place on the page that tells the user",
  { ...AUTHORIZE, status: [400, 401, 403, 404, 422] },
  { text: '<body data-page="error"><a href="https://evil.example/callback">go on</a></body>' },
);

/** What is wrong with the end of a request; undefined: the user was told, and nothing leads away. */
async function problemOf({ agent, alice }: Stage, url: string): Promise<string | undefined> {
  const seen = agent.browser.history.length;
  const landing = await agent.visit(url, { account: alice });
  if (landing.kind === "left") return "the browser was sent there";
  const { status } = landing.response;
  if (status >= 500) return `status ${status}`;
  if (status < 400) return `no error: status ${status}`;
  for (const { headers } of agent.browser.history.slice(seen)) {
    if (String(headers.location ?? "").includes("evil")) return "a Location that leads away";
    if (headers.refresh !== undefined) return "a Refresh header";
  }
  return leadsAway(landing) ? "the page links it" : undefined;
}

function leadsAway({ html }: Page): boolean {
  const links = html.querySelectorAll("[href], [src], [action], meta[http-equiv]");
  return links.some(({ rawAttrs }) => /evil|javascript:|vbscript:|data:text/i.test(rawAttrs));
}

async function expectNowhere(world: World, here: Stage, urls: ReadonlyMap<string, string>) {
  const problems: string[] = [];
  for (const [name, url] of urls) {
    const problem = await problemOf(here, url);
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
  }
  world.note(`${urls.size} tried`);
  expectThat(problems.length === 0, "a page that tells the user each time", problems.join("; "));
}

function requests(world: World, { client }: Stage, tricks: Tricks): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(tricks).map(([name, redirect_uri]) => [
      name,
      authorizationRequest(world, client, { redirect_uri }).url,
    ]),
  );
}

check(
  "MSC3861.adv.redirect-tricks",
  "no spelling of a redirect URI leads the browser away from the registered one",
  { deadlineMs: 180_000, mutant: [LEADS_AWAY, BREAKS, LINKS_IT] },
  async (world) => {
    const here = await stage(world);

    await expectNowhere(world, here, requests(world, here, WEB_TRICKS));
  },
);

check(
  "MSC3861.adv.redirect-tricks",
  "no spelling of a loopback address or private scheme leads the browser away",
  { deadlineMs: 120_000, mutant: [LEADS_AWAY, BREAKS] },
  async (world) => {
    const here = await stage(world, {
      ...NATIVE_CLIENT,
      redirect_uris: ["http://localhost/callback", "example.crucible.app:/callback"],
    });

    await expectNowhere(world, here, requests(world, here, NATIVE_TRICKS));
  },
);

check(
  "MSC3861.adv.redirect-twice",
  "a second redirect URI leads the browser nowhere",
  {
    mutant: [
      LEADS_AWAY,
      callsBack("sends the code there", ["https://app.crucible.example", "https://evil.example"]),
    ],
  },
  async (world) => {
    const here = await stage(world);
    const right = WEB_CLIENT.redirect_uris[0] ?? "";
    const evil = "https://evil.example/callback";
    const bare = authorizationRequest(world, here.client, { redirect_uri: undefined }).url;
    const uri = (name: string, value: string) => `&${name}=${encodeURIComponent(value)}`;
    const urls = new Map([
      ["the foreign one last", bare + uri("redirect_uri", right) + uri("redirect_uri", evil)],
      ["the foreign one first", bare + uri("redirect_uri", evil) + uri("redirect_uri", right)],
      ["as an array", bare + uri("redirect_uri[]", evil)],
      [
        "as an array with indices",
        bare + uri("redirect_uri[0]", right) + uri("redirect_uri[1]", evil),
      ],
      ["by another case", bare + uri("Redirect_URI", evil)],
      ["with an encoded name", `${bare}&redirect%5Furi=${encodeURIComponent(evil)}`],
      ["with a space in the name", bare + uri("redirect_uri ", evil)],
      ["after a semicolon", `${bare}&x=1;redirect_uri=${encodeURIComponent(evil)}`],
    ]);
    const problems: string[] = [];

    for (const [name, url] of urls) {
      const landing = await here.agent.visit(url, { account: here.alice });
      if (landing.kind === "left" && !landing.url.startsWith(right)) problems.push(name);
      if (landing.response.status >= 500) problems.push(`${name}: ${landing.response.status}`);
    }

    expectThat(problems.length === 0, "nobody sent elsewhere, nothing broken", problems.join("; "));
  },
);

check(
  "MSC3861.adv.redirect-registered",
  "the server registers no redirect URI that readers of URLs disagree about",
  { mutant: REGISTERS_ANYTHING },
  async (world) => {
    const auth = await authClient(world);
    const problems: string[] = [];

    for (const [name, uri] of Object.entries(REGISTERED_TRICKS)) {
      const response = await auth.register({ ...WEB_CLIENT, redirect_uris: [uri] });
      const isRefused = response.status >= 400 && response.status < 500;
      if (isRefused && typeof at(response.json, "error") === "string") continue;
      problems.push(`${name}: ${response.status}`);
    }

    expectThat(problems.length === 0, "an error of RFC 7591 each time", problems.join("; "));
  },
);

const PARAMETERS = ["next", "return", "return_to", "redirect", "redirect_to", "continue", "url"];
const PLACES = ["https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:evil"];

check(
  "MSC3861.adv.open-redirect",
  "no page of a sign-in leads the browser where a parameter says",
  {
    mutant: altersAnswer(
      "follows it",
      { method: "POST", status: [302, 303] },
      { headers: { location: "https://evil.example/" } },
    ),
  },
  async (world) => {
    const { alice, auth, client } = await stage(world);
    const right = WEB_CLIENT.redirect_uris[0] ?? "";
    const problems: string[] = [];

    for (const place of PLACES) {
      const agent = userAgent(world, auth);
      const more = encodeForm(PARAMETERS.map((name) => [name, place] as const));
      const scope = deviceScope(deviceName(world));
      const { url } = authorizationRequest(world, client, { scope });
      let landing = await agent.browser.open(`${url}&${more}`);
      for (let pages = 0; landing.kind === "page" && pages < 4; pages++) {
        const question = agent.question(landing);
        if (question === undefined) break;
        const address = `${landing.url}${landing.url.includes("?") ? "&" : "?"}${more}`;
        const again = await agent.browser.open(address);
        landing =
          again.kind === "left" ? again : await agent.answer(again, question, { account: alice });
      }
      if (landing.kind === "left" && !landing.url.startsWith(right)) problems.push(place);
      if (landing.response.status >= 500) problems.push(`${place}: ${landing.response.status}`);
    }

    expectThat(problems.length === 0, "nobody sent elsewhere, nothing broken", problems.join("; "));
  },
);
