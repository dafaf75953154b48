import * as openid from "openid-client";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BrowserForSpecs } from "./browser-for-specs.ts";
import { SECRET, type ServiceForSpecs, startForSpecs } from "./service-for-specs.ts";

let service: ServiceForSpecs;
const REDIRECT = "https://app.example.com/cb";

beforeAll(async () => {
  service = await startForSpecs();
});

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
});

/** An independent client, with metadata as the homeserver hands it on. */
async function client(): Promise<openid.Configuration> {
  const { body } = await request(`${service.base}.well-known/openid-configuration`);
  const metadata = (await body.json()) as openid.ServerMetadata;
  const registered = await request(String(metadata.registration_endpoint), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "Spec",
      client_uri: "https://example.com/",
      redirect_uris: [REDIRECT],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
    }),
  });
  expect(registered.statusCode).toBe(201);
  const { client_id } = (await registered.body.json()) as { client_id: string };
  const configuration = new openid.Configuration(metadata, client_id, {}, openid.None());
  openid.allowInsecureRequests(configuration);
  return configuration;
}

async function signIn(configuration: openid.Configuration, localpart: string, deviceId: string) {
  const verifier = openid.randomPKCECodeVerifier();
  const state = openid.randomState();
  const url = openid.buildAuthorizationUrl(configuration, {
    redirect_uri: REDIRECT,
    scope: `openid urn:matrix:client:api:* urn:matrix:client:device:${deviceId}`,
    response_mode: "fragment",
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
  });
  const browser = new BrowserForSpecs(service.base);
  const login = await browser.open(url);
  expect(login.page).toBe("login");
  const consent = await browser.submit(login, { username: localpart, password: "secret" });
  expect(consent.page).toBe("consent");
  const { left } = await browser.submit(consent, { action: "consent" });
  const callback = new URL(String(left).replace("#", "?"));
  return await openid.authorizationCodeGrant(configuration, callback, {
    pkceCodeVerifier: verifier,
    expectedState: state,
  });
}

async function introspected(token: string) {
  const { body } = await request(`${service.base}oauth2/introspect`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${SECRET}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams({ token }).toString(),
  });
  return (await body.json()) as Record<string, unknown>;
}

test("signs a user in by an independent client, refreshes and ends the session", async () => {
  await service.running.capabilities.registersUsers?.register("alice", "secret");
  const configuration = await client();
  const tokens = await signIn(configuration, "alice", "ABCDEFGHIJ");
  expect(tokens.scope?.split(" ")).toContain("urn:matrix:client:device:ABCDEFGHIJ");
  expect(await introspected(tokens.access_token)).toMatchObject({
    active: true,
    username: "alice",
    scope: "urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ",
  });
  const refreshed = await openid.refreshTokenGrant(configuration, String(tokens.refresh_token));
  expect(await introspected(refreshed.access_token)).toMatchObject({ active: true });
  await openid.tokenRevocation(configuration, refreshed.access_token);
  expect(await introspected(refreshed.access_token)).toEqual({ active: false });
  expect(service.told.slice(-3).map(({ name }) => name)).toEqual([
    "provision_user",
    "upsert_device",
    "delete_device",
  ]);
});
