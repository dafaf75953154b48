import { expect, test } from "vitest";
import { isRefusal, readRegistration } from "./registration.ts";

const WEB = {
  client_uri: "https://example.com/",
  redirect_uris: ["https://app.example.com/cb"],
  token_endpoint_auth_method: "none",
};

function errorOf(body: unknown): string | undefined {
  const registration = readRegistration(body);
  return isRefusal(registration) ? registration.error : undefined;
}

const web = (uri: string) => errorOf({ ...WEB, redirect_uris: [uri] });
const native = (uri: string) =>
  errorOf({ ...WEB, application_type: "native", redirect_uris: [uri] });

test.each([
  "https://example.com/cb",
  "https://app.example.com/cb",
  "https://example.com:5173/?query=value",
])("web clients may register %s", (uri) => {
  expect(web(uri)).toBeUndefined();
});

test.each([
  "http://example.com/cb",
  "http://localhost/cb",
  "https://u:p@example.com/cb",
  "https://:p@example.com/cb",
  "https://evil.org/cb",
  "https://evilexample.com/cb",
  "https://example.com.evil.org/cb",
  "https://example.com/cb#f",
  "https://example.com/cb#",
  "com.example:/cb",
  "javascript:alert(1)",
  "data:text/html,x",
  "file:///etc/passwd",
  "https:\\\\evil.org\\@example.com/cb",
  " https://example.com/cb",
  "nonsense",
])("web clients may not register %s", (uri) => {
  expect(web(uri)).toBe("invalid_redirect_uri");
});

test.each([
  "com.example.app:/callback",
  "com.example:/",
  "com.example:callback",
  "http://localhost/callback",
  "http://127.0.0.1/callback",
  "http://[::1]/callback",
  "https://app.example.com/cb",
])("native clients may register %s", (uri) => {
  expect(native(uri)).toBeUndefined();
});

test.each([
  "com.example.app://callback",
  "example:/callback",
  "org.evil.app:/callback",
  "com.examplefoo:/",
  "com.example.app:/cb#f",
  "http://localhost:1234/callback",
  "http://localhost:/callback",
  "http://u:p@localhost/callback",
  "http://127.0.0.1:80/callback",
  "http://[::1]:8080/callback",
  "http://10.0.0.1/cb",
  "https://localhost/callback",
  "https://evil.org/cb",
  "javascript:alert(1)",
])("native clients may not register %s", (uri) => {
  expect(native(uri)).toBe("invalid_redirect_uri");
});

test("no client may register https on loopback, not even one whose pages are there", () => {
  const redirect_uris = ["https://localhost/callback"];
  expect(errorOf({ ...WEB, client_uri: "https://localhost/", redirect_uris })).toBe(
    "invalid_redirect_uri",
  );
});

test("a client without a type is a web client", () => {
  expect(web("com.example.app:/callback")).toBe("invalid_redirect_uri");
});

test("the code grant needs a redirect URI, the device grant alone does not", () => {
  expect(errorOf({ ...WEB, redirect_uris: [] })).toBe("invalid_redirect_uri");
  expect(errorOf({ ...WEB, redirect_uris: "https://example.com/cb" })).toBe("invalid_redirect_uri");
  const registration = readRegistration({
    client_uri: WEB.client_uri,
    application_type: "native",
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    response_types: [],
  });
  expect(registration).toMatchObject({ metadata: { redirect_uris: [], response_types: [] } });
});

test("ignores what it does not know, and keeps it out of what is registered", () => {
  const registration = readRegistration({
    ...WEB,
    grant_types: ["authorization_code", "urn:example", "refresh_token"],
    response_types: ["code", "foo"],
    x_example_flag: true,
  });
  expect(registration).toEqual({
    metadata: {
      ...WEB,
      application_type: "web",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    },
    localised: {},
  });
});

test("keeps names of other languages beside the default one", () => {
  const registration = readRegistration({ ...WEB, client_name: "App", "client_name#fr": "Appli" });
  expect(registration).toMatchObject({
    metadata: { client_name: "App" },
    localised: { "client_name#fr": "Appli" },
  });
});

test.each([
  { client_uri: undefined },
  { client_uri: "http://example.com/" },
  { client_uri: "https://u:p@example.com/" },
  { client_uri: 1 },
  { logo_uri: "http://example.com/logo" },
  { tos_uri: "https://evil.org/tos" },
  { tos_uri: "https://u:p@example.com/tos" },
  { policy_uri: "http://example.com/policy" },
  { "tos_uri#fr": "https://evil.org/tos" },
  { "client_uri#fr": "javascript:alert(1)" },
  { client_name: 7 },
  { client_name: "x".repeat(3_000) },
  { application_type: "desktop" },
  { grant_types: "authorization_code" },
  { grant_types: [] },
  { response_types: [1] },
  { response_types: ["token"] },
  { token_endpoint_auth_method: "client_secret_basic" },
])("refuses %j", (fields) => {
  expect(errorOf({ ...WEB, ...fields })).toBe("invalid_client_metadata");
});

test.each([null, [], "x", 1])("refuses a body that is %j", (body) => {
  expect(errorOf(body)).toBe("invalid_client_metadata");
});

test("pages of the client may be on subdomains and other ports", () => {
  const uris = { tos_uri: "https://www.example.com/tos", policy_uri: "https://example.com:8443/" };
  expect(errorOf({ ...WEB, ...uris })).toBeUndefined();
});

test("keeps what is said twice once", () => {
  const [uri = ""] = WEB.redirect_uris;
  const registration = readRegistration({ ...WEB, redirect_uris: [uri, uri] });
  expect(registration).toMatchObject({ metadata: { redirect_uris: [uri] } });
});

test("a client that has no use for codes has no response type", () => {
  const grant_types = ["urn:ietf:params:oauth:grant-type:device_code"];
  const registration = readRegistration({ ...WEB, grant_types, response_types: ["code"] });
  expect(registration).toMatchObject({ metadata: { response_types: [] } });
});
