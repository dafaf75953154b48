import { Unsupported } from "#harness/errors";
import type { RuleMatch } from "#harness/gateway/rule";
import { at, listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import {
  expectEqual,
  expectMatrixError,
  expectStatus,
  expectThat,
  ok,
} from "#harness/world/expect";
import { altersAnswer, altersRequest, claims } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  AVAILABLE,
  availability,
  DEVICES,
  deviceIds,
  expectUia,
  LOGIN,
  REGISTER,
  register,
  registered,
  sessionOf,
  tryLogin,
  WHOAMI,
} from "./accounts.ts";

const REGISTRATION: RuleMatch = { method: "POST", path: REGISTER };
const CLAIMED = { user_id: "@claimed:hs1", access_token: "claimed", device_id: "CLAIMED" };

check(
  "CS.register.flows",
  "the server answers a registration without auth with its flows",
  {
    mutant: [
      altersAnswer("answers 400", { ...REGISTRATION, status: 401 }, { status: 400 }),
      claims("makes an account at once", REGISTRATION, CLAIMED),
      altersAnswer("lists no flows", REGISTRATION, { remove: ["/flows"] }),
    ],
  },
  async (world) => {
    const response = await world.anonymous().post(REGISTER, {});

    if (response.status === 403) {
      expectMatrixError(response, 403, "M_FORBIDDEN");
      throw new Unsupported("open-registration", "registration is closed");
    }
    expectUia(response);
    expectThat(
      listAt(response.json, "flows").length > 0,
      "at least one flow",
      response.text,
      response,
    );
  },
);

check(
  "CS.register.create",
  "the server logs a new account in unless that is inhibited",
  {
    mutant: [
      altersRequest(
        "ignores inhibit_login",
        { ...REGISTRATION, contains: "inhibit_login" },
        {
          remove: ["/inhibit_login"],
        },
      ),
      altersAnswer(
        "gives a token that does not work",
        { ...REGISTRATION, status: 200 },
        {
          set: { "/access_token": "zz" },
        },
      ),
      altersAnswer(
        "names another device",
        { ...REGISTRATION, status: 200 },
        {
          set: { "/device_id": "OTHER" },
        },
      ),
      altersAnswer(
        "forgets the server name",
        { ...REGISTRATION, status: 200 },
        {
          replace: [[":hs1", ""]],
        },
      ),
    ],
  },
  async (world) => {
    const [username, silent] = [world.name("alice"), world.name("silent")];
    const password = world.name("password");

    const response = await register(world, { username, password });
    const inhibited = await register(world, { username: silent, password, inhibit_login: true });

    const body = ok(response);
    expectEqual(body.user_id, userId(world, username), "user_id", response);
    const alice = sessionOf(world, { userId: "", localpart: username, password }, response);
    const whoami = await alice.get(WHOAMI);
    expectEqual(ok(whoami).user_id, alice.userId, "user_id of the token", whoami);
    expectEqual(ok(whoami).device_id, alice.deviceId, "device_id of the token", whoami);
    expectEqual(ok(inhibited).user_id, userId(world, silent), "user_id", inhibited);
    for (const key of ["access_token", "device_id"]) {
      expectEqual(at(inhibited.json, key), undefined, `${key} with inhibit_login`, inhibited);
    }
  },
);

check(
  "CS.register.downcase",
  "the server lowers or refuses capitals in a username",
  {
    mutant: altersAnswer(
      "makes ids with capitals",
      { ...REGISTRATION, status: [200, 400] },
      {
        status: 200,
        body: { ...CLAIMED, user_id: "@User-UPPER:hs1" },
      },
    ),
  },
  async (world) => {
    const username = `${world.name("user")}-UPPER`;

    const response = await register(world, { username, password: world.name("password") });

    if (response.status === 400) {
      expectMatrixError(response, 400, "M_INVALID_USERNAME");
      world.note("capitals are refused");
      return;
    }
    expectEqual(ok(response).user_id, userId(world, username.toLowerCase()), "user_id", response);
  },
);

check(
  "CS.register.device-id",
  "the server uses the device id given at registration",
  {
    mutant: [
      altersRequest("invents a device id", REGISTRATION, { remove: ["/device_id"] }),
      altersAnswer(
        "does not list the device",
        { method: "GET", path: DEVICES },
        {
          body: { devices: [] },
        },
      ),
    ],
  },
  async (world) => {
    const deviceId = world.name("DEVICE");
    const account = { username: world.name("alice"), password: world.name("password") };

    const response = await register(world, { ...account, device_id: deviceId });

    expectEqual(ok(response).device_id, deviceId, "device_id", response);
    const alice = sessionOf(
      world,
      { userId: "", localpart: account.username, password: account.password },
      response,
    );
    expectEqual(await deviceIds(alice), [deviceId], "the devices");
  },
);

const INVALID = ["!", '"', ":", "?", "@", "[", "]", "{", "|", "}", "£", "é", "'"];

check(
  "CS.register.invalid-username",
  "the server refuses usernames outside the grammar",
  {
    mutant: [
      claims("takes any letter", { ...REGISTRATION, contains: "é" }, CLAIMED),
      altersRequest(
        "drops the colon",
        { ...REGISTRATION, contains: "-:-" },
        {
          replace: [["-:-", "-"]],
        },
      ),
      altersAnswer(
        "calls it M_UNKNOWN",
        { ...REGISTRATION, status: 400 },
        {
          set: { "/errcode": "M_UNKNOWN" },
        },
      ),
    ],
  },
  async (world) => {
    const password = world.name("password");

    for (const character of INVALID) {
      const username = `${world.name("alice")}-${character}-x`;
      const response = await register(world, { username, password });

      expectMatrixError(response, 400, "M_INVALID_USERNAME");
    }
  },
);

