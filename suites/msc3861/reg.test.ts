import {
  authClient,
  authorizationRequest,
  exchange,
  obtainCode,
} from "#harness/clients/oauth/sign-in";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectContains, expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { EXCHANGE, REGISTER, REGISTERS_NOTHING } from "./mutants.ts";
import { expectOAuthError, stage } from "./people.ts";
import {
  expectRefusedOrDropped,
  expectTaken,
  expectTakenOrRefused,
  VALID,
  web,
  withMembers,
  without,
} from "./registrations.ts";

const REGISTERED = { ...REGISTER, status: 201 };
const REDIRECT_OR_METADATA = ["invalid_redirect_uri", "invalid_client_metadata"];
const BREAKS = altersAnswer(
  "breaks instead of refusing",
  { ...REGISTER, status: [200, 201, 400] },
  { status: 500, body: { error: "server_error" } },
);

check(
  "MSC3861.reg.minimal",
  "the server registers a public web client",
  {
    mutant: [
      REGISTERS_NOTHING,
      altersAnswer("answers 200", REGISTERED, { status: 200 }),
      altersAnswer("gives no client_id", REGISTERED, { remove: ["/client_id"] }),
    ],
  },
  async (world) => {
    const [response] = await expectTaken(world, VALID);

    const type = String(response?.headers["content-type"]);
    expectThat(type.startsWith("application/json"), "content-type application/json", type);
    if (at(response?.json, "client_secret") !== undefined)
      world.note("a public client is given a secret");
  },
);

check(
  "MSC3861.reg.echo",
  "the server answers a registration with what it has registered",
  {
    mutant: [
      altersAnswer("keeps the redirect URIs to itself", REGISTERED, {
        remove: ["/redirect_uris"],
      }),
      altersAnswer("answers with the client_id alone", REGISTERED, {
        body: { client_id: "claimed" },
      }),
    ],
  },
  async (world) => {
    const [response] = await expectTaken(world, VALID);

    const names = [
      "redirect_uris",
      "grant_types",
      "response_types",
      "token_endpoint_auth_method",
      "client_name",
      "client_uri",
    ];
    for (const name of names) {
      const registered = at(response?.json, name);
      expectThat(registered !== undefined, `${name} in the answer`, registered, response);
      if (JSON.stringify(registered) !== JSON.stringify(VALID[name]))
        world.note(`the server registers another ${name}`);
    }
  },
);

check(
  "MSC3861.reg.no-store",
  "the server answers a registration",
  { mutant: REGISTERS_NOTHING },
  async (world) => {
    const [response] = await expectTaken(world, VALID);

    world.note(`Cache-Control: ${response?.headers["cache-control"] ?? "none"}`);
  },
);

check(
  "MSC3861.reg.auth-method-none",
  "the server lets a client without secret redeem a code",
  {
    mutant: [
      REGISTERS_NOTHING,
      altersAnswer(
        "asks for a secret",
        { ...EXCHANGE, status: 200 },
        { status: 401, body: { error: "invalid_client" } },
      ),
    ],
  },
  async (world) => {
    const { alice, client, agent } = await stage(world);
    const grant = await obtainCode(authorizationRequest(world, client), agent, { account: alice });

    const response = await exchange(grant);

    ok(response);
  },
);

const UNKNOWN_GRANT = "urn:example:grant";
const WITH_UNKNOWN = withMembers({
  grant_types: ["authorization_code", "refresh_token", UNKNOWN_GRANT],
  response_types: ["code", "foo"],
});

check(
  "MSC3861.reg.ignore-unknown-grants",
  "the server registers a client that names grants and response types it does not know",
  {
    mutant: [
      REGISTERS_NOTHING,
      altersAnswer("registers the unknown type alone", REGISTERED, {
        set: { "/response_types": ["foo"] },
      }),
    ],
  },
  async (world) => {
    const [response] = await expectTaken(world, WITH_UNKNOWN);

    const grants = listAt(response?.json, "grant_types");
    for (const known of ["authorization_code", "refresh_token"])
      expectThat(grants.includes(known), `${known} registered`, grants, response);
    // RFC 7591 §2: code is what a registration without response types is for. That they are told is reg.echo.
    const types = at(response?.json, "response_types") ?? ["code"];
    expectThat(Array.isArray(types) && types.includes("code"), "code registered", types, response);
  },
);

