import { readFileSync } from "node:fs";
import { AccessToken, TokenVerifier } from "livekit-server-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULT_HEADER } from "./faults.ts";
import { rtcAuth } from "./index.ts";
import { HS_TOKEN, SERVER, type ServiceForSpecs, SFU, startForSpecs } from "./service-for-specs.ts";
import { hashOf } from "./tokens.ts";

const ALICE = `@alice:${SERVER}`;
const ROOM = "!room:hs1:8448";
const REMOTE = "@bob:hs2:8448";
const SLOT = "m.call#ROOM";
const CLIENT = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit";
const FEDERATION = "/_matrix/federation/v1/rtc/livekit/get_token";

let service: ServiceForSpecs;

beforeAll(async () => {
  service = await startForSpecs();
  service.world.subjects.set("alices", ALICE).set("bobs", REMOTE);
  service.world.joined.add(`${ALICE} ${ROOM}`).add(`${REMOTE} ${ROOM}`);
}, 60_000);

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
});

interface Options {
  readonly fault?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function post(path: string, body: unknown, { fault, headers = {} }: Options = {}) {
  const faults = fault === undefined ? {} : { [FAULT_HEADER]: fault };
  const { status, json } = await service.client.request("POST", path, {
    body,
    headers: { ...faults, ...headers },
  });
  return { status, json: json as Record<string, string> };
}

const openid = (token: string, name = SERVER) => ({
  access_token: token,
  matrix_server_name: name,
});
const getToken = (changes: object = {}, options: Options = {}) =>
  post(
    "/get_token",
    {
      room_id: ROOM,
      slot_id: SLOT,
      openid_token: openid("alices"),
      member: { id: "member", claimed_user_id: ALICE, claimed_device_id: "DEVICE" },
      ...changes,
    },
    options,
  );
const asked = { url: SFU.websocketUrl, room_id: ROOM, slot_id: SLOT, member_id: "member" };
const proxied = (path: string, body: object, headers: Record<string, string>, fault?: string) =>
  post(path, body, {
    headers: { authorization: `Bearer ${HS_TOKEN}`, ...headers },
    ...(fault === undefined ? {} : { fault }),
  });
const asClient = (changes: object = {}, fault?: string) =>
  proxied(
    `${CLIENT}/get_token`,
    { ...asked, ...changes },
    { "x-matrix-user-identifier": ALICE },
    fault,
  );
const asServer = (changes: object = {}, fault?: string) =>
  proxied(
    FEDERATION,
    { ...asked, user_id: REMOTE, ...changes },
    { "x-matrix-origin": "hs2:8448" },
    fault,
  );
const verified = async (jwt = "") => await new TokenVerifier(SFU.apiKey, SFU.apiSecret).verify(jwt);

test("derives names as the vectors of MSC4195 say", () => {
  expect(hashOf("@alice:example.com", "memberABC")).toBe(
    "M3VnsLXrkbxIDINXO64u8PZzFyD9ZYFiQULR2dshWYs",
  );
  expect(hashOf("!roomid:example.com", "slot1234")).toBe(
    "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc",
  );
});

describe("asked with an OpenID token", () => {
  test("gives a token that lets its holder publish, and makes the room", async () => {
    const { status, json } = await getToken();
    expect(status).toBe(200);
    expect(json.url).toBe(SFU.websocketUrl);
    const room = hashOf(ROOM, SLOT);
    expect(await verified(json.jwt)).toMatchObject({
      sub: hashOf(ALICE, "DEVICE", "member"),
      video: {
        room,
        roomJoin: true,
        roomCreate: false,
        canPublish: true,
        canSubscribe: true,
        canUpdateOwnMetadata: false,
      },
    });
    expect(service.asked.at(-1)).toMatchObject({
      path: "/twirp/livekit.RoomService/CreateRoom",
      body: { name: room },
    });
  });

  test("gives the older endpoint a plain identity", async () => {
    const body = { room: ROOM, openid_token: openid("alices"), device_id: "DEVICE" };
    const { json } = await post("/sfu/get", body);
    expect(await verified(json.jwt)).toMatchObject({
      sub: `${ALICE}:DEVICE`,
      video: { room: hashOf(ROOM, SLOT) },
    });
  });

  test.each([
    ["an invented token", { openid_token: openid("zzz") }, "skip-token-check"],
    [
      "another user's id",
      { member: { id: "m", claimed_user_id: REMOTE, claimed_device_id: "D" } },
      "skip-subject-check",
    ],
    [
      "a subject of another server",
      { openid_token: openid("bobs") },
      "skip-server-check,skip-subject-check",
    ],
  ])("refuses %s, unless told to be wrong", async (_, changes, fault) => {
    expect(await getToken(changes)).toMatchObject({
      status: 401,
      json: { errcode: "M_UNAUTHORIZED" },
    });
    const member = { id: "m", claimed_user_id: ALICE, claimed_device_id: "D" };
    const wrong = fault === "skip-token-check" ? "skip-token-check,skip-subject-check" : fault;
    expect(await getToken({ member, ...changes }, { fault: wrong })).toMatchObject({ status: 200 });
  });

  test("refuses what is no request", async () => {
    expect(await getToken({ room_id: 5 })).toMatchObject({
      status: 400,
      json: { errcode: "M_BAD_JSON" },
    });
    const raw = await service.client.request("POST", "/get_token", { raw: "{" });
    expect([raw.status, (raw.json as { errcode: string }).errcode]).toEqual([400, "M_NOT_JSON"]);
    expect((await service.client.request("GET", "/get_token")).status).toBe(405);
    const options = await service.client.request("OPTIONS", "/get_token");
    expect([options.status, options.headers["access-control-allow-origin"]]).toEqual([200, "*"]);
    expect((await service.client.request("HEAD", "/healthz")).status).toBe(200);
    expect((await service.client.request("POST", "/healthz")).status).toBe(405);
  });
});

describe("asked by its homeserver", () => {
  test("takes nobody else for it", async () => {
    for (const authorization of ["", "Bearer shown-by-the-service"]) {
      const headers = { authorization, "x-matrix-user-identifier": ALICE };
      expect(await proxied(`${CLIENT}/get_token`, asked, headers)).toMatchObject({ status: 403 });
    }
  });

  test("gives joined users of its own a token to publish, and those of others one to listen", async () => {
    const own = await verified((await asClient()).json.jwt);
    const remote = await verified((await asServer()).json.jwt);
    expect(own).toMatchObject({ sub: hashOf(ALICE, "member"), video: { canPublish: true } });
    expect(remote).toMatchObject({ sub: hashOf(REMOTE, "member"), video: { canPublish: false } });
    expect(own.video?.room).toBe(remote.video?.room);
  });

  test("refuses who is not in the room, of another server, or asks for another SFU", async () => {
    const outside = { room_id: "!other:hs1:8448" };
    const forbidden = { status: 403, json: { errcode: "M_FORBIDDEN" } };
    expect(await asClient(outside)).toMatchObject(forbidden);
    expect(await asServer(outside)).toMatchObject(forbidden);
    expect(await asServer({ user_id: ALICE })).toMatchObject(forbidden);
    const invalid = { status: 400, json: { errcode: "M_INVALID_PARAM" } };
    expect(await asClient({ url: "wss://elsewhere" })).toMatchObject(invalid);
    expect(await asServer({ url: "wss://elsewhere" })).toMatchObject(invalid);
    expect((await asClient(outside, "skip-join-check")).status).toBe(200);
    expect((await asServer({ user_id: ALICE }, "skip-origin-check")).status).toBe(200);
    expect((await asClient({ url: "wss://elsewhere" }, "skip-url-check")).status).toBe(200);
  });

  test("asks another server, and relays two of its refusals without its words", async () => {
    const ask = () => asClient({ server_name: "hs2:8448", url: "wss://theirs" });
    expect(await ask()).toEqual({ status: 200, json: { jwt: "of-another" } });
    expect(service.asked.at(-1)?.body).toMatchObject({
      destination: "hs2:8448",
      body: { user_id: ALICE, url: "wss://theirs" },
    });
    const error = "their words";
    for (const [status, errcode, told] of [
      [403, "M_FORBIDDEN", 403],
      [400, "M_INVALID_PARAM", 400],
      [400, "M_BAD_JSON", 502],
      [500, "M_UNKNOWN", 502],
      [200, undefined, 502],
    ] as const) {
      service.world.remote = { status, content: { errcode, error } };
      const answer = await ask();
      expect(answer.status).toBe(told);
      expect(JSON.stringify(answer.json)).not.toContain(error);
    }
  });

  test.each([
    ["publish-for-all", { video: { canPublish: true } }],
    ["room-create", { video: { roomCreate: true } }],
    ["hidden", { video: { hidden: true } }],
    ["update-metadata", { video: { canUpdateOwnMetadata: true } }],
    ["wrong-identity", { sub: hashOf(REMOTE, "DEVICE", "member") }],
    ["plain-room-name", { video: { room: `${ROOM} ${SLOT}` } }],
    ["one-room", { video: { room: hashOf("one") } }],
  ])("is wrong when it is told: %s", async (fault, claims) => {
    expect(await verified((await asServer({}, fault)).json.jwt)).toMatchObject(claims);
  });

  test("refuses who asks too often", async () => {
    const body = { ...asked, user_id: "@eve:hs2:8448" };
    const many = Array.from({ length: 120 }, () => asServer(body));
    const statuses = new Set((await Promise.all(many)).map(({ status }) => status));
    expect(statuses).toEqual(new Set([403, 429]));
  });
});

describe("left a leave", () => {
  const delegate = (delayId: string, changes: object = {}, fault?: string) =>
    proxied(
      `${CLIENT}/delegate_delayed_leave`,
      { room_id: ROOM, slot_id: SLOT, member_id: delayId, delay_id: delayId, ...changes },
      { "x-matrix-user-identifier": ALICE },
      fault,
    );
  const managed = (delayId: string) =>
    service.asked.flatMap(({ path }) =>
      path.includes(`/delayed_events/${delayId}/`) ? [path.split("/").at(-1)] : [],
    );
  const webhook = (event: string, identity: string, secret = SFU.apiSecret) =>
    signed(
      JSON.stringify({ event, room: { name: hashOf(ROOM, SLOT) }, participant: { identity } }),
      secret,
    );

  async function signed(body: string, secret: string) {
    const token = new AccessToken(SFU.apiKey, secret);
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(body)));
    token.sha256 = digest.toString("base64");
    return await service.client.request("POST", "/sfu_webhook", {
      raw: body,
      headers: { authorization: await token.toJwt(), "content-type": "application/webhook+json" },
    });
  }

