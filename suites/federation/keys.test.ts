import { Unsupported } from "#harness/errors";
import type { Rewrite } from "#harness/gateway/rule";
import { type HttpResponse, path } from "#harness/http/client";
import { at, isObject, listAt, numberAt, textAt } from "#harness/match/json";
import type { Peer } from "#harness/peer/peer";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { JsonObject } from "#protocol/events/event";
import { verifyJson } from "#protocol/events/signatures";

const SERVER = "/_matrix/key/v2/server";
const QUERY = "/_matrix/key/v2/query";
const KEY_ID = /^ed25519:[a-zA-Z0-9_]+$/;
const UNSIGNED = { header: () => null };

check(
  "FED.keys.server",
  "the server publishes its keys, signed by each of them",
  {
    mutant: [
      altersAnswer(
        "changes what it has signed",
        { from: "peer-*", path: SERVER },
        { set: { "/valid_until_ts": 4_102_444_800_000 } },
      ),
      altersAnswer(
        "does not sign",
        { from: "peer-*", path: SERVER },
        { set: { "/signatures": {} } },
      ),
    ],
  },
  async (world) => {
    const peer = await world.peer();
    const client = peer.client();

    const response = await client.keys();

    const document = ok(response);
    expectEqual(document.server_name, client.serverName, "the server's name", response);
    const validUntilTs = numberAt(document, "valid_until_ts");
    expectThat(Number.isInteger(validUntilTs), "an integer", validUntilTs, response);
    expectThat(validUntilTs > Date.now(), "keys that are valid now", validUntilTs, response);
    const keys = Object.entries(keysOf(document, "verify_keys"));
    expectThat(keys.length > 0, "a key", keys, response);
    for (const [id, key] of keys) {
      expectThat(KEY_ID.test(id), `a key id like ${KEY_ID}`, id, response);
      expectSigned(document, client.serverName, id, key);
    }
  },
);

check(
  "FED.keys.notary",
  "the server gives a key of another server by its id, with its own signature added",
  { mutant: notaryMutants() },
  async (world) => {
    const [peer, asked] = await Promise.all([world.peer(), world.peer()]);
    const { serverName, key } = asked.keys;

    const response = await peer.client().request("POST", QUERY, {
      body: { server_keys: { [serverName]: { [key.id]: { minimum_valid_until_ts: Date.now() } } } },
      auth: UNSIGNED,
    });

    await expectNotarised(response, peer, asked);
  },
);

check(
  "FED.keys.notary",
  "the server gives a key of another server that has to be valid now unless the query says otherwise",
  { mutant: notaryMutants() },
  async (world) => {
    const [peer, asked] = await Promise.all([world.peer(), world.peer()]);
    const { serverName, key } = asked.keys;

    const response = await peer.client().request("POST", QUERY, {
      body: { server_keys: { [serverName]: { [key.id]: {} } } },
      auth: UNSIGNED,
    });

    await expectNotarised(response, peer, asked);
  },
);

check(
  "FED.keys.notary",
  "the server asks another server for all its keys when no key id is given",
  { mutant: notaryMutants() },
  async (world) => {
    const [peer, asked, another] = await Promise.all([world.peer(), world.peer(), world.peer()]);
    const client = peer.client();

    const one = await client.request("GET", path`/_matrix/key/v2/query/${asked.serverName}`, {
      auth: UNSIGNED,
    });
    const many = await client.request("POST", QUERY, {
      body: { server_keys: { [another.serverName]: {} } },
      auth: UNSIGNED,
    });

    await expectNotarised(one, peer, asked);
    await expectNotarised(many, peer, another);
  },
);

check(
  "FED.keys.notary-offline",
  "the server has no keys of a server that nobody reaches",
  {
    mutant: altersAnswer(
      "answers 502",
      { from: "peer-*", path: QUERY },
      { status: 502, body: { errcode: "M_UNKNOWN", error: "can not reach it" } },
    ),
  },
  async (world) => {
    const peer = await world.peer();

    const response = await peer.client().request("POST", QUERY, {
      body: { server_keys: { [`${world.name("nobody")}:8448`]: {} } },
      auth: UNSIGNED,
    });

    expectEqual(at(ok(response), "server_keys"), [], "the keys", response);
  },
);

function notaryMutants(): readonly Mutant[] {
  const rewriting = (set: Rewrite["set"]): Mutant["rules"] =>
    [QUERY, `${QUERY}/**`].map((path) => ({
      match: { from: "peer-*", path },
      phase: "processed",
      action: { kind: "rewrite", ...(set === undefined ? {} : { set }) },
    }));
  return [
    { name: "takes the signatures away", rules: rewriting({ "/server_keys/0/signatures": {} }) },
    { name: "changes what it signs", rules: rewriting({ "/server_keys/0/valid_until_ts": 1 }) },
  ];
}

/** The keys of a server, signed by it and by the notary. */
async function expectNotarised(response: HttpResponse, peer: Peer, asked: Peer): Promise<void> {
  if (response.status === 404 && at(response.json, "errcode") === "M_UNRECOGNIZED") {
    throw new Unsupported("notary", "the server does not give the keys of others");
  }
  const { serverName, key } = asked.keys;
  const document = listAt(ok(response), "server_keys")[0];
  expectEqual(at(document, "server_name"), serverName, "the server's name", response);
  const published = keysOf(document, "verify_keys");
  expectSigned(document, serverName, key.id, String(published[key.id]));
  const notary = peer.client();
  const ownKeys = Object.entries(keysOf(ok(await notary.keys()), "verify_keys"));
  expectThat(ownKeys.length > 0, "a key of the notary", ownKeys);
  for (const [id, ownKey] of ownKeys) expectSigned(document, notary.serverName, id, ownKey);
}

/** Public keys by key id. */
function keysOf(document: unknown, name: string): Readonly<Record<string, string>> {
  const keys = at(document, name);
  return Object.fromEntries(
    Object.keys(isObject(keys) ? keys : {}).map((id) => [id, textAt(keys, id, "key")]),
  );
}

function expectSigned(document: unknown, serverName: string, keyId: string, key: string): void {
  expectThat(
    verifyJson(document as JsonObject, serverName, keyId, key),
    `a valid signature of ${serverName} by ${keyId}`,
    at(document, "signatures"),
  );
}
