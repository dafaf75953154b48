import { expect, test } from "vitest";
import { AuthClient } from "./auth-client.ts";
import { samplePages } from "./pages-for-specs.ts";
import { callbackOf, expectReadable, UserAgent } from "./user-agent.ts";

const CALLBACK = "https://app.example/callback#code=c&state=s";
const account = { userId: "@alice:hs1", localpart: "alice", password: "right" };
const context = {
  check: "spec",
  signal: new AbortController().signal,
  timeoutScale: 1,
  onExchange: () => undefined,
  onRoom: () => undefined,
  nextName: (prefix: string) => prefix,
};

async function start() {
  const pages = await samplePages(CALLBACK);
  const metadata = {
    issuer: pages.base,
    authorizationEndpoint: `${pages.base}authorize`,
    tokenEndpoint: "",
    registrationEndpoint: "",
    revocationEndpoint: "",
    deviceAuthorizationEndpoint: undefined,
    document: { issuer: pages.base },
  };
  const auth = new AuthClient(metadata, context);
  return { pages, auth, agent: new UserAgent(auth, "mas") };
}

test("signs in, consents, and stops where the browser leaves the service", async () => {
  const { pages, auth, agent } = await start();
  await using _ = pages;
  const url = auth.authorizationUrl({ scope: "a b" });
  const callback = await agent.authorize(url, { account });
  expect(callback.redirectUri).toBe("https://app.example/callback");
  expect(callback.fragment.get("code")).toBe("c");
  expect(callback.query.size).toBe(0);
  expect(pages.requests).toEqual([
    "GET /authorize?scope=a+b",
    "GET /login?after=scope=a+b",
    "POST /login?after=scope=a+b csrf=a-value&username=alice&password=right",
    "GET /consent/1",
    "POST /consent/1 csrf=a-value&action=consent",
  ]);
  expect(await agent.browser.jar.getCookieString(pages.base)).toBe("session=alice");
});

test("asks for no password again in the same browser, and asks in another one", async () => {
  const { pages, auth, agent } = await start();
  await using _ = pages;
  const url = auth.authorizationUrl({});
  await agent.authorize(url, { account });
  const again = await agent.visit(url, { account, until: "consent" });
  expect(again).toMatchObject({ kind: "page", url: `${pages.base}consent/1` });
  const other = await new UserAgent(auth, "mas").visit(url, { account, until: "login" });
  expect(other).toMatchObject({ kind: "page", url: `${pages.base}login?after=` });
});

test("rejects by the link that the page has", async () => {
  const { pages, auth, agent } = await start();
  await using _ = pages;
  const landing = await agent.visit(auth.authorizationUrl({}), { account, consent: "reject" });
  expect(landing.kind).toBe("left");
  expect(callbackOf(landing).fragment.get("error")).toBe("access_denied");
});

test("leaves by a form that posts to the client, which is sent nothing", async () => {
  const { pages, agent } = await start();
  await using _ = pages;
  const landing = await agent.visit(`${pages.base}consent/sent`, { account });
  expect(landing).toMatchObject({ kind: "left", url: CALLBACK });
  expect(pages.requests).toEqual(["GET /consent/sent"]);
});

test("enters a code and confirms the other device", async () => {
  const { pages, agent } = await start();
  await using _ = pages;
  await agent.visit(`${pages.base}link`, { account, userCode: "ABC" });
  expect(pages.requests.slice(-2)).toEqual([
    "GET /device/ABC",
    "POST /device/ABC csrf=a-value&confirm_device=on&action=consent",
  ]);
});

test("follows redirects for a while only", async () => {
  const { pages, agent } = await start();
  await using _ = pages;
  await expect(agent.browser.open(`${pages.base}loop`)).rejects.toThrow("an end of redirects");
});

test("tells which page it is left on", async () => {
  const { pages, agent } = await start();
  await using _ = pages;
  const refused = agent.authorize(`${pages.base}consent/1`, { account });
  await expect(refused).rejects.toMatchObject({
    name: "CheckFailure",
    actual: 'a page with status 403 called "Sample"',
  });
});

test("calls a page that goes on, and that nobody here can read, no verdict on the server", async () => {
  const { pages, auth, agent } = await start();
  await using _ = pages;
  const wrong = { ...account, password: "wrong" };
  const landing = agent.authorize(auth.authorizationUrl({}), { account: wrong });
  await expect(landing).rejects.toMatchObject({ name: "HarnessError", code: "UNREAD_PAGE" });
});

test("knows no pages of others", async () => {
  const { pages, auth } = await start();
  await using _ = pages;
  expect(() => new UserAgent(auth, "unheard-of")).toThrow("nothing here knows the pages");
});

test("a page that its scripts draw is not there to be read, one with text is", async () => {
  const { pages, agent } = await start();
  await using _ = pages;
  const read = async (path: string) => {
    const landing = await agent.visit(`${pages.base}${path}`, { account });
    if (landing.kind === "page") expectReadable(landing);
  };
  await expect(read("application")).rejects.toThrow("is drawn by scripts, and none run here");
  await expect(read("application?with=text")).resolves.toBeUndefined();
});

test("registers, and takes the page about the new name for another question", async () => {
  const { pages, agent } = await start();
  await using _ = pages;
  const url = `${pages.base}register`;
  expect(await agent.visit(url, { account, until: "display-name" })).toMatchObject({
    kind: "page",
    url: `${pages.base}register/name`,
  });
  expect(await agent.visit(url, { account })).toMatchObject({ kind: "left", url: CALLBACK });
  expect(pages.requests.slice(-2)).toEqual([
    "GET /register/name",
    "POST /register/name csrf=a-value&action=set&display_name=alice",
  ]);
});
