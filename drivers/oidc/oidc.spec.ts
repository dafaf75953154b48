import * as openid from "openid-client";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BrowserForSpecs } from "./browser-for-specs.ts";
import {
  ClientForSpecs,
  introspect,
  REDIRECT,
  scopeOf,
  send,
  sendForm,
  sendJson,
} from "./client-for-specs.ts";
import { SECRET, type ServiceForSpecs, startForSpecs } from "./service-for-specs.ts";

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
const revoke = (token: unknown, more: Record<string, string> = {}) =>
  sendForm(`${service.base}oauth2/revoke`, { token: String(token), ...more });

test("signs a user in by an independent client, refreshes and ends the session", async () => {
  const alice = await service.newUser();
  const { body } = await request(`${service.base}.well-known/openid-configuration`);
  const metadata = (await body.json()) as openid.ServerMetadata;
  const configuration = new openid.Configuration(metadata, client.id, {}, openid.None());
  openid.allowInsecureRequests(configuration);
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const url = openid.buildAuthorizationUrl(configuration, {
    redirect_uri: REDIRECT,
    scope: `openid ${scopeOf("ABCDEFGHIJ")}`,
    response_mode: "fragment",
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: "reserved: &+%=#",
  });
  const browser = new BrowserForSpecs(service.base);
  const consent = await browser.submit(await browser.open(url), {
    username: alice,
    password: "secret",
  });
  const { left = "" } = await browser.submit(consent, { action: "consent" });
  expect(new URL(left).search).toBe("");
  const tokens = await openid.authorizationCodeGrant(
    configuration,
    new URL(left.replace("#", "?")),
    { pkceCodeVerifier, expectedState: "reserved: &+%=#" },
  );
  expect(await introspect(service.base, tokens.access_token)).toMatchObject({
    active: true,
    username: alice,
    scope: scopeOf("ABCDEFGHIJ"),
  });
  expect(tokens.claims()?.sub).toBe(alice);
  expect(service.toldOf(alice)).toEqual(["provision_user", "provision_user", "upsert_device"]);
  const refreshed = await openid.refreshTokenGrant(configuration, String(tokens.refresh_token));
  expect(await isActive(refreshed.access_token)).toBe(true);
  await openid.tokenRevocation(configuration, refreshed.access_token);
  expect(await isActive(refreshed.access_token)).toBe(false);
  expect(service.toldOf(alice).at(-1)).toBe("delete_device");
});

test("keeps accounts, sessions and tokens through SIGKILL", async () => {
  const alice = await service.newUser();
  const granted = await client.authorize(alice, "ABCDEFGHIJ");
  const kept = await client.signIn(alice, "OTHEROTHER");
  await service.running.capabilities.killable?.kill();
  await service.running.capabilities.restartable?.restart();
  expect(await isActive(kept.access_token)).toBe(true);
  expect((await client.refresh(kept.refresh_token)).status).toBe(200);
  expect((await client.redeem(granted)).status).toBe(200);
});

test("publishes what the specification asks for", async () => {
  const { body } = await request(`${service.base}.well-known/openid-configuration`);
  expect(await body.json()).toMatchObject({
    issuer: service.base,
    account_management_uri: `${service.base}account`,
    response_types_supported: ["code"],
    code_challenge_methods_supported: ["S256"],
    grant_types_supported: expect.arrayContaining([
      "authorization_code",
      "refresh_token",
      "urn:ietf:params:oauth:grant-type:device_code",
    ]),
    response_modes_supported: expect.arrayContaining(["query", "fragment"]),
    prompt_values_supported: expect.arrayContaining(["create"]),
    registration_endpoint: expect.stringContaining(service.base),
    revocation_endpoint: expect.stringContaining(service.base),
    device_authorization_endpoint: expect.stringContaining(service.base),
  });
});