  beforeAll(() => {
    const ids = ["polled", "told", "forged", "replaced", "kept", "missed"];
    service.world.delayed.set(
      ALICE,
      ids.map((delay_id) => ({ delay_id, room_id: ROOM, delay_ms: 1_000 })),
    );
  });

  test("refuses one of another room or of nobody", async () => {
    const invalid = { status: 400, json: { errcode: "M_INVALID_PARAM" } };
    expect(await delegate("nowhere")).toMatchObject(invalid);
    expect(await delegate("polled", { room_id: "!other:hs1:8448" })).toMatchObject(invalid);
    expect(await delegate("polled", { url: "wss://elsewhere" })).toMatchObject(invalid);
    expect((await delegate("nowhere", {}, "skip-delay-check")).status).toBe(200);
  });

  test("restarts it while the member is there, and sends it once the member is gone", async () => {
    service.world.connected.add(hashOf(ALICE, "polled"));
    expect(await delegate("polled")).toEqual({ status: 200, json: {} });
    await expect.poll(() => managed("polled"), { timeout: 10_000 }).toContain("restart");
    service.world.connected.clear();
    await expect.poll(() => managed("polled").at(-1), { timeout: 10_000 }).toBe("send");
  });

  test("believes only what the SFU has signed", async () => {
    await delegate("told");
    const identity = hashOf(ALICE, "told");
    expect((await webhook("participant_left", identity, "x".repeat(32))).status).toBe(401);
    expect(managed("told")).not.toContain("send");
    expect((await webhook("participant_left", identity)).status).toBe(200);
    await expect.poll(() => managed("told")).toContain("send");
  });

