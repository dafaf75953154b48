/** The pages of the auth service of our own in a real browser: signing in, saying no, and clients with hostile names. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ClientForSpecs, REDIRECT } from "#drivers/oidc/client-for-specs";
import { type ServiceForSpecs, startForSpecs } from "#drivers/oidc/service-for-specs";
import {
  CHROMIUM,
  launch,
  seriousViolations,
  shot,
  type Watched,
  WHY_SKIPPED,
  watched,
} from "./tardis/browser/chromium.ts";

const PASSWORD = "secret";
const SCOPE = "urn:matrix:client:api:* urn:matrix:client:device:BROWSER";
const HOSTILE = '"><script>window.pwned=1</script><img src=x onerror="window.pwned=1">';

let browser: Browser;
let service: ServiceForSpecs;
let watch: Watched;

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  browser = await launch();
  service = await startForSpecs();
  await service.running.capabilities.managesAccounts?.createAccount("alice", PASSWORD);
});

afterAll(async () => {
  await browser?.close();
  await service?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  if (CHROMIUM !== undefined) watch = await watched(browser);
});

afterEach(async () => await watch?.[Symbol.asyncDispose]());

/** A request for authorization of a new client. */
async function requestOf(metadata: Record<string, unknown> = {}): Promise<string> {
  const client = await ClientForSpecs.register(service.base, metadata);
  return client.authorizationUrl("v".repeat(43), { scope: SCOPE });
}

/** What the page says that it is. */
async function pageName(): Promise<string | null> {
  return await watch.page.getAttribute("body", "data-page");
}

async function logIn(url: string, password = PASSWORD): Promise<void> {
  await watch.page.goto(url);
  expect(await pageName()).toBe("login");
  await watch.page.getByLabel("User name").fill("alice");
  await watch.page.getByLabel("Password").fill(password);
  await watch.page.getByRole("button", { name: "Log in" }).click();
}

/** Presses a button, and catches where the browser is sent to: nobody is there. */
async function leaveBy(name: string): Promise<URL> {
  const left = watch.page.waitForRequest((request) => request.url().startsWith(REDIRECT));
  await watch.page.route(`${REDIRECT}**`, (route) => route.fulfill({ body: "the client" }));
  await watch.page.getByRole("button", { name }).click();
  return new URL((await left).url());
}

describe.skipIf(CHROMIUM === undefined)(`the pages (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("a person logs in, sees who asks, and allows it", async () => {
    await logIn(await requestOf());

    expect(await pageName()).toBe("consent");
    expect(await watch.page.textContent("main")).toContain("BROWSER");
    expect(await seriousViolations(watch.page)).toEqual([]);
    await shot(watch.page, "consent");
    const callback = await leaveBy("Allow");

    expect(callback.searchParams.get("code")).toMatch(/.{20,}/);
    expect(callback.searchParams.get("state")).toBe("a state");
    expect(watch.troubles).toEqual([]);
  });

  test("a person says no", async () => {
    await logIn(await requestOf());

    const callback = await leaveBy("Cancel");

    expect(callback.searchParams.get("error")).toBe("access_denied");
    expect(callback.searchParams.has("code")).toBe(false);
  });

  test("a wrong password is told, and can be tried again", async () => {
    await logIn(await requestOf(), "wrong");

    expect(await pageName()).toBe("login");
    expect(await watch.page.textContent("[role=alert]")).toContain("Wrong");
    expect(await seriousViolations(watch.page)).toEqual([]);
    await watch.page.getByLabel("User name").fill("alice");
    await watch.page.getByLabel("Password").fill(PASSWORD);
    await watch.page.getByRole("button", { name: "Log in" }).click();
    expect(await pageName()).toBe("consent");
  });

  test("what a client calls itself is text, and its pages load nothing from elsewhere", async () => {
    await logIn(await requestOf({ client_name: HOSTILE }));

    expect(await pageName()).toBe("consent");
    expect(await watch.page.textContent("main")).toContain(HOSTILE);
    expect(await watch.page.evaluate("window.pwned")).toBe(undefined);
    expect(await watch.page.locator("main script, main img").count()).toBe(0);
    expect(watch.requests.filter((url) => !url.startsWith(service.base))).toEqual([]);
    expect(watch.troubles).toEqual([]);
  });

  test("a redirect URI that is not registered leaves the browser on a page", async () => {
    const url = new URL(await requestOf());
    url.searchParams.set("redirect_uri", `https://evil.example/${HOSTILE}`);

    await watch.page.goto(url.href);

    expect(await pageName()).toBe("error");
    expect(watch.page.url().startsWith(service.base)).toBe(true);
    expect(await watch.page.evaluate("window.pwned")).toBe(undefined);
    expect(await seriousViolations(watch.page)).toEqual([]);
  });
});
