import type { HttpResponse } from "#harness/http/client";
import { at, isObject, listAt, objectAt, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  fail,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import { WHOAMI } from "./accounts.ts";

const VERSIONS = "/_matrix/client/versions";
const WELL_KNOWN = "/.well-known/matrix/client";
const CREATE_ROOM = "/_matrix/client/v3/createRoom";
const SYNC = "/_matrix/client/v3/sync";
const LOGOUT = "/_matrix/client/v3/logout";
const CAPABILITIES = "/_matrix/client/v3/capabilities";
const ORIGIN = "https://client.example";

check(
  "CS.versions.get",
  "the server lists its versions without a token",
  {
    mutant: [
      altersAnswer(
        "demands a token",
        { path: VERSIONS },
        { status: 401, body: { errcode: "M_MISSING_TOKEN", error: "no" } },
      ),
      claims("lists no versions", { path: VERSIONS }, { versions: [] }),
      altersAnswer("lists a number", { path: VERSIONS }, { set: { "/versions/-": "1.11" } }),
      altersAnswer(
        "describes its unstable features",
        { path: VERSIONS },
        {
          set: { "/unstable_features": { "org.example": "yes" } },
        },
      ),
    ],
  },
  async (world) => {
    const response = await world.anonymous().get(VERSIONS);

    const body = ok(response);
    const versions = listAt(body, "versions");
    expectThat(versions.length > 0, "at least one version", versions, response);
    for (const version of versions) {
      const isVersion = typeof version === "string" && /^(r0\.\d+\.\d+|v\d+\.\d+)$/.test(version);
      expectThat(isVersion, "versions like r0.6.1 or v1.15", version, response);
    }
    if (body.unstable_features !== undefined) {
      for (const value of Object.values(objectAt(body, "unstable_features"))) {
        expectThat(typeof value === "boolean", "unstable features to be booleans", value, response);
      }
    }
  },
);

check(
  "CS.wellknown.shape",
  "the server publishes its base URL, or no client well-known",
  {
    mutant: [
      {
        name: "answers 200 with an HTML page",
        rules: [
          {
            match: { path: WELL_KNOWN },
            phase: "before",
            action: { kind: "answer", status: 200, text: "<html></html>" },
          },
        ],
      },
      claims("leaves the base URL out", { path: WELL_KNOWN }, { "m.homeserver": {} }),
      claims(
        "gives a host name",
        { path: WELL_KNOWN },
        {
          "m.homeserver": { base_url: "hs1:8448" },
        },
      ),
    ],
  },
  async (world) => {
    const response = await world.anonymous().get(WELL_KNOWN);

    if (response.status === 404) {
      world.note("no client well-known");
      return;
    }
    const body = ok(response);
    const baseUrl = textAt(body, "m.homeserver", "base_url");
    const protocol = URL.parse(baseUrl)?.protocol;
    expectThat(
      protocol === "http:" || protocol === "https:",
      "an http or https URL in m.homeserver.base_url",
      baseUrl,
      response,
    );
    if (body["m.identity_server"] !== undefined) textAt(body, "m.identity_server", "base_url");
  },
);

check(
  "CS.auth.missing-token",
  "the server answers 401 M_MISSING_TOKEN to requests without a token",
  {
    mutant: [
      altersAnswer("answers 403", { path: WHOAMI, status: 401 }, { status: 403 }),
      claims("hands out data", { path: CAPABILITIES }, { capabilities: {} }),
      altersAnswer(
        "calls it an unknown token",
        { path: SYNC },
        {
          set: { "/errcode": "M_UNKNOWN_TOKEN" },
        },
      ),
      claims("creates rooms for nobody", { path: CREATE_ROOM }, { room_id: "!claimed" }),
    ],
  },
  async (world) => {
    const anonymous = world.anonymous();

    const answers = await Promise.all([
      anonymous.get(WHOAMI),
      anonymous.get(SYNC),
      anonymous.post(CREATE_ROOM),
      anonymous.get(CAPABILITIES),
    ]);

    for (const response of answers) expectMatrixError(response, 401, "M_MISSING_TOKEN");
  },
);

check(
  "CS.auth.unknown-token",
  "the server answers 401 M_UNKNOWN_TOKEN, no soft logout, to a token it never issued",
  {
    mutant: [
      altersAnswer("makes it a soft logout", { path: WHOAMI }, { set: { "/soft_logout": true } }),
      altersAnswer("answers 403", { path: WHOAMI }, { status: 403 }),
      claims("lets any token in", { path: WHOAMI }, { user_id: "@anybody:hs1" }),
    ],
  },
  async (world) => {
    const headers = { authorization: "Bearer zz" };

    const response = await world.anonymous().request("GET", WHOAMI, { headers });

    expectMatrixError(response, 401, "M_UNKNOWN_TOKEN");
    const softLogout = at(response.json, "soft_logout") ?? false;
    expectEqual(softLogout, false, "soft_logout", response);
  },
);

check(
  "CS.cors.preflight",
  "the server answers OPTIONS and does nothing else",
  {
    mutant: [
      altersAnswer(
        "demands a token for OPTIONS",
        { method: "OPTIONS", path: SYNC },
        { status: 401, body: { errcode: "M_MISSING_TOKEN", error: "no" } },
      ),
      altersRequest("logs out at OPTIONS", { method: "OPTIONS", path: LOGOUT }, { method: "POST" }),
      altersRequest(
        "creates a room at OPTIONS",
        { method: "OPTIONS", path: CREATE_ROOM },
        { method: "POST", body: {} },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const headers = { origin: ORIGIN };
    const anonymous = { origin: ORIGIN, "access-control-request-method": "GET" };

    const answers = [
      await world.anonymous().request("OPTIONS", SYNC, { headers: anonymous }),
      await alice.request("OPTIONS", CREATE_ROOM, { headers }),
      await alice.request("OPTIONS", LOGOUT, { headers }),
    ];

    for (const response of answers) expectSuccess(response);
    const rooms = await alice.get("/_matrix/client/v3/joined_rooms");
    expectEqual(ok(rooms).joined_rooms, [], "joined_rooms", rooms);
  },
);

check(
  "CS.cors.on-errors",
  "the server sends CORS headers with successes, errors and preflights",
  {
    mutant: [
      altersAnswer(
        "hides its 401 from browsers",
        { status: 401 },
        {
          headers: { "access-control-allow-origin": null },
        },
      ),
      altersAnswer(
        "hides its 404 from browsers",
        { status: 404 },
        {
          headers: { "access-control-allow-origin": null },
        },
      ),
      altersAnswer(
        "allows no DELETE",
        { method: "OPTIONS" },
        {
          headers: { "access-control-allow-methods": "GET, POST, PUT, OPTIONS" },
        },
      ),
      altersAnswer(
        "allows no token",
        { method: "OPTIONS" },
        {
          headers: { "access-control-allow-headers": "X-Requested-With, Content-Type" },
        },
      ),
    ],
  },
  async (world) => {
    const anonymous = world.anonymous();
    const headers = { origin: ORIGIN };

    const answers = await Promise.all([
      anonymous.request("GET", VERSIONS, { headers }),
      anonymous.request("GET", WHOAMI, { headers }),
      anonymous.request("GET", "/_matrix/client/v3/unknown", { headers }),
      anonymous.request("OPTIONS", WHOAMI, { headers }),
    ]);

    const [success, unauthorised, unknown, preflight] = answers;
    expectStatus(success, 200);
    expectStatus(unauthorised, 401);
    expectStatus(unknown, 404);
    expectSuccess(preflight);
    for (const response of answers) {
      const origin = response.headers["access-control-allow-origin"];
      const isAllowed = origin === "*" || origin === ORIGIN;
      expectThat(isAllowed, "Access-Control-Allow-Origin * or the origin", origin, response);
    }
    const methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS"];
    expectListed(preflight, "access-control-allow-methods", methods);
    const names = ["X-Requested-With", "Content-Type", "Authorization"];
    expectListed(preflight, "access-control-allow-headers", names);
  },
);

function expectSuccess(response: HttpResponse): void {
  const { status } = response;
  if (status < 200 || status > 299) fail("a 2xx", `${status} ${response.text}`, response);
}

function expectListed(response: HttpResponse, header: string, names: readonly string[]): void {
  const value = String(response.headers[header] ?? "");
  const listed = value.split(",").map((name) => name.trim().toLowerCase());
  const isComplete = names.every((name) => listed.includes(name.toLowerCase()));
  expectThat(isComplete, `${header} to list ${names.join(", ")}`, value, response);
}

check(
  "CS.capabilities.get",
  "the server lists room versions and makes rooms of the default one",
  {
    mutant: [
      altersAnswer(
        "advertises another default",
        { path: CAPABILITIES },
        {
          set: { "/capabilities/m.room_versions/default": "9" },
        },
      ),
      altersAnswer(
        "calls a version experimental",
        { path: CAPABILITIES },
        {
          set: { "/capabilities/m.room_versions/available/9": "experimental" },
        },
      ),
      altersAnswer(
        "has a default that is not available",
        { path: CAPABILITIES },
        {
          set: { "/capabilities/m.room_versions/default": "zz" },
        },
      ),
      altersAnswer(
        "says nothing with m.change_password",
        { path: CAPABILITIES },
        {
          set: { "/capabilities/m.change_password": {} },
        },
      ),
      altersRequest(
        "makes rooms of an old version",
        { path: CREATE_ROOM },
        {
          set: { "/room_version": "9" },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await alice.get(CAPABILITIES);
    const roomId = await alice.createRoom();

    const capabilities = objectAt(ok(response), "capabilities");
    const versions = objectAt(capabilities, "m.room_versions");
    const byDefault = textAt(versions, "default");
    const available = objectAt(versions, "available");
    for (const stability of Object.values(available)) {
      const isKnown = stability === "stable" || stability === "unstable";
      expectThat(isKnown, "each room version to be stable or unstable", stability, response);
    }
    expectEqual(available[byDefault], "stable", "the default version", response);
    const changePassword = capabilities["m.change_password"];
    if (changePassword !== undefined) {
      const isSaid = isObject(changePassword) && typeof changePassword.enabled === "boolean";
      expectThat(isSaid, "m.change_password to have enabled", changePassword, response);
    }
    const creation = await alice.state(roomId, "m.room.create");
    expectEqual(creation?.room_version ?? "1", byDefault, "the version of a room without one");
  },
);