test("registers a client with its names in other languages", async () => {
  const { status, body } = await sendJson(`${service.base}oauth2/registration`, {
    client_name: "App",
    "client_name#fr": "Appli",
    client_uri: "https://example.com/",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token", "urn:example"],
    token_endpoint_auth_method: "none",
  });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    client_id: expect.any(String),
    client_name: "App",
    "client_name#fr": "Appli",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
  });
  expect(body).not.toHaveProperty("localised");
  const broken = await send(`${service.base}oauth2/registration`, "{", {
    "content-type": "application/json",
  });
  expect(broken).toMatchObject({ status: 400, body: { error: expect.any(String) } });
});

test.each([
  { why: "a wrong verifier", fields: { code_verifier: "x".repeat(43) }, error: "invalid_grant" },
  { why: "no verifier", fields: { code_verifier: undefined }, error: "invalid_grant" },
  {
    why: "another redirect URI",
    fields: { redirect_uri: "https://app.example.com/other" },
    error: "invalid_grant",
  },
  { why: "no redirect URI", fields: { redirect_uri: undefined }, error: "invalid_request" },
  { why: "no grant", fields: { grant_type: undefined }, error: "invalid_request" },
  {
    why: "an unknown grant",
    fields: { grant_type: "urn:example:none" },
    error: "unsupported_grant_type",
  },
  { why: "no client", fields: { client_id: undefined }, error: "invalid_request" },
])("gives no token for a code with $why", async ({ fields, error }) => {
  const granted = await client.authorize(await service.newUser(), "ABCDEFGHIJ");
  expect(await client.redeem(granted, fields)).toMatchObject({ status: 400, body: { error } });
});

test("gives no token to another client, nor for fields that come twice", async () => {
  const granted = await client.authorize(await service.newUser(), "ABCDEFGHIJ");
  const other = await ClientForSpecs.register(service.base);
  expect(await other.redeem(granted)).toMatchObject({
    status: 400,
    body: { error: "invalid_grant" },
  });
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: client.id,
    code: granted.code,
    code_verifier: granted.verifier,
    redirect_uri: REDIRECT,
  });
  const twice = await send(`${service.base}oauth2/token`, `${form}&code=other`, {
    "content-type": "application/x-www-form-urlencoded",
  });
  expect(twice).toMatchObject({ status: 400, body: { error: "invalid_request" } });
});

test("a code that comes twice ends what it gave", async () => {
  const alice = await service.newUser();
  const granted = await client.authorize(alice, "ABCDEFGHIJ");
  const { body } = await client.redeem(granted);
  expect(await client.redeem(granted)).toMatchObject({
    status: 400,
    body: { error: "invalid_grant" },
  });
  expect(await isActive(body.access_token)).toBe(false);
  expect((await client.refresh(body.refresh_token)).status).toBe(400);
  expect(service.toldOf(alice).at(-1)).toBe("delete_device");
});

test("who brings a code again is answered once its device is gone", async () => {
  const alice = await service.newUser();
  const granted = await client.authorize(alice, "ABCDEFGHIJ");
  await client.redeem(granted);
  const release = service.hold("delete_device");
  let isAnswered = false;
  const again = client.redeem(granted).then((answer) => {
    isAnswered = true;
    return answer;
  });
  await expect.poll(() => service.toldOf(alice).at(-1)).toBe("delete_device");
  // An answer that waited for nothing would have come before this one.
  await isActive("nonsense");
  expect(isAnswered).toBe(false);
  release();
  expect((await again).status).toBe(400);
});

test("a code that comes several times at once gives tokens once", async () => {
  const granted = await client.authorize(await service.newUser(), "ABCDEFGHIJ");
  const answers = await Promise.all(Array.from({ length: 5 }, () => client.redeem(granted)));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.sort()).toEqual([200, 400, 400, 400, 400]);
  // The others are a sign that the code is not the client's alone.
  const given = answers.find(({ status }) => status === 200);
  expect(await isActive(given?.body.access_token)).toBe(false);
});

test("a client can try again when the homeserver gave no answer", async () => {
  const granted = await client.authorize(await service.newUser(), "ABCDEFGHIJ");
  service.answerWith(500);
  const refused = await client.redeem(granted);
  service.answerWith(200);
  expect(refused.status).toBe(503);
  expect((await client.redeem(granted)).status).toBe(200);
});

