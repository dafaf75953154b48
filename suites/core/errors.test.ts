import { Unsupported } from "#harness/errors";
import type { RuleMatch } from "#harness/gateway/rule";
import { type HttpResponse, path } from "#harness/http/client";
import { at, eventsAt } from "#harness/match/json";
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
import type { Session } from "#harness/world/session";
import { LOGIN, WHOAMI } from "./accounts.ts";
import { ROOM } from "./rooms.ts";

const CREATE_ROOM = "/_matrix/client/v3/createRoom";
const THIRD_PARTY = "/_matrix/client/v3/thirdparty/**";
const JOINED_ROOMS = "/_matrix/client/v3/joined_rooms";
const CREATION: RuleMatch = { method: "POST", path: CREATE_ROOM };

check(
  "CS.error.shape",
  "the server gives every error an errcode and a message",
  {
    mutant: [
      altersAnswer("answers 404 with an HTML page", { status: 404 }, { text: "<html></html>" }),
      altersAnswer("answers 404 without a message", { status: 404 }, { remove: ["/error"] }),
      altersAnswer(
        "sends errors as text",
        { status: 405 },
        { headers: { "content-type": "text/plain" } },
      ),
      altersAnswer(
        "gives an errcode of its own making",
        { status: 403 },
        { set: { "/errcode": "Forbidden!" } },
      ),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await alice.createRoom();
    const alias = `#${world.name("unknown")}:${alice.server.serverName}`;

    const [notJson, noToken, notJoined, notFound, wrongMethod] = await Promise.all([
      alice.request("POST", CREATE_ROOM, { raw: "{nope" }),
      world.anonymous().get(WHOAMI),
      bob.get(path`/_matrix/client/v3/rooms/${roomId}/state`),
      alice.get(path`/_matrix/client/v3/directory/room/${alias}`),
      alice.put(LOGIN),
    ]);

    expectErrorShape(notJson, 400);
    expectErrorShape(noToken, 401);
    expectErrorShape(notJoined, 403);
    expectErrorShape(notFound, 404);
    expectErrorShape(wrongMethod, 405);
  },
);

check(
  "CS.error.shape",
  "the server gives the refusal of an unknown third-party protocol an errcode",
  {
    mutant: [
      altersAnswer("leaves the errcode out", { path: THIRD_PARTY }, { remove: ["/errcode"] }),
      altersAnswer("answers with a page", { path: THIRD_PARTY }, { text: "<html></html>" }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await alice.get(
      path`/_matrix/client/v3/thirdparty/protocol/${world.name("unknown")}`,
    );

    expectErrorShape(response, 404);
  },
);

function expectErrorShape(response: HttpResponse, status: number): void {
  const errcode = expectMatrixError(response, status);
  const isName = /^[A-Z][A-Z0-9._]*$/.test(errcode);
  expectThat(isName, "an errcode of capitals, digits, dots and underscores", errcode, response);
  const error = at(response.json, "error");
  expectThat(typeof error === "string", "a message in error", error, response);
  const type = String(response.headers["content-type"] ?? "");
  expectThat(/^application\/json\b/i.test(type), "content type application/json", type, response);
}

check(
  "CS.error.unknown-endpoint",
  "the server answers 404 M_UNRECOGNIZED at endpoints that do not exist",
  {
    mutant: [
      altersAnswer("answers an empty 404", { path: "/_matrix/unknown" }, { text: "" }),
      altersAnswer(
        "answers 400 to unknown rooms APIs",
        { path: "/_matrix/client/v3/**" },
        { status: 400 },
      ),
      altersAnswer(
        "answers M_NOT_FOUND",
        { path: "/_matrix/media/*" },
        { set: { "/errcode": "M_NOT_FOUND" } },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    for (const target of [
      "/_matrix/unknown",
      "/_matrix/client/unknown",
      "/_matrix/client/v1/unknown",
      "/_matrix/client/v3/room/unknown",
      "/_matrix/media/unknown",
    ]) {
      expectMatrixError(await alice.get(target), 404, "M_UNRECOGNIZED");
    }
  },
);

check(
  "CS.error.wrong-method",
  "the server answers 405 M_UNRECOGNIZED to methods that an endpoint lacks",
  {
    mutant: [
      altersAnswer("answers 404 to PUT", { method: "PUT", path: LOGIN }, { status: 404 }),
      altersAnswer("answers 400 to PATCH", { method: "PATCH" }, { status: 400 }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const login = await alice.put(LOGIN);
    const upload = await alice.request("PATCH", "/_matrix/media/v3/upload", { body: {} });

    expectMatrixError(login, 405, "M_UNRECOGNIZED");
    expectMatrixError(upload, 405, "M_UNRECOGNIZED");
  },
);

check(
  "CS.error.unknown-endpoint-federation",
  "the server answers 404 and 405 M_UNRECOGNIZED to peers",
  {
    mutant: [
      altersAnswer("answers 404 in plain text", { status: 404 }, { text: "404 page not found" }),
      altersAnswer("answers 404 to wrong methods", { status: 405 }, { status: 404 }),
    ],
  },
  async (world) => {
    const peer = world.federation();

    const unknown = await Promise.all([
      peer.get("/_matrix/federation/v1/unknown"),
      peer.get("/_matrix/key/v2/unknown"),
    ]);
    const wrongMethod = await Promise.all([
      peer.put("/_matrix/federation/v1/version"),
      peer.put("/_matrix/key/v2/query"),
    ]);

    for (const response of unknown) expectMatrixError(response, 404, "M_UNRECOGNIZED");
    for (const response of wrongMethod) expectMatrixError(response, 405, "M_UNRECOGNIZED");
  },
);

check(
  "CS.error.not-json",
  "the server refuses a body that is not JSON and creates nothing",
  {
    mutant: [
      altersRequest("reads a broken body as an empty one", CREATION, { text: "{}" }),
      altersAnswer("answers 500", CREATION, { status: 500 }),
      altersAnswer(
        "shows a room all the same",
        { path: JOINED_ROOMS },
        {
          body: { joined_rooms: ["!made"] },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await alice.request("POST", CREATE_ROOM, { raw: "{nope" });

    expectMatrixError(response, 400, "M_NOT_JSON");
    await expectNoRooms(alice);
  },
);

check(
  "CS.error.invalid-utf8",
  "the server refuses JSON with malformed UTF-8",
  {
    mutant: altersRequest("stores replacement characters", CREATION, {
      text: JSON.stringify({ name: "� (" }),
    }),
  },
  async (world) => {
    const alice = await world.user("alice");
    const invalid = Buffer.concat([
      Buffer.from('{"name":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);

    const response = await alice.request("POST", CREATE_ROOM, { raw: invalid });

    expectMatrixError(response, 400, ["M_NOT_JSON", "M_BAD_JSON"]);
    await expectNoRooms(alice);
  },
);

check(
  "CS.error.bad-json-shape",
  "the server refuses JSON of the wrong shape and creates nothing",
  {
    mutant: [
      altersAnswer(
        "answers 500 to a name that is a number",
        { ...CREATION, contains: '"name"' },
        { status: 500 },
      ),
      altersRequest(
        "ignores an unknown preset",
        { ...CREATION, contains: "zzz" },
        { remove: ["/preset"] },
      ),
      altersRequest(
        "reads a list as an empty object",
        { ...CREATION, contains: "[]" },
        { text: "{}" },
      ),
      claims("takes a list for content", {
        method: "PUT",
        path: `${ROOM}/send/**`,
        contains: "[]",
      }),
    ],
  },
  async (world) => {
    const [alice, bob] = await world.users("alice", "bob");
    const roomId = await bob.createRoom();

    const answers = [
      await alice.post(CREATE_ROOM, []),
      await alice.post(CREATE_ROOM, { preset: "zzz" }),
      await bob.put(messageIn(roomId, world.name("txn")), []),
    ];
    const joinedThen = await alice.get(JOINED_ROOMS);
    const withNumber = await alice.post(CREATE_ROOM, { name: 5 });

    for (const response of [...answers, withNumber]) {
      const errcode = expectMatrixError(response, 400, [
        "M_BAD_JSON",
        "M_INVALID_PARAM",
        "M_UNKNOWN",
      ]);
      if (errcode !== "M_BAD_JSON") world.note(`${errcode} instead of M_BAD_JSON`);
    }
    await expectMessages(bob, roomId, []);
    expectEqual(at(joinedThen.json, "joined_rooms"), [], "joined_rooms", joinedThen);
    await expectNoRooms(alice, "joined_rooms after the refusal of the name 5");
  },
);

check(
  "CS.error.no-5xx-on-input",
  "the server answers malformed input with a 4xx, never with a 5xx",
  {
    mutant: altersAnswer(
      "answers 500 to an unknown type of login",
      { method: "POST", path: LOGIN },
      { status: 500 },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom({ room_version: "10" });
    const room = path`/_matrix/client/v3/rooms/${roomId}`;
    const typing = path`/_matrix/client/v3/rooms/${roomId}/typing/${alice.userId}`;

    const malformed = await Promise.all([
      alice.post(LOGIN, { type: 5 }),
      alice.post(CREATE_ROOM, { initial_state: [{ content: {} }] }),
      alice.put(`${room}/state/m.room.create/`, { room_version: "10" }),
      alice.put(`${room}/send/m.room.create/${world.name("txn")}`, {}),
      alice.put(`${room}/send/m.room.member/${world.name("txn")}`, { membership: "join" }),
      alice.put(typing, {}),
      alice.post("/_matrix/client/v3/publicRooms", { since: "zz" }),
    ]);
    const odd = await Promise.all([
      alice.put(`${room}/send/m.room.redaction/${world.name("txn")}`, {}),
      alice.get("/_matrix/client/v1/media/download/..%2F/media"),
    ]);

    const broken = [
      ...malformed.filter(({ status }) => status < 400 || status > 499),
      ...odd.filter(({ status }) => status > 499),
    ];
    const [first] = broken;
    if (first !== undefined) {
      const head = (response: HttpResponse) => response.describe().split("\n", 1)[0];
      const shown = broken.map((response) => `${response.status} to ${head(response)}`);
      fail("a 4xx to every malformed request", shown.join("; "), first);
    }
  },
);

const OUT_OF_RANGE = ["1.5", "9007199254740992", "-9007199254740992"];
const NOT_A_NUMBER = ["NaN", "Infinity", "-Infinity"];

check(
  "CS.error.integer-range",
  "the server refuses numbers that canonical JSON does not have",
  {
    mutant: [
      altersRequest(
        "rounds floats",
        { method: "PUT", contains: ":1.5}" },
        { replace: [["1.5", "2"]] },
      ),
      altersRequest(
        "clamps integers",
        { method: "PUT", contains: ":9007199254740992" },
        {
          replace: [["9007199254740992", "9007199254740991"]],
        },
      ),
      altersRequest(
        "reads NaN as null",
        { method: "PUT", contains: ":NaN}" },
        { replace: [["NaN", "null"]] },
      ),
      altersAnswer(
        "answers 500 to infinity",
        { method: "PUT", contains: "Infinity" },
        { status: 500 },
      ),
      altersRequest(
        "refuses but sends",
        { method: "PUT", contains: ":9007199254740991}" },
        {
          replace: [["in range", "out of range"]],
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const send = (body: string, value: string) =>
      alice.request("PUT", messageIn(roomId, world.name("txn")), {
        raw: `{"msgtype":"m.text","body":"${body}","value":${value}}`,
      });

    const outOfRange = [];
    for (const value of OUT_OF_RANGE) outOfRange.push(await send("out of range", value));
    const notANumber = [];
    for (const value of NOT_A_NUMBER) notANumber.push(await send("no number", value));
    const inRange = await send("in range", "9007199254740991");

    for (const response of outOfRange) expectMatrixError(response, 400, "M_BAD_JSON");
    for (const response of notANumber)
      expectMatrixError(response, 400, ["M_BAD_JSON", "M_NOT_JSON"]);
    ok(inRange);
    await expectMessages(alice, roomId, ["in range"]);
  },
);

const BURST = 20;
const BURSTS_AT_MOST = 15;

check(
  "CS.error.rate-limit",
  "the server answers 429 with Retry-After when messages come too fast",
  {
    isolated: { features: ["rate-limits"] },
    mutant: [
      altersAnswer("answers 500 instead", { status: 429 }, { status: 500 }),
      altersAnswer(
        "does not say when to retry",
        { status: 429 },
        { headers: { "retry-after": null } },
      ),
      altersAnswer("answers M_UNKNOWN", { status: 429 }, { set: { "/errcode": "M_UNKNOWN" } }),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");
    const roomId = await alice.createRoom();
    const body = { msgtype: "m.text", body: "fast" };
    const send = () => alice.put(messageIn(roomId, world.name("txn")), body);

    let refused: HttpResponse | undefined;
    for (let burst = 0; burst < BURSTS_AT_MOST && refused === undefined; burst++) {
      const answers = await Promise.all(Array.from({ length: BURST }, send));
      refused = answers.find(({ status }) => status !== 200);
    }

    if (refused === undefined) {
      throw new Unsupported("rate-limits", `${BURST * BURSTS_AT_MOST} messages were not too fast`);
    }
    expectMatrixError(refused, 429, "M_LIMIT_EXCEEDED");
    const retryAfter = String(refused.headers["retry-after"] ?? "");
    const isTime = /^\d+$/.test(retryAfter) || !Number.isNaN(Date.parse(retryAfter));
    expectThat(isTime, "Retry-After with seconds or a date", retryAfter, refused);
  },
);

function messageIn(roomId: string, transaction: string): string {
  return path`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/${transaction}`;
}

async function expectNoRooms(session: Session, what = "joined_rooms"): Promise<void> {
  const response = await session.get(JOINED_ROOMS);
  expectStatus(response, 200);
  expectEqual(at(response.json, "joined_rooms"), [], what, response);
}

async function expectMessages(
  session: Session,
  roomId: string,
  bodies: readonly string[],
): Promise<void> {
  const response = await session.get(path`/_matrix/client/v3/rooms/${roomId}/messages`, {
    dir: "b",
    limit: 50,
  });
  const messages = eventsAt(ok(response), "chunk").filter(({ type }) => type === "m.room.message");
  expectEqual(
    messages.map(({ content }) => content.body),
    bodies,
    "the messages",
    response,
  );
}
