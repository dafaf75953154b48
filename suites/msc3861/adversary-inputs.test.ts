import type { AuthClient } from "#harness/clients/oauth/auth-client";
import type { Landing } from "#harness/clients/oauth/browser";
import { encodeForm } from "#harness/clients/oauth/form";
import { WEB_CLIENT } from "#harness/clients/oauth/registration";
import {
  authClient,
  authorizationRequest,
  codeFor,
  exchangeParameters,
} from "#harness/clients/oauth/sign-in";
import { CheckFailure } from "#harness/errors";
import type { RequestOptions } from "#harness/http/client";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { BREAKS_ON_EXCHANGE, EXCHANGE, REGISTER, REVOKE } from "./mutants.ts";
import { stage } from "./people.ts";

const FORM = "application/x-www-form-urlencoded";
const LONG = "a".repeat(200_000);
const REFUSALS = [400, 401, 403, 404, 405, 411, 413, 414, 415, 422, 431];

function post(raw: string | Uint8Array, type: string | null = FORM): RequestOptions {
  return { raw, headers: { "content-type": type, accept: "application/json" } };
}

function multipart(pairs: readonly (readonly [string, string])[]): string {
  const parts = pairs.map(
    ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join("")}--b--\r\n`;
}

/** Token requests that are right but for one thing. */
const EXCHANGES: Readonly<
  Record<string, (form: Readonly<Record<string, string>>, text: string) => RequestOptions>
> = {
  "as multipart": (form) =>
    post(multipart(Object.entries(form)), "multipart/form-data; boundary=b"),
  "as plain text": (_, text) => post(text, "text/plain"),
  "as XML": (_, text) => post(text, "application/xml"),
  "without a type": (_, text) => post(text, null),
  "in the query": (_, text) => ({
    ...post(""),
    query: Object.fromEntries(new URLSearchParams(text)),
  }),
  "bytes that are no text": (_, text) =>
    post(Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe, 0])])),
  "bad escapes": (_, text) => post(`${text.replace("code=", "code=%zz%")}&x=%`),
  "a null byte in the code": (form) => post(encodeForm({ ...form, code: `${form.code}\u0000` })),
  "a null byte in the client": (form) =>
    post(encodeForm({ ...form, client_id: `${form.client_id}\u0000` })),
  "a null byte in the redirect URI": (form) =>
    post(encodeForm({ ...form, redirect_uri: `${form.redirect_uri}\u0000` })),
  "a null byte in the grant": (form) =>
    post(encodeForm({ ...form, grant_type: "authorization_code\u0000" })),
  "a grant in another case": (form) =>
    post(encodeForm({ ...form, grant_type: "Authorization_Code" })),
  "a code of another case": (form) =>
    post(
      encodeForm({
        ...form,
        code: form.code?.toUpperCase() === form.code ? `${form.code}A` : form.code?.toUpperCase(),
      }),
    ),
  "an empty code": (form) => post(encodeForm({ ...form, code: "" })),
  "a code as a list": (_, text) => post(text.replace("code=", "code%5B%5D=")),
  "a very long code": (form) => post(encodeForm({ ...form, code: LONG })),
  "a very long client": (form) => post(encodeForm({ ...form, client_id: LONG })),
  "the grant twice": (_, text) => post(`${text}&grant_type=refresh_token`),
  "the client twice": (_, text) => post(`${text}&client_id=other`),
  "the redirect URI twice": (_, text) => post(`${text}&redirect_uri=https%3A%2F%2Fevil.example%2F`),
  "the verifier twice": (_, text) => post(`${text}&code_verifier=${"b".repeat(43)}`),
};

check(
  "MSC3861.adv.hostile-exchange",
  "token requests that are not as they should be get an error and no tokens",
  {
    deadlineMs: 120_000,
    mutant: [
      BREAKS_ON_EXCHANGE,
      altersAnswer(
        "gives tokens all the same",
        { ...EXCHANGE, status: REFUSALS },
        { status: 200, body: { access_token: "claimed-access-token" } },
      ),
    ],
  },
  async (world) => {
    const { alice, auth, client, agent } = await stage(world);
    const problems: string[] = [];

    for (const [name, request] of Object.entries(EXCHANGES)) {
      const form = exchangeParameters(await codeFor(world, alice, { client, agent }));
      const fields = form as Readonly<Record<string, string>>;
      const options = request(fields, encodeForm(form));
      const response = await auth.request("POST", auth.metadata.tokenEndpoint, options);
      const isRefused = response.status >= 400 && response.status < 500;
      if (!isRefused) problems.push(`${name}: ${response.status}`);
      else if (at(response.json, "access_token") !== undefined) problems.push(`${name}: tokens`);
    }

    expectThat(problems.length === 0, "400 to 499 each time", problems.join("; "));
  },
);

interface Attempt {
  readonly name: string;
  readonly options: RequestOptions;
}

/** Posts each; none may break the server. */
async function expectUnbroken(auth: AuthClient, url: string, attempts: readonly Attempt[]) {
  const problems: string[] = [];
  for (const { name, options } of attempts) {
    const { status } = await auth.request("POST", url, options);
    if (status >= 500) problems.push(`${name}: ${status}`);
  }
  expectThat(problems.length === 0, "no status of 500 or more", problems.join("; "));
}

check(
  "MSC3861.adv.hostile-revocation",
  "revocations that are not as they should be do not break the server",
  { mutant: altersAnswer("breaks", { ...REVOKE, status: [200, ...REFUSALS] }, { status: 500 }) },
  async (world) => {
    const auth = await authClient(world);
    const token = (value: string) => post(encodeForm({ client_id: "c", token: value }));

    await expectUnbroken(auth, auth.metadata.revocationEndpoint, [
      { name: "as JSON", options: { body: { token: "x" } } },
      {
        name: "as multipart",
        options: post(multipart([["token", "x"]]), "multipart/form-data; boundary=b"),
      },
      { name: "without a type", options: post("token=x", null) },
      { name: "nothing", options: post("") },
      { name: "the token twice", options: post("client_id=c&token=x&token=y") },
      { name: "the token as a list", options: post("token%5B%5D=x") },
      { name: "a null byte", options: token("x\u0000y") },
      { name: "bytes that are no text", options: post(Buffer.from([0x74, 0x3d, 0xff, 0xfe])) },
      { name: "bad escapes", options: post("client_id=c&token=%zz%") },
      { name: "a very long token", options: token(LONG) },
      { name: "another alphabet", options: token("\u202e\u{1f511}") },
    ]);
  },
);

const NESTED = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;

check(
  "MSC3861.adv.hostile-registration",
  "registrations that are not as they should be do not break the server",
  {
    mutant: altersAnswer(
      "breaks",
      { ...REGISTER, status: [200, 201, ...REFUSALS] },
      { status: 500 },
    ),
  },
  async (world) => {
    const auth = await authClient(world);
    const json = (value: unknown): RequestOptions =>
      post(JSON.stringify(value), "application/json");
    const valid = { ...WEB_CLIENT };
    const withText = (text: string) =>
      post(JSON.stringify(valid).replace(/}$/, `,${text}}`), "application/json");

    await expectUnbroken(auth, auth.metadata.registrationEndpoint, [
      { name: "null", options: json(null) },
      { name: "a list", options: json([valid]) },
      { name: "a text", options: json("x") },
      { name: "as a form", options: post(encodeForm({ client_name: "x" })) },
      { name: "without a type", options: post(JSON.stringify(valid), null) },
      {
        name: "bytes that are no text",
        options: post(Buffer.from([0x7b, 0xff, 0xfe]), "application/json"),
      },
      { name: "very deep", options: post(NESTED, "application/json") },
      { name: "very deep inside", options: withText(`"client_name":${NESTED}`) },
      { name: "very long", options: json({ ...valid, client_name: LONG }) },
      {
        name: "many redirect URIs",
        options: json({
          ...valid,
          redirect_uris: Array.from(
            { length: 2_000 },
            (_, index) => `https://app.crucible.example/${index}`,
          ),
        }),
      },
      {
        name: "a redirect URI twice",
        options: json({
          ...valid,
          redirect_uris: [...valid.redirect_uris, ...valid.redirect_uris],
        }),
      },
      {
        name: "redirect URIs of all kinds",
        options: json({ ...valid, redirect_uris: [null, 5, {}, [], ""] }),
      },
      { name: "a null byte", options: json({ ...valid, client_name: "a\u0000b" }) },
      { name: "half a letter", options: withText('"client_name":"\\ud800"') },
      { name: "a prototype", options: withText('"__proto__":{"client_id":"x"},"constructor":5') },
      { name: "a member twice", options: withText('"client_uri":"https://evil.example/"') },
      { name: "a number beyond all", options: withText('"default_max_age":1e999') },
      { name: "a name as an object", options: json({ ...valid, client_name: { toString: "x" } }) },
      { name: "grants of all kinds", options: json({ ...valid, grant_types: [null, {}, 5] }) },
      {
        name: "keys of its own",
        options: json({
          ...valid,
          jwks: { keys: [{ kty: "x" }] },
          jwks_uri: "http://evil.example/",
        }),
      },
      {
        name: "an identity of its own",
        options: json({ ...valid, client_id: "x", client_secret: "y" }),
      },
      {
        name: "languages",
        options: json({ ...valid, "client_name#": "x", "client_name#\u0000": "y", "#en": 5 }),
      },
    ]);
  },
);

