import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BrowserForSpecs } from "../browser-for-specs.ts";
import {
  type Answer,
  ClientForSpecs,
  introspect,
  send,
  sendForm,
  sendJson,
} from "../client-for-specs.ts";
import { type ServiceForSpecs, startForSpecs } from "../service-for-specs.ts";

let service: ServiceForSpecs;

beforeAll(async () => {
  service = await startForSpecs();
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
});

const url = (name: string) => `${service.base}_matrix/client/v3/${name}`;
const isActive = async (token: unknown) => (await introspect(service.base, token)).active;
const logIn = (user: string, more: Record<string, unknown> = {}): Promise<Answer> =>
  sendJson(url("login"), {
    type: "m.login.password",
    identifier: { type: "m.id.user", user },
    password: "secret",
    ...more,
  });

test("lists its flows, and that clients which know both APIs should take the other", async () => {
  const { body, headers } = await request(url("login"));
  expect(await body.json()).toMatchObject({
    flows: [
      { type: "m.login.password" },
      { type: "m.login.sso", oauth_aware_preferred: true },
      { type: "m.login.token" },
    ],
  });
  expect(headers).toMatchObject({
    "access-control-allow-origin": "*",
    "cache-control": "no-store",
  });
});

test("logs in by password, on the device that is asked for", async () => {
  const alice = await service.newUser();
  const { status, body } = await logIn(`@${alice}:hs1:8448`, {
    device_id: "odd device",
    initial_device_display_name: "Mine",
  });
  expect({ status, body }).toMatchObject({
    status: 200,
    body: { user_id: `@${alice}:hs1:8448`, device_id: "odd device", home_server: "hs1:8448" },
  });
  expect(body).not.toHaveProperty("refresh_token");
  expect(await introspect(service.base, body.access_token)).not.toHaveProperty("expires_in");
  expect(await introspect(service.base, body.access_token)).toEqual(
    expect.objectContaining({
      active: true,
      username: alice,
      device_id: "odd device",
      scope: "urn:matrix:client:api:*",
    }),
  );
  const upsert = service.told.find(
    ({ name, body: told }) => name === "upsert_device" && told.localpart === alice,
  );
  expect(upsert?.body).toMatchObject({ device_id: "odd device", display_name: "Mine" });
  await logIn(alice, { device_id: "odd device", initial_device_display_name: "Other" });
  const again = service.told.filter(({ body: told }) => told.localpart === alice).at(-1);
  expect(again).toMatchObject({ name: "upsert_device", body: { device_id: "odd device" } });
  expect(again?.body).not.toHaveProperty("display_name");
});

test("gives administrators, and nobody else, the scope of theirs", async () => {
  await service.running.capabilities.registersUsers?.register("boss", "secret", { admin: true });
  const { body } = await logIn("boss");
  expect((await introspect(service.base, body.access_token)).scope).toBe(
    "urn:matrix:client:api:* urn:synapse:admin:*",
  );
});

test.each(["", "x".repeat(256)])("makes no device %j", async (device_id) => {
  expect(await logIn(await service.newUser(), { device_id })).toMatchObject({
    status: 400,
    body: { errcode: "M_INVALID_PARAM" },
  });
});

test("says the same of a wrong password and of nobody", async () => {
  const wrong = await logIn(await service.newUser(), { password: "guess" });
  const nobody = await logIn("nobody");
  expect(wrong).toMatchObject({ status: 403, body: { errcode: "M_FORBIDDEN" } });
  expect(nobody.body).toEqual(wrong.body);
});

test.each([
  { body: "{", errcode: "M_NOT_JSON" },
  { body: "[]", errcode: "M_BAD_JSON" },
  { body: "{}", errcode: "M_MISSING_PARAM" },
  { body: '{"type": 7}', errcode: "M_BAD_JSON" },
  { body: '{"type": "m.login.other"}', errcode: "M_UNKNOWN" },
  { body: '{"type": "m.login.password", "identifier": 1}', errcode: "M_BAD_JSON" },
  { body: '{"type": "m.login.password", "user": "x"}', errcode: "M_MISSING_PARAM" },
  { body: '{"type": "m.login.password", "password": "x"}', errcode: "M_MISSING_PARAM" },
  {
    body: '{"type": "m.login.password", "password": "x", "identifier": {"user": "x"}}',
    errcode: "M_MISSING_PARAM",
  },
  {
    body: '{"type": "m.login.password", "password": "x", "identifier": {"type": "m.id.user"}}',
    errcode: "M_MISSING_PARAM",
  },
  {
    body: '{"type": "m.login.password", "password": "x", "identifier": {"type": "m.id.thirdparty"}}',
    errcode: "M_UNKNOWN",
  },
  { body: '{"type": "m.login.token"}', errcode: "M_MISSING_PARAM" },
])("refuses to log in by $body", async ({ body, errcode }) => {
  const answer = await send(url("login"), body, { "content-type": "application/json" });
  expect(answer).toMatchObject({ status: 400, body: { errcode } });
});

