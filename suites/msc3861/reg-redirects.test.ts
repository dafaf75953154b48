import { lists } from "#harness/clients/oauth/metadata";
import { DEVICE_CODE_GRANT } from "#harness/clients/oauth/registration";
import { authClient } from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { REGISTER, REGISTERS_ANYTHING, REGISTERS_NOTHING } from "./mutants.ts";
import {
  expectRefusals,
  expectTaken,
  expectTakenOrRefused,
  native,
  VALID,
  web,
  without,
} from "./registrations.ts";

const REDIRECT = ["invalid_redirect_uri"];
const ANYTHING = { mutant: REGISTERS_ANYTHING };
const BOTH = { mutant: [REGISTERS_ANYTHING, REGISTERS_NOTHING] };

check(
  "MSC3861.reg.base-suffix-trick",
  "the server does not take a longer name for a subdomain",
  ANYTHING,
  (world) => expectRefusals(world, REDIRECT, web("https://evilexample.com/cb")),
);

check(
  "MSC3861.reg.redirect-fragment",
  "the server refuses redirect URIs with a fragment",
  ANYTHING,
  (world) =>
    expectRefusals(
      world,
      REDIRECT,
      web("https://example.com/cb#f"),
      native("com.example.app:/cb#f"),
    ),
);

check(
  "MSC3861.reg.web-https",
  "the server refuses redirect URIs of web clients over http",
  ANYTHING,
  (world) =>
    expectRefusals(world, REDIRECT, web("http://example.com/cb"), {
      ...web("http://localhost/"),
      client_uri: "https://localhost/",
    }),
);

check(
  "MSC3861.reg.web-userinfo",
  "the server refuses redirect URIs of web clients with a password",
  ANYTHING,
  (world) => expectRefusals(world, REDIRECT, web("https://u:p@example.com/cb")),
);

check(
  "MSC3861.reg.web-base",
  "the server takes redirect URIs of web clients on their host and below it only",
  BOTH,
  async (world) => {
    await expectRefusals(world, REDIRECT, web("https://evil.org/cb"));
    await expectTaken(world, web("https://app.example.com/cb"));
  },
);

check(
  "MSC3861.reg.web-query-port",
  "the server takes a redirect URI with port and query as it is",
  {
    mutant: [
      REGISTERS_NOTHING,
      altersAnswer(
        "drops the query",
        { ...REGISTER, status: 201 },
        { set: { "/redirect_uris": ["https://example.com:5173/"] } },
      ),
    ],
  },
  async (world) => {
    const uri = "https://example.com:5173/?query=value";
    const [response] = await expectTaken(world, web(uri));

    expectEqual(at(response?.json, "redirect_uris"), [uri], "redirect_uris", response);
  },
);

check(
  "MSC3861.reg.app-type-default",
  "the server takes a client without application_type for a web client",
  ANYTHING,
  (world) =>
    expectRefusals(
      world,
      REDIRECT,
      without("application_type", native("com.example.app:/callback")),
      without("application_type", native("http://localhost/callback")),
    ),
);

check(
  "MSC3861.reg.native-private-scheme",
  "the server takes schemes that are the reversed host, with a slash and without",
  { mutant: REGISTERS_NOTHING },
  async (world) => {
    await expectTaken(
      world,
      native("com.example.app:/callback"),
      native("com.example:/"),
      native("com.example:callback"),
    );
  },
);

check(
  "MSC3861.reg.native-scheme-mismatch",
  "the server refuses schemes that do not begin with the reversed host",
  ANYTHING,
  async (world) => {
    await expectRefusals(
      world,
      REDIRECT,
      native("example:/callback"),
      native("org.evil.app:/callback"),
    );
    // By the letter it begins with the reversed host, by intent it does not.
    await expectTakenOrRefused(world, native("com.examplefoo:/"));
  },
);

check(
  "MSC3861.reg.native-authority",
  "the server refuses a private-use scheme with an authority",
  ANYTHING,
  (world) => expectRefusals(world, REDIRECT, native("com.example.app://callback")),
);

check(
  "MSC3861.reg.native-loopback",
  "the server takes http on loopback from native clients, and on no other address",
  BOTH,
  async (world) => {
    await expectTaken(
      world,
      native("http://localhost/callback"),
      native("http://127.0.0.1/callback"),
      native("http://[::1]/callback"),
    );
    await expectRefusals(world, REDIRECT, native("http://10.0.0.1/cb"));
  },
);

check(
  "MSC3861.reg.native-loopback-port",
  "the server refuses a loopback redirect URI with a port",
  ANYTHING,
  (world) => expectRefusals(world, REDIRECT, native("http://localhost:1234/callback")),
);

check(
  "MSC3861.reg.native-loopback-https",
  "the server refuses https on loopback",
  ANYTHING,
  (world) => expectRefusals(world, REDIRECT, native("https://localhost/callback")),
);

check(
  "MSC3861.reg.native-claimed-https",
  "the server takes https of native clients on their host and below it only",
  BOTH,
  async (world) => {
    await expectTaken(world, native("https://app.example.com/cb"));
    await expectRefusals(world, REDIRECT, native("https://evil.org/cb"));
  },
);

const DANGEROUS = [
  "javascript:alert(1)",
  "data:text/html,hello",
  "file:///etc/passwd",
  "vbscript:x",
  "blob:https://example.com/x",
  "about:blank",
];

check(
  "MSC3861.reg.dangerous-schemes",
  "the server refuses redirect URIs that browsers run or open themselves",
  ANYTHING,
  (world) =>
    expectRefusals(
      world,
      REDIRECT,
      ...DANGEROUS.map((uri) => web(uri)),
      ...DANGEROUS.map((uri) => native(uri)),
    ),
);

check(
  "MSC3861.reg.device-only-no-redirect",
  "the server registers a client of the device grant without redirect URIs",
  { mutant: REGISTERS_NOTHING },
  async (world) => {
    const { metadata } = await authClient(world);
    if (!lists(metadata, "grant_types_supported", DEVICE_CODE_GRANT))
      throw new Unsupported("device-grant", "the device grant is not listed");

    await expectTaken(world, {
      ...without("redirect_uris", VALID),
      application_type: "native",
      grant_types: [DEVICE_CODE_GRANT, "refresh_token"],
      response_types: [],
    });
  },
);