/** Parameters of a request for authorization, beside or instead of the usual ones. */
const AUTHORIZATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "a null byte in the state": { state: "a\u0000b" },
  "a line break in the state": { state: "a\r\nSet-Cookie: evil=1" },
  "a long state": { state: "s".repeat(6_000) },
  "a null byte in the client": { client_id: "a\u0000b" },
  "a null byte in the scope": { scope: "urn:matrix:client:api:*\u0000" },
  "a quote in the scope": { scope: 'urn:matrix:client:api:* "' },
  "a long scope": { scope: "openid ".repeat(800) },
  "another alphabet in the device": {
    scope: "urn:matrix:client:api:* urn:matrix:client:device:\u{1f511}",
  },
  "an unknown prompt": { prompt: "evil" },
  "all prompts": { prompt: "none login consent" },
  "an age below zero": { max_age: "-1" },
  "an age of letters": { max_age: "evil" },
  "claims that are cut off": { claims: "{" },
  "claims that are deep": { claims: `${"[".repeat(2_000)}` },
  "a request object": { request: "e30.e30." },
  "a request elsewhere": { request_uri: "http://evil.example/request" },
  "a registration inside": { registration: "{}" },
  "an identity token": { id_token_hint: "e30.e30.x" },
  "a resource elsewhere": { resource: "https://evil.example/" },
  "a mode of the response that posts": { response_mode: "form_post" },
  "a mode of the response that is none": { response_mode: "evil\u0000" },
  "many languages": { ui_locales: "x ".repeat(500) },
  "a display of its own": { display: "evil" },
  "a proof of possession": { dpop_jkt: "evil" },
};

