/** Who gets a token for the SFU of the own server: MSC4195 §Acquiring LiveKit access tokens. */
import type { HttpResponse } from "#harness/http/client";
import { at, isObject, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectMatrixError, expectStatus, expectThat, fail, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  claimsOf,
  GET_TOKEN,
  grantOf,
  requestToken,
  serviceThat,
  tokenOf,
  tokenScene,
} from "./tokens.ts";
import { entriesOf, transportsOf } from "./transports.ts";
import { expectUsersOnly } from "./users-only.ts";

const REQUEST = { method: "POST", path: GET_TOKEN };
const REFUSED = { ...REQUEST, status: [400, 401, 403, 404] };
const CLAIMED = { jwt: "e30.e30.e30" };
const GIVES_ANYWAY = altersAnswer("gives a token all the same", REFUSED, {
  status: 200,
  body: CLAIMED,
});

check(
  "MSC4195.transports.livekit-entry",
  "the server announces its SFU with the address of its WebSocket",
  {
    mutant: [
      altersAnswer(
        "announces the older contract only",
        { method: "GET", path: "/_matrix/client/**/rtc/transports" },
        { remove: ["/rtc_transports/*/url", "/transports/*/url"] },
      ),
      altersAnswer(
        "announces a web page",
        { method: "GET", path: "/_matrix/client/**/rtc/transports" },
        {
          set: {
            "/rtc_transports/0/url": "https://sfu.example",
            "/transports/0/url": "https://sfu.example",
          },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await transportsOf(world, alice);

    const known = entriesOf(world, response).filter(isObject);
    const livekit = known.filter(({ type }) => type === "m.livekit" || type === "livekit");
    if (livekit.every(({ type }) => type !== "m.livekit"))
      world.note("the type is called livekit, as in all known implementations");
    const urls = livekit.map(({ url }) => url);
    const isWebSocket = (url: unknown) => typeof url === "string" && /^wss?:\/\/./.test(url);
    expectThat(
      urls.some(isWebSocket),
      "a LiveKit transport with a WebSocket url",
      JSON.stringify(urls),
      response,
    );
    if (!world.has("sfu")) return;
    const sfu = world.sfu();
    expectThat(
      urls.includes(sfu.websocketUrl),
      `the url ${sfu.websocketUrl}`,
      JSON.stringify(urls),
      response,
    );
  },
);

check(
  "MSC4195.token.auth",
  "the server gives tokens for its SFU to its users only",
  {
    mutant: [
      altersAnswer(
        "gives anybody a token",
        { ...REQUEST, status: 401 },
        { status: 200, body: CLAIMED },
      ),
      altersAnswer(
        "calls it another error",
        { ...REQUEST, status: 401 },
        { set: { "/errcode": "M_FORBIDDEN" } },
      ),
    ],
  },
  async (world) => {
    const { body } = await tokenScene(world, "m.call#auth");

    await expectUsersOnly(world, (client) => requestToken(world, client, body));
  },
);

check(
  "MSC4195.token.guest",
  "the server gives a token to a guest who has joined",
  {
    mutant: altersAnswer(
      "shuts guests out",
      { ...REQUEST, status: 200 },
      { status: 403, body: { errcode: "M_GUEST_ACCESS_FORBIDDEN", error: "guests are shut out" } },
    ),
  },
  async (world) => {
    const { alice, roomId, body } = await tokenScene(world, "m.call#guest");
    await alice.setState(roomId, "m.room.guest_access", { guest_access: "can_join" });
    const register = await world.anonymous().post("/_matrix/client/v3/register?kind=guest", {});
    if (register.status !== 200) world.needs("guests");
    const guest = world.session(
      "hs1",
      { userId: textAt(register.json, "user_id"), localpart: "guest", password: "" },
      {
        accessToken: textAt(register.json, "access_token"),
        deviceId: textAt(register.json, "device_id"),
      },
    );
    await guest.join(roomId);

    const response = await requestToken(world, guest, body);

    claimsOf(tokenOf(response));
  },
);

check(
  "MSC4195.token.local",
  "the service gives a joined user a token that the SFU takes, for a room that is there",
  {
    mutant: [
      serviceThat("makes no room", "no-room", "m.call#local"),
      altersAnswer("signs with another key", { ...REQUEST, status: 200 }, { body: CLAIMED }),
      altersAnswer(
        "knows no joined user",
        { ...REQUEST, status: 200 },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "not in the room" } },
      ),
    ],
  },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#local");
    const sfu = world.sfu();

    const jwt = tokenOf(await requestToken(world, alice, body));

    const validated = await world
      .clientOf(sfu.base)
      .request("GET", "/rtc/validate", { query: { access_token: jwt } });
    expectStatus(validated, 200);
    const rooms = await sfu.rooms();
    const { room } = grantOf(jwt);
    expectThat(rooms.includes(String(room)), "the room of the token on the SFU", "no such room");
  },
);

