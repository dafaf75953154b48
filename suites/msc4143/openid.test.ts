/** The older way to a token: lk-jwt-service, README and handler.go. */

import { HarnessError, Unsupported } from "#harness/errors";
import { at, textAt } from "#harness/match/json";
import { answer } from "#harness/peer/answer";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  expectRefused,
  memberOf,
  openidScene,
  openidTokenOf,
  SLOT,
  standaloneThat,
} from "./openid.ts";
import { claimsOf, grantOf, hashOf, tokenOf } from "./tokens.ts";

const GET_TOKEN = { to: "rtc1", method: "POST", path: "/get_token" };
const CLAIMED = { url: "wss://sfu.example", jwt: "e30.e30.e30" };
const GIVES_ANYWAY = altersAnswer(
  "gives a token all the same",
  { ...GET_TOKEN, status: [400, 401, 403] },
  { status: 200, body: CLAIMED },
);

check(
  "LKJWT.healthz",
  "the service tells whether it is well",
  {
    mutant: [
      altersAnswer("is not well", { to: "rtc1", path: "/healthz", method: "GET" }, { status: 503 }),
      altersAnswer(
        "takes any method",
        { to: "rtc1", path: "/healthz", method: "POST" },
        { status: 200 },
      ),
    ],
  },
  async (world) => {
    const service = world.clientOf(world.rtc().base);

    expectStatus(await service.request("GET", "/healthz"), 200);
    expectStatus(await service.request("HEAD", "/healthz"), 200);
    expectStatus(await service.request("POST", "/healthz", { body: {} }), 405);
  },
);

check(
  "LKJWT.openid.happy",
  "the service gives a token for an OpenID token, and says for which SFU",
  {
    mutant: [
      altersAnswer("does not say for which", { ...GET_TOKEN, status: 200 }, { remove: ["/url"] }),
      standaloneThat("names another participant", "wrong-identity"),
      standaloneThat("lets holders make rooms", "room-create"),
    ],
  },
  async (world) => {
    const { alice, ask, body } = await openidScene(world);

    const response = await ask("/get_token", body);

    const jwt = tokenOf(response);
    expectThat(
      /^wss?:\/\/./.test(textAt(response.json, "url")),
      "a WebSocket url",
      response.text,
      response,
    );
    const { id, claimed_device_id } = body.member;
    const [older, newer] = await Promise.all([
      hashOf(alice.userId, claimed_device_id, id),
      hashOf(alice.userId, id),
    ]);
    const sub = String(claimsOf(jwt).sub);
    expectThat([older, newer].includes(sub), `sub ${older}, or ${newer}`, sub, response);
    const grant = grantOf(jwt);
    expectEqual(grant.roomJoin, true, "video.roomJoin");
    expectEqual(grant.roomCreate ?? false, false, "video.roomCreate");
    expectEqual(grant.room, await hashOf(body.room_id, SLOT), "video.room");
  },
);

check(
  "LKJWT.openid.legacy",
  "the service serves the older endpoint, with an identity in clear",
  { mutant: standaloneThat("names another participant", "wrong-identity", "/sfu/get") },
  async (world) => {
    const { alice, ask, body } = await openidScene(world);
    const { room_id: room, openid_token } = body;

    const jwt = tokenOf(await ask("/sfu/get", { room, openid_token, device_id: alice.deviceId }));

    expectEqual(claimsOf(jwt).sub, `${alice.userId}:${alice.deviceId}`, "sub");
    expectEqual(grantOf(jwt).room, await hashOf(room, SLOT), "video.room");
  },
);

check(
  "LKJWT.openid.invalid",
  "the service gives nothing for an OpenID token that nobody issued",
  {
    mutant: [
      GIVES_ANYWAY,
      standaloneThat("asks nobody about tokens", "skip-token-check,skip-subject-check"),
      altersAnswer("breaks", { ...GET_TOKEN, status: 401 }, { status: 500 }),
    ],
  },
  async (world) => {
    const { ask, body } = await openidScene(world);
    const invented = { ...body.openid_token, access_token: world.name("invented") };

    expectRefused(world, await ask("/get_token", { ...body, openid_token: invented }));

    claimsOf(tokenOf(await ask("/get_token", body)));
  },
);

check(
  "LKJWT.openid.impersonate",
  "the service gives nobody a token for somebody else",
  {
    mutant: [GIVES_ANYWAY, standaloneThat("believes who one claims to be", "skip-subject-check")],
  },
  async (world) => {
    const { ask, body } = await openidScene(world);
    const bob = await world.user("bob");

    const response = await ask("/get_token", { ...body, member: memberOf(world, bob) });

    expectRefused(world, response);
  },
);