check(
  "MSC3861.reg.unknown-metadata-ignored",
  "the server ignores members that it does not know",
  { mutant: REGISTERS_NOTHING },
  async (world) => {
    await expectTaken(world, withMembers({ x_example_flag: true }));
  },
);

check(
  "MSC3861.reg.unknown-grants-not-echoed",
  "the server does not say that it has registered what it ignores",
  {
    mutant: altersAnswer("echoes the grant that it ignores", REGISTERED, {
      set: { "/grant_types/-": UNKNOWN_GRANT },
    }),
  },
  async (world) => {
    const answers = await expectTaken(world, WITH_UNKNOWN, WITH_UNKNOWN);

    for (const answer of answers) {
      const named = [at(answer.json, "grant_types"), at(answer.json, "response_types")].flat();
      expectThat(!named.includes(UNKNOWN_GRANT), "no unknown grant", named, answer);
      expectThat(!named.includes("foo"), "no unknown response type", named, answer);
    }
  },
);

check(
  "MSC3861.reg.client-uri-required",
  "the server takes a client without client_uri, or refuses it properly",
  {
    mutant: altersAnswer(
      "breaks",
      { method: "POST", contains: '"redirect_uris"' },
      { status: 500 },
    ),
  },
  (world) => expectTakenOrRefused(world, without("client_uri")),
);

check(
  "MSC3861.reg.client-uri-https",
  "the server takes a client_uri over http, or refuses it properly",
  { mutant: BREAKS },
  (world) => expectTakenOrRefused(world, withMembers({ client_uri: "http://example.com/" })),
);

check(
  "MSC3861.reg.client-uri-userinfo",
  "the server takes a client_uri with a password, or refuses it properly",
  { mutant: BREAKS },
  (world) => expectTakenOrRefused(world, withMembers({ client_uri: "https://u:p@example.com/" })),
);

/** A server that registers what it should refuse or drop. */
function registers(...members: readonly (readonly [string, string])[]) {
  return members.map(([member, value]) =>
    altersAnswer(
      `registers this ${member}`,
      { ...REGISTER, contains: `"${member}"`, status: [201, 400] },
      { status: 201, body: { client_id: "claimed", [member]: value } },
    ),
  );
}

const HTTP_LINK = "http://example.com/page";

check(
  "MSC3861.reg.logo-tos-policy-https",
  "the server refuses or drops links that are not https",
  {
    mutant: [
      ...registers(["logo_uri", HTTP_LINK], ["tos_uri", HTTP_LINK], ["policy_uri", HTTP_LINK]),
      altersAnswer(
        "registers this logo_uri in another form",
        { ...REGISTER, contains: '"logo_uri"', status: [201, 400] },
        { status: 201, body: { client_id: "claimed", logo_uri: `${HTTP_LINK}/` } },
      ),
    ],
  },
  (world) =>
    expectRefusedOrDropped(
      world,
      { member: "logo_uri", value: HTTP_LINK },
      { member: "tos_uri", value: HTTP_LINK },
      { member: "policy_uri", value: HTTP_LINK },
    ),
);

const FOREIGN_LINK = "https://evil.org/page";

check(
  "MSC3861.reg.logo-tos-policy-base",
  "the server refuses or drops links to another host, and takes those to a subdomain",
  {
    mutant: [
      ...registers(["logo_uri", FOREIGN_LINK], ["policy_uri", FOREIGN_LINK]),
      REGISTERS_NOTHING,
    ],
  },
  async (world) => {
    for (const member of ["logo_uri", "tos_uri", "policy_uri"]) {
      await expectRefusedOrDropped(world, { member, value: FOREIGN_LINK });
      await expectTaken(
        world,
        withMembers({ [member]: "https://www.example.com/page" }),
        withMembers({ [member]: "https://example.com:8443/page" }),
      );
    }
  },
);

