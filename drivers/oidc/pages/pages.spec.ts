import { afterAll, beforeAll, expect, test } from "vitest";
import { BrowserForSpecs, type Shown } from "../browser-for-specs.ts";
import { ClientForSpecs, introspect, scopeOf } from "../client-for-specs.ts";
import { type ServiceForSpecs, startForSpecs } from "../service-for-specs.ts";

let service: ServiceForSpecs;
let client: ClientForSpecs;

beforeAll(async () => {
  service = await startForSpecs();
  client = await ClientForSpecs.register(service.base);
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
});

const isActive = async (token: unknown) => (await introspect(service.base, token)).active;

/** Opens a page of ours as this user. */
async function openAs(user: string, url: string, browser: BrowserForSpecs): Promise<Shown> {
  const login = await browser.open(url);
  expect(login.page).toBe("login");
  return await browser.submit(login, { username: user, password: "secret" });
}

const account = (action: string, deviceId?: string) =>
  `${service.base}account?${new URLSearchParams({
    action,
    ...(deviceId === undefined ? {} : { device_id: deviceId }),
  })}`;

test("a device is signed in by its code", async () => {
  const { status, body } = await client.startDevice(scopeOf("ABCDEFGHIJ"));
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { interval: 5, expires_in: expect.any(Number), user_code: expect.any(String) },
  });
  expect((await client.poll(body.device_code)).body.error).toBe("authorization_pending");
  expect(await client.poll(body.device_code)).toMatchObject({
    status: 400,
    body: { error: "slow_down" },
  });
  const browser = new BrowserForSpecs(service.base);
  const code = await openAs(await service.newUser(), String(body.verification_uri), browser);
  expect(code.page).toBe("device-code");
  const consent = await browser.submit(code, { user_code: String(body.user_code).toLowerCase() });
  expect(consent.page).toBe("device-consent");
  const fields = { user_code: String(body.user_code), action: "consent" };
  for (const said of ["Spec", "ABCDEFGHIJ", `code <strong>${fields.user_code}</strong>`])
    expect(consent.text).toContain(said);
  const forged = await browser.submit(consent, { ...fields, confirm_device: "on", csrf: "forged" });
  expect(forged).toMatchObject({ status: 403, page: "device-code" });
  expect((await browser.submit(consent, fields)).page).toBe("device-consent");
  const done = await browser.submit(consent, { ...fields, confirm_device: "on" });
  expect(done.page).toBe("done");
  expect(await browser.submit(consent, fields)).toMatchObject({ status: 403, page: "device-code" });
  const { status: polled, body: tokens } = await client.poll(body.device_code);
  expect(polled).toBe(200);
  expect(tokens.scope).toBe(scopeOf("ABCDEFGHIJ"));
  expect(await isActive(tokens.access_token)).toBe(true);
  expect((await client.refresh(tokens.refresh_token)).status).toBe(200);
  expect((await client.poll(body.device_code)).status).toBe(400);
});

test("codes of devices live as long as a check asks for", async () => {
  const { faults } = service.running.capabilities;
  await faults?.set("device-code-lifetime", 1);
  const { body } = await client.startDevice(scopeOf("ABCDEFGHIJ"));
  expect(body.expires_in).toBe(1);
  const poll = async () => (await client.poll(body.device_code)).body.error;
  await expect.poll(poll, { timeout: 10_000 }).toBe("expired_token");
  await faults?.clear();
  const browser = new BrowserForSpecs(service.base);
  const late = await openAs(
    await service.newUser(),
    String(body.verification_uri_complete),
    browser,
  );
  expect(late).toMatchObject({ status: 403, page: "device-code" });
  expect((await client.startDevice(scopeOf("ABCDEFGHIJ"))).body.expires_in).toBe(1200);
  await expect(faults?.set("unheard-of")).rejects.toThrow("there is no fault unheard-of");
});

test("a device is not signed in by a user who refuses, nor for another client", async () => {
  const { body } = await client.startDevice(scopeOf("ABCDEFGHIJ"));
  const browser = new BrowserForSpecs(service.base);
  const alice = await service.newUser();
  const consent = await openAs(alice, String(body.verification_uri_complete), browser);
  expect(consent.page).toBe("device-consent");
  const other = await ClientForSpecs.register(service.base);
  expect((await other.poll(body.device_code)).body.error).toBe("invalid_grant");
  const fields = { user_code: String(body.user_code), confirm_device: "on" };
  await browser.submit(consent, { ...fields, action: "neither" });
  const late = await browser.submit(consent, { ...fields, action: "consent" });
  expect(late).toMatchObject({ status: 403, page: "device-code" });
  expect(await client.poll(body.device_code)).toMatchObject({
    status: 400,
    body: { error: "access_denied" },
  });
  expect(service.toldOf(alice)).not.toContain("upsert_device");
});