check(
  "MSC4195.token.not-joined",
  "the service refuses who is not in the room, and tells nothing of whether there is one",
  {
    mutant: [
      serviceThat("does not look who is in the room", "skip-join-check", "m.call#outside"),
      altersAnswer(
        "calls it unauthorized",
        { ...REQUEST, status: 403 },
        { status: 401, set: { "/errcode": "M_UNAUTHORIZED" } },
      ),
      {
        name: "tells unknown rooms apart",
        rules: [
          {
            match: { ...REQUEST, contains: "!unknown", status: 403 },
            phase: "processed",
            action: { kind: "rewrite", status: 404, set: { "/errcode": "M_NOT_FOUND" } },
          },
        ],
      },
      {
        name: "tells of unknown rooms that they are",
        rules: [
          {
            match: { ...REQUEST, contains: "!unknown", status: 403 },
            phase: "processed",
            action: { kind: "rewrite", set: { "/error": "unknown room" } },
          },
        ],
      },
    ],
  },
  async (world) => {
    const { alice, body, roomId } = await tokenScene(world, "m.call#outside");
    const [bob, carol] = await world.users("bob", "carol");
    await carol.join(roomId);
    await carol.leave(roomId);
    const unknown = `!unknown${world.name("room")}:${alice.server.serverName}`;

    const never = await requestToken(world, bob, body);
    const left = await requestToken(world, carol, body);
    const invented = await requestToken(world, bob, { ...body, room_id: unknown });

    for (const response of [never, left, invented]) {
      expectMatrixError(response, 403, "M_FORBIDDEN");
      expectThat(
        response.text === never.text,
        `the same body for all rooms: ${never.text}`,
        response.text,
        response,
      );
    }
  },
);

check(
  "MSC4195.token.foreign-url",
  "the service gives no token for an SFU that is not the server's",
  {
    mutant: [
      serviceThat("gives tokens for any SFU", "skip-url-check", "m.call#foreign"),
      altersAnswer(
        "calls it forbidden",
        { ...REQUEST, status: 400 },
        { status: 403, set: { "/errcode": "M_FORBIDDEN" } },
      ),
    ],
  },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#foreign");

    const elsewhere = await requestToken(world, alice, { ...body, url: "wss://elsewhere.example" });
    const longer = await requestToken(world, alice, { ...body, url: `${body.url}.example` });

    for (const response of [elsewhere, longer]) expectMatrixError(response, 400, "M_INVALID_PARAM");
    claimsOf(tokenOf(await requestToken(world, alice, body)));
  },
);

check(
  "MSC4195.token.bad-body",
  "the service refuses a request that lacks something, or has it in another form",
  {
    mutant: [
      GIVES_ANYWAY,
      altersAnswer("breaks", REFUSED, { status: 500 }),
      altersAnswer("refuses without an errcode", REFUSED, { body: { error: "no" } }),
    ],
  },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#body");
    const names = Object.keys(body);
    const bodies = [
      ...names.map((name) =>
        Object.fromEntries(Object.entries(body).filter(([key]) => key !== name)),
      ),
      ...names.map((name) => ({ ...body, [name]: 5 })),
      ...names.map((name) => ({ ...body, [name]: null })),
      [],
    ];

    const responses = await Promise.all(bodies.map((wrong) => requestToken(world, alice, wrong)));

    for (const response of responses) {
      expectMatrixError(response, [400, 403, 404, 422]);
      expectThat(at(response.json, "jwt") === undefined, "no token", "a token", response);
    }
  },
);

const MANY = 200;
const AT_ONCE = 20;

check(
  "MSC4195.token.ratelimit",
  "the service limits how often tokens are asked for",
  {
    mutant: altersAnswer(
      "has no limit",
      { ...REQUEST, status: 429 },
      { status: 200, body: CLAIMED },
    ),
  },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#often");
    // As a client does: on joining, and when its connection was lost.
    for (const _ of [1, 2, 3]) claimsOf(tokenOf(await requestToken(world, alice, body)));

    // No more than it takes: the others that are busy with these servers have to wait for each.
    const limited: HttpResponse[] = [];
    for (let asked = 0; limited.length === 0 && asked < MANY; asked += AT_ONCE) {
      const answers = Array.from({ length: AT_ONCE }, () => requestToken(world, alice, body));
      limited.push(...(await Promise.all(answers)).filter(({ status }) => status === 429));
    }

    if (limited.length === 0)
      fail(`some of ${MANY} requests in a row refused with 429`, "all answered");
    for (const response of limited) expectMatrixError(response, 429, "M_LIMIT_EXCEEDED");
  },
);

check(
  "MSC4195.token.error-opacity",
  "refusals tell nothing of what is behind them",
  {
    mutant: [
      serviceThat("tells of its homeserver", "tell-upstream", "m.call#opaque"),
      altersAnswer("gives details", REFUSED, { set: { "/detail": { upstream: "404" } } }),
      altersAnswer("shows where it failed", REFUSED, {
        set: { "/error": "at Service.ask (service.js:12:5)" },
      }),
    ],
  },
  async (world) => {
    const { alice, body } = await tokenScene(world, "m.call#opaque");
    const bob = await world.user("bob");

    const responses = [
      await requestToken(world, bob, body),
      await requestToken(world, alice, { ...body, url: "wss://elsewhere.example" }),
      await requestToken(world, alice, { ...body, room_id: 5 }),
      await requestToken(world, alice, { ...body, server_name: "nobody.crucible.example:8448" }),
    ];

    for (const response of responses) {
      expectThat(response.status >= 400, "a refusal", String(response.status), response);
      const {
        errcode,
        error,
        retry_after_ms: _,
        ...more
      } = isObject(response.json) ? response.json : {};
      expectThat(
        typeof errcode === "string" && typeof error === "string" && Object.keys(more).length === 0,
        "errcode and error, and nothing else",
        response.text,
        response,
      );
      const leaks = [
        /https?:\/\//,
        /\bat \S+ ?\(/,
        /[\w-]+\.(?:js|ts|py|rs|go):\d+/,
        /Traceback/,
        /127\.\d+\.\d+/,
      ];
      const leak = leaks.find((pattern) => pattern.test(String(error)));
      expectThat(leak === undefined, "no address, no place in a program", String(error), response);
    }
    ok(await alice.get("/_matrix/client/v3/account/whoami"));
  },
);