  test("keeps it through SIGKILL", async () => {
    const identity = hashOf(ALICE, "kept");
    await delegate("kept");
    await service.running.capabilities.killable?.kill();
    await service.running.capabilities.restartable?.restart();
    await webhook("participant_left", identity);
    await expect.poll(() => managed("kept")).toContain("send");
  });

  test("sends that of a member who left while the service was down", async () => {
    const identity = hashOf(ALICE, "missed");
    await delegate("missed");
    service.world.connected.add(identity);
    expect((await webhook("participant_joined", identity)).status).toBe(200);
    await service.running.capabilities.killable?.kill();
    service.world.connected.delete(identity);
    await service.running.capabilities.restartable?.restart();
    await expect.poll(() => managed("missed").at(-1), { timeout: 10_000 }).toBe("send");
  });
});

describe("one that runs elsewhere", () => {
  const use = (url: string) => {
    const spec = { text: `url:${url}`, substrate: "url", url, options: new Map() } as const;
    rtcAuth.check?.(spec);
    return rtcAuth.start({ ...service.context, role: "rtc9", spec });
  };

  test("is used as it is", async () => {
    const { host, port } = service.running.address();
    const running = await use(`http://${host}:${port}`);
    expect(running.address()).toEqual({ host, port });
    expect(running.capabilities).toEqual({});
    expect(running.settings.join()).toContain("runs elsewhere");
    await running[Symbol.asyncDispose]();
    expect((await getToken()).status).toBe(200);
  });

  test("has to answer, and to have no path", async () => {
    const dead = use("http://127.0.0.1:9");
    await expect(dead).rejects.toThrow("rtc9 does not answer GET http://127.0.0.1:9/healthz");
    expect(() => use("http://127.0.0.1:9/path")).toThrow("neither options nor a path may follow");
  });
});

test("writes no token into its log", async () => {
  const log = readFileSync(service.logFile, "utf8");
  for (const secret of [SFU.apiSecret, HS_TOKEN, "alices", "shown-by-the-service"])
    expect(log).not.toContain(secret);
});
