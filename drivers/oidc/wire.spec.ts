/** Methods, headers and errors of the endpoints, which protect what is in their answers. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { type Dispatcher, request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IDLE_MS } from "#harness/http/idle";
import { ClientForSpecs, REDIRECT, scopeOf, send, sendForm } from "./client-for-specs.ts";
import { SECRET, type ServiceForSpecs, startForSpecs } from "./service-for-specs.ts";

const ORIGIN = "https://app.example.com";
let service: ServiceForSpecs;
let client: ClientForSpecs;

beforeAll(async () => {
  service = await startForSpecs();
  client = await ClientForSpecs.register(service.base);
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
});

async function ask(
  method: Dispatcher.HttpMethod,
  name: string,
  headers: Record<string, string> = {},
) {
  const {
    statusCode,
    headers: got,
    body,
  } = await request(`${service.base}${name}`, {
    method,
    headers,
  });
  const text = await body.text();
  return { status: statusCode, headers: got, body: text.startsWith("{") ? JSON.parse(text) : {} };
}

test.each(["oauth2/token", "oauth2/revoke"])("%s takes POST only", async (name) => {
  expect(await ask("GET", name)).toMatchObject({
    status: 405,
    headers: { allow: "POST", "cache-control": "no-store" },
    body: { error: "invalid_request" },
  });
});

test("introspection takes POST only, of who shows the secret", async () => {
  expect(await ask("GET", "oauth2/introspect")).toMatchObject({
    status: 401,
    headers: { "www-authenticate": "Bearer" },
  });
  const url = `${service.base}oauth2/introspect`;
  const asked = await send(url, "token=x", {
    "content-type": "application/x-www-form-urlencoded",
    authorization: `bearer ${SECRET}`,
  });
  expect(asked).toMatchObject({
    status: 200,
    headers: { "cache-control": "no-store" },
    body: { active: false },
  });
});

test.each(["oauth2/token", "oauth2/revoke", "oauth2/registration", "_matrix/client/v3/login"])(
  "web clients of any origin may use %s",
  async (name) => {
    const asked = { "access-control-request-method": "POST", origin: ORIGIN };
    const { status, headers } = await ask("OPTIONS", name, {
      ...asked,
      "access-control-request-headers": "content-type",
    });
    expect(status).toBe(204);
    expect(["*", ORIGIN]).toContain(headers["access-control-allow-origin"]);
    expect(headers["access-control-allow-methods"]).toContain("POST");
    expect(headers["access-control-allow-headers"]).toContain("content-type");
  },
);

test("answers to web clients can be read by them, errors too", async () => {
  for (const form of [{ grant_type: "refresh_token", refresh_token: "x" }, {}]) {
    const { headers } = await send(
      `${service.base}oauth2/token`,
      new URLSearchParams({ client_id: client.id, ...form }).toString(),
      { "content-type": "application/x-www-form-urlencoded", origin: ORIGIN },
    );
    expect(["*", ORIGIN]).toContain(headers["access-control-allow-origin"]);
  }
  const json = { "content-type": "application/json", origin: ORIGIN };
  for (const name of ["token", "revoke", "registration"]) {
    const { status, headers } = await send(`${service.base}oauth2/${name}`, "[]", json);
    expect(status).toBe(400);
    expect(["*", ORIGIN]).toContain(headers["access-control-allow-origin"]);
  }
});

test.each(["token", "revoke"])("%s takes forms that say everything once", async (name) => {
  const url = `${service.base}oauth2/${name}`;
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const bad = { status: 400, body: { error: "invalid_request" } };
  const body = `client_id=${client.id}&grant_type=refresh_token&refresh_token=x&token=y`;
  expect(await send(url, `${body}&token=y`, form)).toMatchObject(bad);
  expect(await send(url, body, { "content-type": "application/json" })).toMatchObject(bad);
  expect(await send(url, `${body}&filling=${"x".repeat(70_000)}`, form)).toMatchObject(bad);
});

test("what is registered has to be JSON, of a size that can be kept", async () => {
  const url = `${service.base}oauth2/registration`;
  const json = { "content-type": "application/json" };
  const bad = { status: 400, body: { error: "invalid_client_metadata" } };
  expect(await send(url, "{", json)).toMatchObject(bad);
  const metadata = {
    client_uri: "https://example.com/",
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: "none",
  };
  expect((await send(url, JSON.stringify(metadata), json)).status).toBe(201);
  const filling = "x".repeat(70_000);
  expect(await send(url, JSON.stringify({ ...metadata, filling }), json)).toMatchObject(bad);
});

test("text that is not UTF-8 is refused", async () => {
  const { statusCode, body } = await request(`${service.base}_matrix/client/v3/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: Buffer.from('{"type":"m.login.\xff"}', "latin1"),
  });
  expect(statusCode).toBe(400);
  expect(await body.json()).toMatchObject({ errcode: "M_NOT_JSON" });
});

test("what ends a session is kept by no cache", async () => {
  const answer = await sendForm(`${service.base}oauth2/revoke`, { token: "x" });
  expect(answer).toMatchObject({ status: 200, headers: { "cache-control": "no-store" } });
});

test("pages can not be framed, kept, or made to load or run anything", async () => {
  const { headers } = await ask("GET", "account");
  expect(headers).toMatchObject({
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
  });
  const policy = String(headers["content-security-policy"]).split("; ");
  expect(policy).toEqual([
    "default-src 'none'",
    expect.stringMatching(/^style-src 'sha256-[\w+/=]+'$/),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ]);
});

test("a page that is sent no form is an error page", async () => {
  const { statusCode, body } = await request(`${service.base}device`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(statusCode).toBe(400);
  expect(await body.text()).toContain('data-page="error"');
});

test("whoever asks by another name hears of the issuer's", async () => {
  const { host, port } = service.running.address();
  const { body } = await request(`http://${host}:${port}/.well-known/openid-configuration`);
  const metadata = (await body.json()) as Record<string, unknown>;
  for (const name of ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"])
    expect(metadata[name]).toContain(service.base);
});

test("offers nothing of its library that a homeserver knows nothing of", async () => {
  const { body } = await ask("GET", ".well-known/openid-configuration");
  for (const name of [
    "pushed_authorization_request_endpoint",
    "end_session_endpoint",
    "userinfo_endpoint",
    "dpop_signing_alg_values_supported",
  ])
    expect(body).not.toHaveProperty(name);
});

test("tells the homeserver what the client is called, and the client for how long", async () => {
  const alice = await service.newUser();
  const answer = await client.redeem(await client.authorize(alice, "ABCDEFGHIJ"));
  expect(answer).toMatchObject({
    status: 200,
    headers: { "cache-control": "no-store" },
    body: { token_type: "Bearer", expires_in: 300, scope: scopeOf("ABCDEFGHIJ") },
  });
  const upsert = service.told.find(
    ({ name, body }) => name === "upsert_device" && body.localpart === alice,
  );
  expect(upsert?.body).toMatchObject({ device_id: "ABCDEFGHIJ", display_name: "Spec" });
});

test("a device that the homeserver has not got is gone", async () => {
  const { access_token } = await client.signIn(await service.newUser(), "ABCDEFGHIJ");
  service.answerWith(404, "delete_device");
  const { status } = await sendForm(`${service.base}oauth2/revoke`, {
    token: String(access_token),
  });
  service.answerWith(200);
  expect(status).toBe(200);
});

test("the admin side is for who knows its secret, which lies in a file of its owner", async () => {
  const file = path.join(service.workFolder, "settings.json");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { host, port } = JSON.parse(readFileSync(file, "utf8")).control;
  const asked = await send(
    `http://${host}:${port}/`,
    JSON.stringify({ name: "sessions", parameters: ["alice"] }),
    { authorization: "Bearer guess" },
  );
  expect(asked).toMatchObject({ status: 401, body: { trouble: "the secret is wrong" } });
  // The driver must not meet a connection that is being closed while it waits in between.
  expect(asked.headers["keep-alive"]).toBe(`timeout=${IDLE_MS / 1000}`);
});

test("leaves no process and no file behind when it is stopped", async () => {
  await using own = await startForSpecs();
  const { host, port } = own.running.address();
  await own.running[Symbol.asyncDispose]();
  expect(existsSync(own.workFolder)).toBe(false);
  await expect(request(`http://${host}:${port}/`)).rejects.toThrow("ECONNREFUSED");
});