test("a sign-in that fails half way leaves no device behind", async () => {
  const alice = await service.newUser();
  const granted = await client.authorize(alice, "ABCDEFGHIJ");
  service.answerWith(500, "upsert_device");
  const refused = await client.redeem(granted);
  expect(refused.status).toBe(503);
  await expect.poll(() => service.toldOf(alice)).toContain("delete_device");
  service.answerWith(200);
  const { status, body } = await client.redeem(granted);
  expect(status).toBe(200);
  expect(await isActive(body.access_token)).toBe(true);
});

test.each([
  { why: "no PKCE", fields: { code_challenge: undefined, code_challenge_method: undefined } },
  { why: "plain", fields: { code_challenge_method: "plain" } },
  { why: "an unknown method", fields: { code_challenge_method: "S512" } },
  { why: "a short challenge", fields: { code_challenge: "tooshort" } },
  { why: "no response type", fields: { response_type: undefined } },
  {
    why: "two devices",
    fields: { scope: `${scopeOf("A")} ${scopeOf("B")}` },
    error: "invalid_scope",
  },
  { why: "no device", fields: { scope: "urn:matrix:client:api:*" }, error: "invalid_scope" },
  { why: "no scope", fields: { scope: undefined }, error: "invalid_scope" },
  { why: "an unknown scope", fields: { scope: `${scopeOf("A")} urn:foo` }, error: "invalid_scope" },
  {
    why: "a device that is not ASCII",
    fields: { scope: `${scopeOf("ABCDEFGHIÄ")}` },
    error: "invalid_scope",
  },
  {
    why: "implicit tokens",
    fields: { response_type: "token", response_mode: "fragment" },
    error: "unsupported_response_type",
  },
  {
    why: "another resource",
    fields: { resource: "https://evil.example/" },
    error: "invalid_target",
  },
  { why: "prompt none", fields: { prompt: "none" }, error: "login_required" },
])("sends a request with $why back", async ({ fields, error = "invalid_request" }) => {
  const { left = "" } = await client.open({ scope: scopeOf("ABCDEFGHIJ"), ...fields });
  const { searchParams } = new URL(left.replace("#", "?"));
  expect(Object.fromEntries(searchParams)).toMatchObject({ error, state: "a state" });
});

test.each([
  { redirect_uri: "https://evil.org/cb" },
  { redirect_uri: "https://app.example.com/CB" },
  { redirect_uri: "https://app.example.com/cb/" },
  { redirect_uri: "https://app.example.com/x/../cb" },
  { redirect_uri: "https://app.example.com:8443/cb" },
  { redirect_uri: "https://app.example.com/cb?x=1" },
  { redirect_uri: undefined },
  { client_id: "unknown" },
])("shows an error for %j, and sends nobody there", async (fields) => {
  const shown = await client.open({ scope: scopeOf("ABCDEFGHIJ"), ...fields });
  expect(shown.left).toBeUndefined();
  expect(shown.status).toBe(400);
  expect(shown.page).toBe("error");
});

test("a native client may use any port of loopback, and no other path", async () => {
  const native = await ClientForSpecs.register(service.base, {
    application_type: "native",
    redirect_uris: ["http://localhost/callback", "com.example.app:/cb?query=value"],
  });
  const alice = await service.newUser();
  const { callback } = await native.authorize(alice, "ABCDEFGHIJ", {
    redirect_uri: "http://localhost:43123/callback",
  });
  expect(callback.host).toBe("localhost:43123");
  const kept = await native.authorize(alice, "ABCDEFGHIJ", {
    redirect_uri: "com.example.app:/cb?query=value",
  });
  expect(kept.callback.searchParams.get("query")).toBe("value");
  const shown = await native.open({ redirect_uri: "http://localhost:1/other" });
  expect(shown).toMatchObject({ left: undefined, status: 400 });
});