check(
  "CS.register.valid-chars",
  "the server takes every character of the grammar and ids of at most 255 bytes",
  {
    mutant: [
      altersAnswer(
        "refuses slashes",
        { ...REGISTRATION, contains: '/"' },
        { status: 400, body: { errcode: "M_INVALID_USERNAME", error: "no" } },
      ),
      altersRequest("lets plus signs fall", REGISTRATION, { replace: [['+"', '"']] }),
      altersRequest("cuts long names", REGISTRATION, { replace: [["x".repeat(230), ""]] }),
    ],
  },
  async (world) => {
    const password = world.name("password");
    const tooLong = `${world.name("alice")}${"x".repeat(240)}`;

    const refused = await register(world, { username: tooLong, password });

    expectMatrixError(refused, 400, "M_INVALID_USERNAME");
    for (const character of ["q", "3", ".", "_", "=", "-", "/", "+"]) {
      const username = `${world.name("alice")}${character}`;
      const response = await register(world, { username, password });

      expectEqual(ok(response).user_id, userId(world, username), "user_id", response);
    }
  },
);

check(
  "CS.register.in-use",
  "the server refuses a taken username and keeps its password",
  {
    mutant: [
      claims("gives the account away", { ...REGISTRATION, contains: "thief" }, CLAIMED),
      altersAnswer(
        "overwrites the password",
        { method: "POST", path: LOGIN, contains: "owner" },
        { status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
      ),
    ],
  },
  async (world) => {
    const username = world.name("alice");
    const owner = await registered(world, { username, password: world.name("owner") });

    const response = await register(world, { username, password: world.name("thief") });

    expectMatrixError(response, 400, "M_USER_IN_USE");
    ok(await tryLogin(world, owner));
  },
);

check(
  "CS.register.nonascii-password",
  "the server takes a password with letters beyond ASCII",
  {
    mutant: [
      altersRequest("mangles the password at registration", REGISTRATION, {
        replace: [["密", "?"]],
      }),
      altersRequest("mangles the password at login", { path: LOGIN }, { replace: [["ä", "a"]] }),
    ],
  },
  async (world) => {
    const password = `pässwörd-密码-🔑-${world.name("x")}`;

    const alice = await registered(world, { username: world.name("alice"), password });
    const response = await tryLogin(world, alice);

    expectEqual(ok(response).user_id, alice.userId, "user_id", response);
  },
);

const DUMMY = { type: "m.login.dummy" };

check(
  "CS.register.bad-session",
  "the server does not register with an unknown session or stage",
  {
    mutant: [
      altersRequest(
        "takes any session",
        { ...REGISTRATION, contains: '"nope"' },
        {
          set: { "/auth": DUMMY },
        },
      ),
      altersRequest(
        "takes any stage",
        { ...REGISTRATION, contains: "m.login.nope" },
        {
          set: { "/auth": DUMMY },
        },
      ),
      altersAnswer(
        "refuses but takes the name",
        { path: AVAILABLE },
        { status: 400, body: { errcode: "M_USER_IN_USE", error: "no" } },
      ),
    ],
  },
  async (world) => {
    const username = world.name("alice");
    const body = { username, password: world.name("password") };
    const anonymous = world.anonymous();

    const unknownSession = await anonymous.post(REGISTER, {
      ...body,
      auth: { type: "m.login.dummy", session: "nope" },
    });
    const unknownStage = await anonymous.post(REGISTER, {
      ...body,
      auth: { type: "m.login.nope" },
    });

    expectStatus(unknownSession, [400, 401]);
    expectStatus(unknownStage, [400, 401]);
    const available = await availability(world, username);
    expectEqual(ok(available).available, true, "available", available);
  },
);

check(
  "CS.register.available",
  "the server tells free, taken and invalid usernames apart",
  {
    mutant: [
      altersAnswer(
        "calls taken names free",
        { path: AVAILABLE, contains: "alice" },
        {
          status: 200,
          body: { available: true },
        },
      ),
      altersRequest(
        "ignores invalid characters",
        { path: AVAILABLE, contains: "invalid" },
        {
          path: `${AVAILABLE}?username=a-free-name-of-a-mutant`,
        },
      ),
      altersAnswer(
        "calls free names taken",
        { path: AVAILABLE, contains: "free" },
        {
          status: 400,
          body: { errcode: "M_USER_IN_USE", error: "no" },
        },
      ),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const free = await availability(world, world.name("free"));
    const taken = await availability(world, alice.localpart);
    const invalid = await availability(world, `${world.name("invalid")}-!`);

    expectEqual(ok(free).available, true, "available of a free name", free);
    expectMatrixError(taken, 400, "M_USER_IN_USE");
    expectMatrixError(invalid, 400, "M_INVALID_USERNAME");
  },
);

check(
  "CS.register.available",
  "the server calls a username with letters beyond ASCII invalid",
  {
    mutant: altersAnswer(
      "calls it free",
      { path: AVAILABLE },
      {
        status: 200,
        body: { available: true },
      },
    ),
  },
  async (world) => {
    const username = `${world.name("invalid")}-é`;

    const response = await availability(world, username);

    expectMatrixError(response, 400, "M_INVALID_USERNAME");
  },
);

function userId(world: World, localpart: string): string {
  return `@${localpart}:${world.server().serverName}`;
}
