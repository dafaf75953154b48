import type { HttpResponse } from "#harness/http/client";
import { withQuery } from "#harness/http/client";
import { at } from "#harness/match/json";
import type { Peer } from "#harness/peer/peer";
import { formatAuthorization, signRequest, type XMatrix } from "#harness/peer/request-auth";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const PROFILE = "/_matrix/federation/v1/query/profile";
const HOUR_MS = 3_600_000;

/** Written in quotes, as the right header is. */
function quoted(parameters: XMatrix): readonly (readonly [string, string])[] {
  return Object.entries(parameters).map(([name, value]) => [name, `"${value}"`] as const);
}

function header(parameters: readonly (readonly [string, string])[], comma = ","): string {
  return `X-Matrix ${parameters.map((parameter) => parameter.join("=")).join(comma)}`;
}

type Writing = (parameters: XMatrix) => string;

const WRITINGS: Readonly<Record<string, Writing>> = {
  "parameters in another order": (parameters) => header(quoted(parameters).toReversed()),
  "upper-case names": (parameters) =>
    header(quoted(parameters).map(([name, value]) => [name.toUpperCase(), value])),
  "spaces and tabs around the commas": (parameters) => header(quoted(parameters), " \t,\t "),
  "an escape in a quoted value": (parameters) =>
    header(quoted(parameters).map(([name, value]) => [name, `"\\${value.slice(1)}`])),
  "an unknown parameter": (parameters) =>
    header([["x-unknown", '"a, b=\\"c\\""'], ...quoted(parameters), ["y", "token"]]),
};

/** Asks for alice's name under an authorization that is right, but written otherwise. */
function askForName(
  peer: Peer,
  alice: Session,
  write: Writing,
  further: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  const query = { user_id: alice.userId, field: "displayname", ...further };
  return peer.client(alice.server.serverName).request("GET", PROFILE, {
    query,
    auth: { header: write },
  });
}

function expectName(alice: Session, response: HttpResponse, how: string): void {
  expectEqual(at(ok(response), "displayname"), alice.localpart, `the name, with ${how}`, response);
}

function refusesNames(name: string, contains: string): Mutant {
  return refuses(name, { from: "peer-*", path: PROFILE, contains }, 401, "M_UNAUTHORIZED");
}

check(
  "FED.sig.header-parsing",
  "the server reads the authorization header by its grammar",
  { mutant: refusesNames("reads one way of writing only", "field=displayname") },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);

    for (const [how, write] of Object.entries(WRITINGS)) {
      expectName(alice, await askForName(peer, alice, write), how);
    }
  },
);

check(
  "FED.sig.header-parsing",
  "the server reads a value that is a token without quotes",
  { mutant: refusesNames("wants quotes around every value", "x.try=") },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const destination = alice.server.serverName;
    const request = { method: "GET", origin: peer.serverName, destination };
    // Names and key ids have colons, and most signatures a slash, so that they are no tokens.
    const hasToken = (attempt: string) => {
      const query = { user_id: alice.userId, field: "displayname", "x.try": attempt };
      const uri = withQuery(PROFILE, query);
      return !signRequest({ ...request, uri }, peer.keys.key).sig.includes("/");
    };
    const attempts = Array.from({ length: 200 }, (_, index) => String(index));
    const attempt = attempts.find(hasToken) ?? "0";

    const response = await askForName(
      peer,
      alice,
      (parameters) =>
        header(
          quoted(parameters).map(([name, value]) => [
            name,
            name === "sig" ? parameters.sig : value,
          ]),
        ),
      { "x.try": attempt },
    );

    expectName(alice, response, "a signature without quotes");
  },
);

check(
  "FED.sig.header-compat",
  "the server takes a request whose header does not name the destination",
  { mutant: refusesNames("insists on the destination", "field=displayname") },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);

    const response = await askForName(peer, alice, ({ destination: _, ...parameters }) =>
      formatAuthorization(parameters),
    );

    expectName(alice, response, "no destination");
  },
);

check(
  "FED.sig.header-compat",
  "the server takes a request whose header has colons outside of quotes",
  { mutant: refusesNames("insists on the grammar", "field=displayname") },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);

    const response = await askForName(peer, alice, (parameters) =>
      header(
        quoted(parameters).map(([name, value]) => [
          name,
          name === "sig" ? value : value.slice(1, -1),
        ]),
      ),
    );

    expectName(alice, response, "colons outside of quotes");
  },
);

check(
  "FED.sig.old-key-not-for-requests",
  "the server refuses a request that a retired key signed",
  {
    mutant: altersAnswer(
      "lets a retired key speak for the server",
      { from: "peer-*", path: PROFILE, status: [401, 403] },
      { status: 200, body: {} },
    ),
  },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);
    const client = peer.client(alice.server.serverName);
    const query = { user_id: alice.userId };
    const retired = peer.keys.rotate(Date.now() - HOUR_MS);

    const right = await client.request("GET", PROFILE, { query });
    const wrong = await client.request("GET", PROFILE, { query, auth: { key: retired } });

    ok(right);
    expectMatrixError(wrong, [401, 403]);
  },
);