test("sends a user who does not agree back with access_denied", async () => {
  const browser = new BrowserForSpecs(service.base);
  const login = await client.open({ scope: scopeOf("ABCDEFGHIJ") }, browser);
  const consent = await browser.submit(login, {
    username: await service.newUser(),
    password: "secret",
  });
  const { left = "" } = await browser.submit(consent, { action: "reject" });
  const { searchParams } = new URL(left);
  expect(searchParams.get("error")).toBe("access_denied");
  expect(searchParams.get("state")).toBe("a state");
});

test("asks for consent each time, also for a device that has it", async () => {
  const browser = new BrowserForSpecs(service.base);
  await client.authorize(await service.newUser(), "ABCDEFGHIJ", {}, browser);
  const again = await client.open({ scope: scopeOf("ABCDEFGHIJ") }, browser);
  expect(again.page).toBe("consent");
});

test("takes no wrong password and no form of elsewhere", async () => {
  const browser = new BrowserForSpecs(service.base);
  const login = await client.open({ scope: scopeOf("ABCDEFGHIJ") }, browser);
  const alice = await service.newUser();
  const wrong = await browser.submit(login, { username: alice, password: "guess" });
  expect(wrong).toMatchObject({ status: 403, page: "login" });
  const consent = await browser.submit(wrong, { username: alice, password: "secret" });
  const forged = await browser.submit(consent, { action: "consent", csrf: "forged" });
  expect(forged).toMatchObject({ status: 403, page: "consent", left: undefined });
});

test("shows what a client says of itself as text, in pages that nobody frames", async () => {
  const hostile = await ClientForSpecs.register(service.base, {
    client_name: `<script>alert(1)</script>"'`,
    tos_uri: "https://example.com/tos",
    policy_uri: "https://example.com/policy",
  });
  const browser = new BrowserForSpecs(service.base);
  const login = await hostile.open(
    { scope: scopeOf("ABCDEFGHIJ"), login_hint: `"><script>` },
    browser,
  );
  expect(login.headers["x-frame-options"]).toBe("DENY");
  const consent = await browser.submit(login, {
    username: await service.newUser(),
    password: "secret",
  });
  for (const { text } of [login, consent]) expect(text).not.toContain("<script");
  expect(login.text).toContain('value="&quot;&gt;&lt;script&gt;"');
  expect(consent.text).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;");
  expect(consent.text).toContain("https://example.com/tos");
  expect(consent.text).toContain("https://example.com/policy");
});

test("a client can ask for a new account", async () => {
  const browser = new BrowserForSpecs(service.base);
  const register = await client.open({ scope: scopeOf("ABCDEFGHIJ"), prompt: "create" }, browser);
  expect(register.page).toBe("register");
  const [password, password_confirm] = ["secret", "secret"];
  const bad = await browser.submit(register, { username: "Not Good", password, password_confirm });
  expect(bad).toMatchObject({ status: 403, page: "register" });
  const consent = await browser.submit(bad, { username: "newcomer", password, password_confirm });
  expect(consent.page).toBe("consent");
  expect(service.toldOf("newcomer")).toEqual(["provision_user"]);
  for (const said of ["newcomer", "ABCDEFGHIJ"]) expect(consent.text).toContain(said);
  const { left = "" } = await browser.submit(consent, { action: "consent" });
  expect(new URL(left).searchParams.get("code")).not.toBeNull();
  // Who is logged in has one.
  const again = await client.open({ scope: scopeOf("OTHEROTHER"), prompt: "create" }, browser);
  expect(again.page).toBe("consent");
});

test("people can ask for a new account where a client asks for a login", async () => {
  const browser = new BrowserForSpecs(service.base);
  const login = await client.open({ scope: scopeOf("ABCDEFGHIJ") }, browser);
  const register = await browser.open(`${login.url}?register`);
  expect(register.page).toBe("register");
  service.answerWith(400, "is_localpart_available?localpart=taken");
  const [password, password_confirm] = ["secret", "secret"];
  const taken = await browser.submit(register, { username: "taken", password, password_confirm });
  service.answerWith(200);
  expect(taken).toMatchObject({ status: 403, page: "register" });
  const made = await browser.submit(taken, { username: "free", password, password_confirm });
  expect(made.page).toBe("consent");
});

