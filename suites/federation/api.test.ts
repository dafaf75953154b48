import { isUtf8 } from "node:buffer";
import type { HttpResponse } from "#harness/http/client";
import { at, isObject } from "#harness/match/json";
import { meet } from "#harness/peer/meeting";
import { check, type Mutant } from "#harness/world/check";
import { expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";

const PREFIX = "/_matrix/federation/v1";
const VERSION = `${PREFIX}/version`;
const UNSIGNED = { header: () => null };

function refusesWithout(what: string, path: string): Mutant {
  return altersAnswer(
    `refuses ${what} without errcode`,
    { from: "peer-*", path },
    { text: "404 Not Found" },
  );
}

check(
  "FED.api.unrecognized",
  "the server answers 404 M_UNRECOGNIZED for paths that it does not know",
  { mutant: refusesWithout("an unknown path", "/_matrix/*/*/nope") },
  async (world) => {
    const peer = await world.peer();
    const client = peer.client();

    const responses = [
      await client.get(`${PREFIX}/nope`),
      await client.get("/_matrix/key/v2/nope"),
    ];

    for (const response of responses) expectMatrixError(response, 404, "M_UNRECOGNIZED");
  },
);

check(
  "FED.api.unrecognized",
  "the server answers 405 M_UNRECOGNIZED for a method that the path does not have",
  { mutant: refusesWithout("a wrong method", `${PREFIX}/send/*`) },
  async (world) => {
    const peer = await world.peer();

    const response = await peer.client().get(`${PREFIX}/send/${world.name("txn")}`);

    expectMatrixError(response, 405, "M_UNRECOGNIZED");
  },
);

check(
  "FED.api.content-type",
  "the server says of its answers that they are JSON, also of refusals",
  {
    mutant: altersAnswer(
      "sends a refusal as text",
      { from: "peer-*", path: `${PREFIX}/**`, status: [401, 403, 404] },
      { headers: { "content-type": "text/plain" } },
    ),
  },
  async (world) => {
    const { alice, peer, mallory, room } = await meet(world);
    await alice.put(`/_matrix/client/v3/profile/${alice.userId}/displayname`, {
      displayname: "Ålice 🜁",
    });
    const client = peer.client();
    const nobody = `@nobody:${alice.server.serverName}`;
    const last = await alice.send(room.roomId, "größer ☃");

    const right = [
      await client.version(),
      await client.keys(),
      await client.send([]),
      await client.profile(alice.userId),
      await client.event(last),
      await client.stateIds(room.roomId, last),
      await client.backfill(room.roomId, [last], 1),
      await client.makeLeave(room.roomId, mallory),
      await client.queryKeys({ [alice.userId]: [] }),
    ];
    const wrong = [
      await client.get(`${PREFIX}/nope`),
      await client.get(`${PREFIX}/send/x`),
      await client.profile(nobody),
      await client.send([], [], UNSIGNED),
      await client.send([], [], { key: peer.keys.another() }),
      await client.event(`$${"A".repeat(43)}`),
      await client.makeJoin(`!none:${alice.server.serverName}`, mallory),
      await client.makeJoin(room.roomId, nobody),
      await client.post("/_matrix/key/v2/query", {}),
    ];

    for (const response of right) ok(response);
    for (const response of wrong) {
      expectThat(response.status >= 400, "a refusal", response.status, response);
    }
    for (const response of [...right, ...wrong]) expectJson(response);
  },
);

check(
  "FED.api.version",
  "the server tells its version to anybody",
  {
    mutant: [
      refuses("wants an authorization", { from: "peer-*", path: VERSION }, 401, "M_UNAUTHORIZED"),
      altersAnswer(
        "sends a string for the server",
        { from: "peer-*", path: VERSION },
        { set: { "/server": "a server 1.0" } },
      ),
    ],
  },
  async (world) => {
    const peer = await world.peer();

    const response = await peer.client().version();

    const server = at(ok(response), "server");
    expectThat(server === undefined || isObject(server), "an object server", server, response);
    for (const key of ["name", "version"]) {
      const value = at(server, key);
      const isText = value === undefined || typeof value === "string";
      expectThat(isText, `a string at server › ${key}`, value, response);
    }
  },
);

function expectJson(response: HttpResponse): void {
  const type = String(response.headers["content-type"] ?? "no content type");
  expectThat(
    /^application\/json\s*(?:;|$)/i.test(type),
    "the content type application/json",
    type,
    response,
  );
  expectThat(response.json !== undefined, "JSON", response.text.slice(0, 300), response);
  expectThat(isUtf8(response.bytes), "UTF-8", response.bytes.toString("latin1"), response);
}