const SECRET_LINK = "https://u:p@example.com/page";

check(
  "MSC3861.reg.tos-policy-userinfo",
  "the server refuses or drops links with a password",
  { mutant: registers(["tos_uri", SECRET_LINK], ["policy_uri", SECRET_LINK]) },
  (world) =>
    expectRefusedOrDropped(
      world,
      { member: "tos_uri", value: SECRET_LINK },
      { member: "policy_uri", value: SECRET_LINK },
    ),
);

check(
  "MSC3861.reg.public-suffix",
  "the server takes a client_uri of a public suffix, or refuses it properly",
  { mutant: BREAKS },
  (world) =>
    expectTakenOrRefused(world, {
      ...web("https://attacker.co.uk/callback"),
      client_uri: "https://co.uk/",
    }),
);

check(
  "MSC3861.reg.localized",
  "the server registers a client with localised values",
  {
    mutant: [
      REGISTERS_NOTHING,
      altersAnswer("takes the localised name for the name", REGISTERED, {
        set: { "/client_name": "Creuset" },
      }),
    ],
  },
  async (world) => {
    const [response] = await expectTaken(world, withMembers({ "client_name#fr": "Creuset" }));

    expectEqual(at(response?.json, "client_name"), VALID.client_name, "client_name", response);
    const localised = at(response?.json, "client_name#fr") ?? "Creuset";
    expectEqual(localised, "Creuset", "client_name#fr", response);
  },
);

check(
  "MSC3861.reg.localized-uri-validated",
  "the server refuses or drops a localised link to another host",
  { mutant: registers(["tos_uri#fr", FOREIGN_LINK]) },
  (world) => expectRefusedOrDropped(world, { member: "tos_uri#fr", value: FOREIGN_LINK }),
);

check(
  "MSC3861.reg.redirect-required",
  "the server registers nobody for the code grant without redirect URIs",
  {
    mutant: altersAnswer(
      "registers it all the same",
      { ...REGISTER, status: [201, 400] },
      { status: 201, body: { client_id: "claimed", grant_types: ["authorization_code"] } },
    ),
  },
  async (world) => {
    const auth = await authClient(world);

    for (const body of [without("redirect_uris"), withMembers({ redirect_uris: [] })]) {
      const response = await auth.register(body);

      if (response.status !== 201) expectOAuthError(response, 400, REDIRECT_OR_METADATA);
      else {
        const grants = listAt(response.json, "grant_types");
        const isLeftOut = !grants.includes("authorization_code");
        expectThat(isLeftOut, "no authorization_code without redirect URIs", grants, response);
      }
    }
  },
);

check(
  "MSC3861.reg.redirect-type",
  "the server refuses redirect URIs that are no list",
  { mutant: BREAKS },
  async (world) => {
    const auth = await authClient(world);
    const uri = "https://example.com/callback";

    const response = await auth.register(withMembers({ redirect_uris: uri }));

    if (response.status === 201) {
      world.note("the server is lenient: it makes a list of the text");
      expectContains(response.json, { redirect_uris: [uri] }, "the registration", response);
    } else expectOAuthError(response, 400, REDIRECT_OR_METADATA);
  },
);

check(
  "MSC3861.reg.malformed-json",
  "the server refuses a registration that is not JSON",
  {
    mutant: [
      altersAnswer("breaks", { method: "POST", status: 400 }, { status: 500 }),
      altersAnswer("answers with a page", { method: "POST", status: 400 }, { text: "<html>" }),
    ],
  },
  async (world) => {
    const auth = await authClient(world);

    const response = await auth.request("POST", auth.metadata.registrationEndpoint, {
      raw: "{",
      headers: { "content-type": "application/json" },
    });

    expectOAuthError(response, 400);
  },
);