test("codes live as long as a check asks for", async () => {
  const { faults } = service.running.capabilities;
  await faults?.set("code-lifetime", 1);
  const late = await client.authorize(await service.newUser(), "ABCDEFGHIJ");
  await faults?.clear();
  const soon = await client.authorize(await service.newUser(), "ABCDEFGHIJ");
  const issued = await service.running.capabilities.managesAccounts?.issueToken({
    localpart: await service.newUser(),
    scope: "urn:matrix:client:api:*",
    expiresInS: 1,
  });
  // It lives as long, and was made later.
  await expect.poll(() => isActive(issued?.accessToken)).toBe(false);
  expect(await client.redeem(late)).toMatchObject({
    status: 400,
    body: { error: "invalid_grant" },
  });
  expect((await client.redeem(soon)).status).toBe(200);
});

test("only administrators may administer", async () => {
  const scope = `${scopeOf("ABCDEFGHIJ")} urn:synapse:admin:*`;
  const { callback } = await client.authorize(await service.newUser(), "ABCDEFGHIJ", { scope });
  expect(callback.searchParams.get("error")).toBe("invalid_scope");
  const { registersUsers } = service.running.capabilities;
  const boss = await registersUsers?.register("boss", "secret", { admin: true });
  expect(await introspect(service.base, boss?.accessToken)).toMatchObject({
    scope: "urn:matrix:client:api:* urn:synapse:admin:*",
  });
  const allowed = await client.authorize("boss", "ABCDEFGHIJ", { scope });
  const { body } = await client.redeem(allowed);
  expect(String(body.scope).split(" ")).toContain("urn:synapse:admin:*");
});

test("a new sign-in on a device ends the one before", async () => {
  const alice = await service.newUser();
  const [first, other] = [
    await client.signIn(alice, "ABCDEFGHIJ"),
    await client.signIn(alice, "OTHEROTHER"),
  ];
  await isActive(first.access_token);
  const second = await client.signIn(alice, "ABCDEFGHIJ");
  expect(await isActive(first.access_token)).toBe(false);
  expect((await client.refresh(first.refresh_token)).body.error).toBe("invalid_grant");
  for (const { access_token } of [second, other]) expect(await isActive(access_token)).toBe(true);
  // Synapse had been told that the first token was good: it forgets it only when the device is gone.
  const names = service.told.map(({ name }) => name);
  expect(names.slice(names.lastIndexOf("delete_device"))).toEqual([
    "delete_device",
    "whoami",
    "upsert_device",
  ]);
});

test.each([
  { by: "access_token", more: {} },
  { by: "refresh_token", more: { token_type_hint: "access_token" } },
  { by: "access_token", more: { token_type_hint: "refresh_token", client_id: "another" } },
])("a session ends by its $by with $more", async ({ by, more }) => {
  const alice = await service.newUser();
  const [body, other] = [
    await client.signIn(alice, "ABCDEFGHIJ"),
    await client.signIn(alice, "OTHEROTHER"),
  ];
  expect((await revoke(body[by], more)).status).toBe(200);
  expect(await isActive(body.access_token)).toBe(false);
  expect((await client.refresh(body.refresh_token)).body.error).toBe("invalid_grant");
  expect(service.toldOf(alice).at(-1)).toBe("delete_device");
  expect(await isActive(other.access_token)).toBe(true);
  expect((await revoke(body[by], more)).status).toBe(200);
});

test("revocation of nothing is refused, of what is unknown not", async () => {
  expect((await revoke("nonsense")).status).toBe(200);
  expect(await sendForm(`${service.base}oauth2/revoke`, { client_id: client.id })).toMatchObject({
    status: 400,
    body: { error: "invalid_request" },
  });
});