test("tells application services that they do not log in, and nobody else", async () => {
  const { body } = await logIn(await service.newUser());
  const asked = (token?: string) =>
    sendJson(url("login"), { type: "m.login.application_service", user: "x" }, token);
  expect(await asked("as_token")).toMatchObject({
    status: 400,
    body: { errcode: "M_APPSERVICE_LOGIN_UNSUPPORTED" },
  });
  expect(await asked()).toMatchObject({ status: 401, body: { errcode: "M_MISSING_TOKEN" } });
  expect((await asked(String(body.access_token))).status).toBe(403);
});

test("finds a user whose name is written in capitals", async () => {
  expect((await logIn((await service.newUser()).toUpperCase())).status).toBe(200);
});

test("refuses locked and deactivated users, but only to themselves", async () => {
  const accounts = service.running.capabilities.managesAccounts;
  const alice = await service.newUser();
  await accounts?.lock(alice);
  expect(await logIn(alice)).toMatchObject({
    status: 401,
    body: { errcode: "M_USER_LOCKED", soft_logout: true },
  });
  expect((await logIn(alice, { password: "guess" })).body.errcode).toBe("M_FORBIDDEN");
  await accounts?.unlock(alice);
  const { body } = await logIn(alice);
  await accounts?.deactivate(alice);
  expect(await logIn(alice)).toMatchObject({
    status: 403,
    body: { errcode: "M_USER_DEACTIVATED" },
  });
  expect(await isActive(body.access_token)).toBe(false);
});

test("refreshes again and again", async () => {
  const { body } = await logIn(await service.newUser(), { refresh_token: true });
  expect(body.expires_in_ms).toBe(300_000);
  expect((await introspect(service.base, body.access_token)).expires_in).toBeGreaterThan(0);
  const refresh = (token: unknown) => sendJson(url("refresh"), { refresh_token: token });
  const first = await refresh(body.refresh_token);
  expect(first.body.expires_in_ms).toBe(300_000);
  expect(await isActive(first.body.access_token)).toBe(true);
  const second = await refresh(first.body.refresh_token);
  expect(second.status).toBe(200);
  expect(await refresh(body.refresh_token)).toMatchObject({
    status: 401,
    body: { errcode: "M_UNKNOWN_TOKEN", soft_logout: false },
  });
  expect(await isActive(second.body.access_token)).toBe(true);
  expect((await refresh(body.refresh_token)).status).toBe(401);
  // Two refreshes ago: somebody else has it.
  expect(await isActive(second.body.access_token)).toBe(false);
  expect(await sendJson(url("refresh"), {})).toMatchObject({
    status: 400,
    body: { errcode: "M_MISSING_PARAM" },
  });
});

test("a token of an abandoned, an ended or an expired session logs nobody out", async () => {
  const { body } = await logIn(await service.newUser(), { refresh_token: true });
  const refresh = () => sendJson(url("refresh"), { refresh_token: body.refresh_token });
  const logOut = (token: unknown) => sendJson(url("logout"), {}, String(token));
  const unknown = (isSoft: boolean) => ({
    status: 401,
    body: { errcode: "M_UNKNOWN_TOKEN", soft_logout: isSoft },
  });
  const [one, other] = [await refresh(), await refresh()];
  expect(await isActive(one.body.access_token)).toBe(true);
  expect(await logOut(other.body.access_token)).toMatchObject(unknown(false));
  const inQuery = `${url("logout")}?access_token=${one.body.access_token}`;
  expect((await sendJson(inQuery, {})).status).toBe(200);
  expect(await logOut(one.body.access_token)).toMatchObject(unknown(false));
  const issued = await service.running.capabilities.managesAccounts?.issueToken({
    localpart: await service.newUser(),
    scope: "urn:matrix:client:api:*",
    expiresInS: 1,
  });
  await expect.poll(() => isActive(issued?.accessToken)).toBe(false);
  expect(await logOut(issued?.accessToken)).toMatchObject(unknown(true));
});

test("answers what it has not got, and what it can not do now, as homeservers do", async () => {
  const get = async (name: string) => {
    const { statusCode, body } = await request(url(name));
    return { status: statusCode, body: await body.json() };
  };
  const unrecognized = { errcode: "M_UNRECOGNIZED" };
  expect(await get("sync")).toMatchObject({ status: 404, body: unrecognized });
  expect(await get("login/sso/redirect/idp?redirectUrl=https://client.example/")).toMatchObject({
    status: 404,
    body: unrecognized,
  });
  expect(await get("logout")).toMatchObject({ status: 405, body: unrecognized });
  const alice = await service.newUser();
  service.answerWith(500);
  const refused = await logIn(alice);
  service.answerWith(200);
  expect(refused).toMatchObject({ status: 503, body: { errcode: "M_UNKNOWN" } });
  service.answerWith(400, "upsert_device");
  const odd = await logIn(alice);
  service.answerWith(200);
  expect(odd).toMatchObject({ status: 400, body: { errcode: "M_INVALID_PARAM" } });
  const large = await send(url("login"), JSON.stringify({ filling: "x".repeat(70_000) }), {});
  expect(large).toMatchObject({ status: 400, body: { errcode: "M_NOT_JSON" } });
});