test("a device administers only for administrators", async () => {
  await service.running.capabilities.registersUsers?.register("boss", "secret", { admin: true });
  for (const [user, page] of [
    [await service.newUser(), "device-consent"],
    ["boss", "done"],
  ] as const) {
    const { body } = await client.startDevice(`${scopeOf("ABCDEFGHIJ")} urn:synapse:admin:*`);
    const browser = new BrowserForSpecs(service.base);
    const consent = await openAs(user, String(body.verification_uri_complete), browser);
    const fields = { user_code: String(body.user_code), confirm_device: "on", action: "consent" };
    expect((await browser.submit(consent, fields)).page).toBe(page);
  }
});

test("nobody is logged in by a form of elsewhere, nor by that of another browser", async () => {
  const alice = await service.newUser();
  const [browser, other] = [new BrowserForSpecs(service.base), new BrowserForSpecs(service.base)];
  const login = await browser.open(account("org.matrix.profile"));
  const elsewhere = await other.open(account("org.matrix.profile"));
  const csrf = /name="csrf" value="([^"]*)"/.exec(elsewhere.text)?.[1] ?? "";
  const given = { username: alice, password: "secret" };
  for (const forged of ["forged", csrf])
    expect(await browser.submit(login, { ...given, csrf: forged })).toMatchObject({
      status: 403,
      page: "login",
    });
  const wrong = await browser.submit(login, { ...given, password: "guess" });
  expect(wrong).toMatchObject({ status: 403, page: "login" });
  expect((await browser.submit(wrong, given)).page).toBe("account");
  const register = await other.open(`${service.base}account?register`);
  expect(register.page).toBe("register");
  // No script reads what signs people in, and no page of elsewhere sends it along with a form.
  expect(browser.cookiesSet.length).toBeGreaterThan(1);
  for (const cookie of browser.cookiesSet) expect(cookie).toMatch(/httponly/i);
  for (const cookie of browser.cookiesSet) expect(cookie).toMatch(/samesite=lax/i);
});

test("a login ends the browser session that somebody else may know", async () => {
  const [alice, bob] = [await service.newUser(), await service.newUser()];
  const accounts = service.running.capabilities.managesAccounts;
  const browser = new BrowserForSpecs(service.base);
  await openAs(alice, account("org.matrix.profile"), browser);
  const stolen = browser.copy();
  await accounts?.lock(alice);
  await openAs(bob, account("org.matrix.profile"), browser);
  await accounts?.unlock(alice);
  expect((await browser.open(account("org.matrix.profile"))).text).toContain(bob);
  expect((await stolen.open(account("org.matrix.profile"))).page).toBe("login");
});

test("a device can not ask for what no client may have", async () => {
  const two = await client.startDevice(`${scopeOf("A")} ${scopeOf("B")}`);
  expect(two).toMatchObject({ status: 400, body: { error: "invalid_scope" } });
  expect((await client.poll("nonsense")).body.error).toBe("invalid_grant");
  const codeOnly = await ClientForSpecs.register(service.base, {
    grant_types: ["authorization_code"],
  });
  const refused = await codeOnly.startDevice(scopeOf("ABCDEFGHIJ"));
  expect(refused).toMatchObject({ status: 400, body: { error: "unauthorized_client" } });
});

test("codes of devices can not be guessed for long", async () => {
  const browser = new BrowserForSpecs(service.base);
  let shown = await openAs(await service.newUser(), `${service.base}device`, browser);
  for (let tries = 0; tries < 10; tries++) {
    shown = await browser.submit(shown, { user_code: "WRNG-CODE" });
    expect(shown.status).toBe(403);
  }
  expect((await browser.submit(shown, { user_code: "WRNG-CODE" })).status).toBe(429);
});