test("a homeserver that gave no answer hears of a device's end later", async () => {
  const alice = await service.newUser();
  const { access_token } = await client.signIn(alice, "ABCDEFGHIJ");
  service.answerWith(500);
  const refused = await revoke(access_token);
  const before = service.toldOf(alice).length;
  service.answerWith(200);
  expect(refused.status).toBe(503);
  expect(await isActive(access_token)).toBe(false);
  await expect.poll(() => service.toldOf(alice).slice(before)).toContain("delete_device");
});

test("a refresh changes neither scope nor client", async () => {
  const { refresh_token } = await client.signIn(await service.newUser(), "ABCDEFGHIJ");
  const other = await ClientForSpecs.register(service.base);
  expect((await other.refresh(refresh_token)).body.error).toBe("invalid_grant");
  const wider = await client.refresh(refresh_token, { scope: scopeOf("OTHEROTHER") });
  expect(wider.body.error).toBe("invalid_scope");
  expect((await client.refresh(refresh_token)).status).toBe(200);
});

test("two refreshes at once leave one chain", async () => {
  const alice = await service.newUser();
  const { refresh_token } = await client.signIn(alice, "ABCDEFGHIJ");
  const answers = await Promise.all([client.refresh(refresh_token), client.refresh(refresh_token)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  const [one, other] = answers;
  expect((await client.refresh(one?.body.refresh_token)).status).toBe(200);
  expect((await client.refresh(other?.body.refresh_token)).status).toBe(400);
});

test("a session whose refresh token somebody else has ends, with its device", async () => {
  const alice = await service.newUser();
  const { refresh_token: stolen } = await client.signIn(alice, "ABCDEFGHIJ");
  const { body: second } = await client.refresh(stolen);
  const { body: third } = await client.refresh(second.refresh_token);
  expect(await isActive(third.access_token)).toBe(true);
  expect((await client.refresh(stolen)).body.error).toBe("invalid_grant");
  expect(await isActive(third.access_token)).toBe(false);
  expect((await client.refresh(third.refresh_token)).body.error).toBe("invalid_grant");
  expect(service.toldOf(alice).at(-1)).toBe("delete_device");
});

test("introspection is for the homeserver only", async () => {
  const url = `${service.base}oauth2/introspect`;
  expect((await sendForm(url, { token: "x" })).status).toBe(401);
  expect((await sendForm(url, { token: "x" }, "wrong")).status).toBe(401);
});

test("the admin side issues tokens, locks and ends sessions", async () => {
  const accounts = service.running.capabilities.managesAccounts;
  const alice = await service.newUser();
  const issued = await accounts?.issueToken({
    localpart: alice,
    scope: "urn:matrix:client:api:*",
    deviceId: "PERSONAL",
  });
  const token = issued?.accessToken;
  expect(await introspect(service.base, token)).toMatchObject({
    active: true,
    device_id: "PERSONAL",
  });
  await accounts?.lock(alice);
  expect(await isActive(token)).toBe(false);
  await accounts?.unlock(alice);
  expect(await isActive(token)).toBe(true);
  const [session] = (await accounts?.sessions(alice)) ?? [];
  await accounts?.endSession(String(session?.id));
  expect(await isActive(token)).toBe(false);
  expect(await accounts?.sessions(alice)).toEqual([]);
});

test("answers a homeserver from before 1.136, which asks as a client, in the names that it knows", async () => {
  const alice = await service.newUser();
  const accounts = service.running.capabilities.managesAccounts;
  const issued = await accounts?.issueToken({ localpart: alice, scope: scopeOf("OLD") });
  const ask = (secret: string) =>
    send(`${service.base}oauth2/introspect`, `token=${issued?.accessToken}`, {
      "content-type": "application/x-www-form-urlencoded",
      authorization: `Basic ${Buffer.from(`synapse:${secret}`).toString("base64")}`,
    });

  const { body } = await ask(SECRET);

  expect(String(body.scope).split(" ")).toEqual(
    expect.arrayContaining(["urn:matrix:org.matrix.msc2967.client:device:OLD"]),
  );
  expect(await ask("another")).toMatchObject({ status: 401 });
});