check(
  "LKJWT.openid.server-mismatch",
  "the service believes a server about its own users only",
  {
    mutant: [
      GIVES_ANYWAY,
      standaloneThat("believes any server about any user", "skip-server-check"),
    ],
  },
  async (world) => {
    const { alice, ask, body } = await openidScene(world);
    const peer = await world.peer();
    const mallory = peer.user("mallory");
    const subjects = [alice.userId, mallory];
    let asked = 0;
    peer.on("GET /_matrix/federation/v1/openid/userinfo", () => answer({ sub: subjects[asked++] }));
    const openid_token = { ...body.openid_token, matrix_server_name: peer.serverName };

    const lied = await ask("/get_token", { ...body, openid_token });
    const member = { ...body.member, claimed_user_id: mallory };
    const own = await ask("/get_token", { ...body, openid_token, member });

    // One that runs elsewhere does not find a server of ours.
    if (asked === 0) throw new Unsupported("rtc-auth", "the service asks no server of the check");
    expectRefused(world, lied);
    claimsOf(tokenOf(own));
  },
);

check(
  "LKJWT.request.invalid",
  "the service refuses what is no request, and lets pages of any origin ask",
  {
    mutant: [
      GIVES_ANYWAY,
      altersAnswer(
        "calls all one error",
        { ...GET_TOKEN, status: 400 },
        { set: { "/errcode": "M_UNKNOWN" } },
      ),
      altersAnswer(
        "takes any method",
        { to: "rtc1", method: "GET", path: "/get_token" },
        { status: 200, body: CLAIMED },
      ),
      altersAnswer(
        "lets no page ask",
        { to: "rtc1", method: "OPTIONS" },
        { headers: { "access-control-allow-origin": null } },
      ),
    ],
  },
  async (world) => {
    const { ask, body } = await openidScene(world);
    const service = world.clientOf(world.rtc().base);
    const { room_id: _, ...roomless } = body;

    const noJson = await service.request("POST", "/get_token", {
      raw: "{",
      headers: { "content-type": "application/json" },
    });
    expectMatrixError(noJson, 400, "M_NOT_JSON");
    for (const wrong of [roomless, { ...body, member: undefined }, { ...body, openid_token: {} }])
      expectMatrixError(await ask("/get_token", wrong), 400, "M_BAD_JSON");
    expectStatus(await service.request("GET", "/get_token"), 405);
    const preflight = await service.request("OPTIONS", "/get_token", {
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    });
    expectStatus(preflight, [200, 204]);
    expectEqual(preflight.headers["access-control-allow-origin"], "*", "who may ask", preflight);
  },
);

check(
  "LKJWT.access.restricted",
  "the service makes no room for users of servers that it does not know",
  { mutant: standaloneThat("makes rooms for anybody", "always-room") },
  async (world) => {
    const { alice, ask, body } = await openidScene(world);
    const bob = await world.user("bob", "hs2");
    const theirs = {
      ...body,
      openid_token: await openidTokenOf(bob),
      member: memberOf(world, bob),
    };
    const sfu = world.sfu();
    const validate = async (jwt: string) =>
      await world
        .clientOf(sfu.base)
        .request("GET", "/rtc/validate", { query: { access_token: jwt } });

    const jwt = tokenOf(await ask("/get_token", theirs));
    const before = await validate(jwt);
    ok(await ask("/get_token", body));
    const after = await validate(jwt);

    expectEqual(before.status, 404, `what the SFU says before ${alice.localpart} came`, before);
    expectEqual(after.status, 200, "what the SFU says after", after);
  },
);

check(
  "LKJWT.delegate.forbidden",
  "the service takes no leave from users of servers that it does not know",
  {
    mutant: [
      standaloneThat(
        "takes leaves from anybody",
        "let-restricted-delegate",
        "/delegate_delayed_leave",
      ),
      altersAnswer(
        "calls it unauthorized",
        { to: "rtc1", path: "/delegate_delayed_leave", status: 403 },
        { status: 401, set: { "/errcode": "M_UNAUTHORIZED" } },
      ),
    ],
  },
  async (world) => {
    const { ask, body } = await openidScene(world);
    const bob = await world.user("bob", "hs2");
    const theirs = {
      ...body,
      openid_token: await openidTokenOf(bob),
      member: memberOf(world, bob),
    };

    const response = await ask("/delegate_delayed_leave", {
      ...theirs,
      delay_id: world.name("delay"),
      delay_timeout: 3_600_000,
    });

    expectMatrixError(response, 403, "M_FORBIDDEN");
    expectThat(at(response.json, "jwt") === undefined, "no token", "a token", response);
  },
);

check(
  "LKJWT.access.config-required",
  "the service does not start without knowing whose users may make rooms",
  {
    isolated: {},
    mutant: {
      name: "serves all the same",
      rules: [
        {
          match: { to: "rtc1", method: "GET", path: "/healthz" },
          phase: "before",
          action: { kind: "answer", status: 200, body: {} },
        },
      ],
    },
  },
  async (world) => {
    const service = world.clientOf(world.rtc().base);

    const end = await world.startRtcBare();

    expectThat(/^exit code [1-9]/.test(end), "an end with an exit code of its own", end);
    const answer = await service.request("GET", "/healthz").catch(noneIfSilent);
    expectThat(answer === undefined, "no answer of the service", `status ${answer?.status}`);
  },
);

function noneIfSilent(error: unknown): undefined {
  if (!(error instanceof HarnessError && error.code === "HS_NO_ANSWER")) throw error;
}