/** What is wrong with how a visit ends. */
async function endOf(visit: Promise<Landing>, redirectUri: string): Promise<string | undefined> {
  try {
    const landing = await visit;
    const isAway = landing.kind === "left" && !landing.url.startsWith(redirectUri);
    return isAway ? "sent elsewhere" : undefined;
  } catch (error) {
    if (error instanceof CheckFailure) return error.message;
    throw error;
  }
}

check(
  "MSC3861.adv.hostile-authorization",
  "requests for authorization that are not as they should be do not break the server",
  {
    mutant: altersAnswer(
      "breaks",
      { method: "GET", contains: "response_type=", status: [302, 303, ...REFUSALS] },
      { status: 500, headers: { location: null } },
    ),
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const problems: string[] = [];

    for (const [name, changes] of Object.entries(AUTHORIZATIONS)) {
      const { url } = authorizationRequest(world, client, changes);
      const seen = agent.browser.history.length;
      const problem = await endOf(agent.visit(url, { account: alice }), client.redirectUri);
      const broken = agent.browser.history.slice(seen).find(({ status }) => status >= 500);
      if (broken !== undefined) problems.push(`${name}: ${broken.status}`);
      else if (problem !== undefined) problems.push(`${name}: ${problem}`);
    }

    expectThat(problems.length === 0, "nothing broken, nobody sent elsewhere", problems.join("; "));
  },
);