test("a link ends no session by itself, its page does once it has the password", async () => {
  const alice = await service.newUser();
  const { access_token } = await client.signIn(alice, "ABCDEFGHIJ");
  const browser = new BrowserForSpecs(service.base);
  const confirm = await openAs(alice, account("org.matrix.device_delete", "ABCDEFGHIJ"), browser);
  expect(confirm).toMatchObject({ page: "account-confirm", status: 200 });
  for (const said of ["ABCDEFGHIJ", `@${alice}:hs1:8448`]) expect(confirm.text).toContain(said);
  expect(await isActive(access_token)).toBe(true);
  const refused = await browser.submit(confirm, { password: "guess" });
  expect(refused).toMatchObject({ page: "account-confirm", status: 403 });
  const forged = await browser.submit(refused, { password: "secret", csrf: "forged" });
  expect(forged.status).toBe(403);
  expect(await isActive(access_token)).toBe(true);
  expect((await browser.submit(forged, { password: "secret" })).page).toBe("done");
  expect(await isActive(access_token)).toBe(false);
  expect(service.told.at(-1)?.name).toBe("delete_device");
});

test("shows the sessions of the user, and of nobody else", async () => {
  const [alice, bob] = [await service.newUser(), await service.newUser()];
  await client.signIn(alice, "DEVICEOFALICE");
  await client.signIn(bob, "DEVICEOFBOB");
  const browser = new BrowserForSpecs(service.base);
  const list = await openAs(alice, account("org.matrix.devices_list"), browser);
  expect(list.text).toContain("DEVICEOFALICE");
  expect(list.text).not.toContain("DEVICEOFBOB");
  const view = await browser.open(account("org.matrix.session_view", "DEVICEOFALICE"));
  expect(view.text).toContain("Spec");
  expect(view.text).toContain(`Since ${new Date().toISOString().slice(0, 10)}`);
  const profile = await browser.open(account("org.matrix.profile"));
  for (const action of ["devices_list", "cross_signing_reset", "account_deactivate"])
    expect(profile.text).toContain(`?action=org.matrix.${action}`);
  for (const action of [
    "org.matrix.device_view",
    "org.matrix.device_delete",
    "org.example.other",
  ]) {
    const foreign = await browser.open(account(action, "DEVICEOFBOB"));
    expect(foreign).toMatchObject({ status: 200, page: "account" });
    expect(foreign.text).not.toContain("DEVICEOFBOB");
  }
});

test("a link that names no device is not about a session that has none", async () => {
  const alice = await service.newUser();
  const accounts = service.running.capabilities.managesAccounts;
  const issued = await accounts?.issueToken({
    localpart: alice,
    scope: "urn:matrix:client:api:*",
  });
  const browser = new BrowserForSpecs(service.base);
  const shown = await openAs(alice, account("org.matrix.device_delete"), browser);
  expect(shown).toMatchObject({ page: "account", status: 200 });
  expect(await isActive(issued?.accessToken)).toBe(true);
});

test.each(["lock", "deactivate"] as const)(
  "a browser that remembers a user asks for a login again after %s",
  async (act) => {
    const alice = await service.newUser();
    const browser = new BrowserForSpecs(service.base);
    await client.authorize(alice, "ABCDEFGHIJ", {}, browser);
    const scope = scopeOf("OTHEROTHER");
    const consent = await client.open({ scope }, browser);
    expect(consent.page).toBe("consent");
    await service.running.capabilities.managesAccounts?.[act](alice);
    const { left = "" } = await browser.submit(consent, { action: "consent" });
    expect(new URL(left).searchParams.get("error")).toBe("access_denied");
    const again = await client.open({ scope }, browser);
    expect(again).toMatchObject({ status: 200, page: "login" });
    const refused = await browser.submit(again, { username: alice, password: "secret" });
    expect(refused).toMatchObject({ status: 403, page: "login" });
    expect((await browser.open(account("org.matrix.profile"))).page).toBe("login");
  },
);

test("allows a cross-signing reset, and deactivates, when the user says so", async () => {
  const alice = await service.newUser();
  const { access_token } = await client.signIn(alice, "ABCDEFGHIJ");
  const browser = new BrowserForSpecs(service.base);
  const reset = await openAs(alice, account("org.matrix.cross_signing_reset"), browser);
  expect(service.told.at(-1)?.name).not.toBe("allow_cross_signing_reset");
  await browser.submit(reset, { password: "secret" });
  expect(service.told.at(-1)).toEqual({
    name: "allow_cross_signing_reset",
    body: { localpart: alice },
  });
  const deactivate = await browser.open(account("org.matrix.account_deactivate"));
  for (const { text } of [reset, deactivate]) expect(text).toContain(`@${alice}:hs1:8448`);
  await browser.submit(deactivate, { password: "secret" });
  expect(await isActive(access_token)).toBe(false);
  expect(service.told.at(-1)).toMatchObject({ name: "delete_user", body: { localpart: alice } });
  expect((await browser.open(account("org.matrix.profile"))).page).toBe("login");
});