test("logs out one session, or all of the legacy API", async () => {
  const alice = await service.newUser();
  const tokens = [await logIn(alice), await logIn(alice), await logIn(alice)].map(
    ({ body }) => body.access_token,
  );
  const client = await ClientForSpecs.register(service.base);
  const { access_token: oauth } = await client.signIn(alice, "ABCDEFGHIJ");
  const logOut = (name: string, token: unknown) => sendJson(url(name), {}, String(token));
  expect(await logOut("logout", tokens[0])).toMatchObject({ status: 200, body: {} });
  expect(service.told.at(-1)?.name).toBe("delete_device");
  expect(await Promise.all(tokens.map(isActive))).toEqual([false, true, true]);
  expect((await logOut("logout/all", tokens[1])).status).toBe(200);
  expect(await Promise.all(tokens.map(isActive))).toEqual([false, false, false]);
  expect((await logOut("logout", oauth)).status).toBe(401);
  expect(await isActive(oauth)).toBe(true);
  expect((await sendJson(url("logout"), {})).body.errcode).toBe("M_MISSING_TOKEN");
});

test("keeps the two APIs apart", async () => {
  const alice = await service.newUser();
  const { body } = await logIn(alice, { refresh_token: true });
  const client = await ClientForSpecs.register(service.base);
  const oauth = await client.signIn(alice, "ABCDEFGHIJ");
  await sendForm(`${service.base}oauth2/revoke`, { token: String(body.access_token) });
  expect((await client.refresh(body.refresh_token)).body.error).toBe("invalid_grant");
  const refreshed = await sendJson(url("refresh"), { refresh_token: oauth.refresh_token });
  expect(refreshed.status).toBe(401);
  for (const { access_token } of [body, oauth]) expect(await isActive(access_token)).toBe(true);
});

test("a login on a device ends the session of the other API on it", async () => {
  const alice = await service.newUser();
  const client = await ClientForSpecs.register(service.base);
  const { access_token } = await client.signIn(alice, "ABCDEFGHIJ");
  expect((await logIn(alice, { device_id: "ABCDEFGHIJ" })).status).toBe(200);
  expect(await isActive(access_token)).toBe(false);
});

const sso = (redirectUrl: string, more: Record<string, string> = {}) =>
  `${url("login/sso/redirect")}?${new URLSearchParams({ redirectUrl, ...more })}`;

test.each(["login", "register"])("logs in by the browser, to %s", async (action) => {
  const browser = new BrowserForSpecs(service.base);
  const shown = await browser.open(sso("https://client.example/?kept=1", { action }));
  expect(shown.page).toBe(action);
  const user = action === "login" ? await service.newUser() : "ssonewcomer";
  const consent = await browser.submit(shown, {
    username: user,
    password: "secret",
    ...(action === "login" ? {} : { password_confirm: "secret" }),
  });
  expect(consent.text).toContain("https://client.example/?kept=1");
  expect(consent.text).toContain(user);
  for (const fields of [{ action: "consent", csrf: "forged" }, { action: "other" }, {}])
    expect(await browser.submit(consent, fields)).toMatchObject({ status: 403, left: undefined });
  const { left = "", headers } = await browser.submit(consent, { action: "consent" });
  expect(headers["cache-control"]).toBe("no-store");
  const { searchParams } = new URL(left);
  expect(searchParams.get("kept")).toBe("1");
  const token = searchParams.get("loginToken");
  const answer = await sendJson(url("login"), { type: "m.login.token", token });
  expect(answer).toMatchObject({ status: 200, body: { user_id: `@${user}:hs1:8448` } });
  const again = await sendJson(url("login"), { type: "m.login.token", token });
  expect(again).toMatchObject({ status: 403, body: { errcode: "M_FORBIDDEN" } });
});

test.each([
  "javascript:alert(1)",
  "JavaScript:alert(1)",
  "data:text/html,x",
  "vbscript:x",
  "file:///etc/passwd",
  "blob:https://client.example/x",
  "about:blank",
  "filesystem:https://client.example/x",
  "nonsense",
])("sends no browser to %s", async (redirectUrl) => {
  const { statusCode, body } = await request(sso(redirectUrl));
  await body.dump();
  expect(statusCode).toBe(400);
  const page = await new BrowserForSpecs(service.base).open(
    `${service.base}sso?${new URLSearchParams({ redirectUrl })}`,
  );
  expect(page).toMatchObject({ status: 400, page: "error" });
});
