/** Users whom an administrator has locked or suspended, by whatever means the server has for that. */
import { path } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, claims } from "#harness/world/mutants";
import { expectAlive, LOGIN, sessionOf, tryLogin, WHOAMI } from "./accounts.ts";
import { ROOM } from "./rooms.ts";

const LOGIN_REQUEST = { method: "POST", path: LOGIN };
const CLAIMED = { user_id: "@claimed:hs1", access_token: "claimed", device_id: "CLAIMED" };
/** The latter before MSC3823 was part of the specification. */
const SUSPENDED = ["M_USER_SUSPENDED", "ORG.MATRIX.MSC3823.USER_ACCOUNT_SUSPENDED"];
const SEND = `${ROOM}/send/**`;

check(
  "CS.login.locked",
  "the server lets nobody into a locked account, and anybody back once it is unlocked",
  {
    mutant: [
      claims("lets them in", LOGIN_REQUEST, CLAIMED),
      altersAnswer(
        "does not say why",
        { ...LOGIN_REQUEST, status: 401 },
        { set: { "/errcode": "M_FORBIDDEN" } },
      ),
      altersAnswer(
        "keeps the session at work",
        { path: WHOAMI, status: 401 },
        { status: 200, body: { user_id: "@claimed:hs1" } },
      ),
      altersAnswer(
        "has clients forget the session",
        { path: WHOAMI, status: 401 },
        { remove: ["/soft_logout"] },
      ),
      altersAnswer(
        "lets nobody in again",
        { ...LOGIN_REQUEST, status: 200 },
        { status: 401, body: { errcode: "M_USER_LOCKED", error: "" } },
      ),
    ],
  },
  async (world) => {
    const [alice, admin] = await Promise.all([world.user("alice"), world.admin()]);
    const administration = world.administration(admin.accessToken);

    await administration.lock(alice.userId, true);
    const refused = await tryLogin(world, alice);
    const used = await alice.get(WHOAMI);
    await administration.lock(alice.userId, false);
    const login = await tryLogin(world, alice);

    expectMatrixError(refused, 401, "M_USER_LOCKED");
    expectMatrixError(used, 401, "M_USER_LOCKED");
    expectEqual(at(used.json, "soft_logout"), true, "soft_logout", used);
    // A login has no session that could be kept.
    if (at(refused.json, "soft_logout") !== true) world.note("soft_logout of a login is not true");
    await expectAlive(sessionOf(world, alice, login));
  },
);

check(
  "CS.login.locked-session",
  "the server keeps the sessions of an account that was locked for a time",
  {
    mutant: altersAnswer(
      "has ended the session",
      { path: WHOAMI, status: 200 },
      { status: 401, body: { errcode: "M_UNKNOWN_TOKEN", error: "" } },
    ),
  },
  async (world) => {
    const [alice, admin] = await Promise.all([world.user("alice"), world.admin()]);
    const administration = world.administration(admin.accessToken);

    await administration.lock(alice.userId, true);
    expectMatrixError(await alice.get(WHOAMI), 401, "M_USER_LOCKED");
    await administration.lock(alice.userId, false);

    await expectAlive(alice);
  },
);

check(
  "CS.send.suspended",
  "the server takes neither messages nor encrypted ones of a suspended user",
  {
    mutant: ["m.room.message", "m.room.encrypted"]
      .map((type) =>
        altersAnswer(
          `takes ${type}`,
          { path: `${ROOM}/send/${type}/*`, status: 403 },
          { status: 200, body: { event_id: "$claimed" } },
        ),
      )
      .concat([
        altersAnswer(
          "never takes anything again",
          { path: SEND, status: 200 },
          { status: 403, body: { errcode: "M_USER_SUSPENDED", error: "" } },
        ),
      ]),
  },
  async (world) => {
    const [alice, admin] = await Promise.all([world.user("alice"), world.admin()]);
    const administration = world.administration(admin.accessToken);
    const roomId = await alice.createRoom();
    const send = (type: string, content: JsonObject) =>
      alice.put(
        path`/_matrix/client/v3/rooms/${roomId}/send/${type}/${world.name("txn")}`,
        content,
      );
    const encrypted = {
      algorithm: "m.megolm.v1.aes-sha2",
      ciphertext: "AwgAEnACgAkLmt6qF84IK",
      session_id: "IkwqWxT2zy3DI1E/zM2Wq+CE8tr3eEpsxsVGjGrMPdw",
    };

    await administration.suspend(alice.userId, true);
    const text = await send("m.room.message", { msgtype: "m.text", body: "hello" });
    const secret = await send("m.room.encrypted", encrypted);
    const synced = await alice.syncResponse();
    await administration.suspend(alice.userId, false);
    const free = await send("m.room.encrypted", encrypted);

    for (const response of [text, secret]) expectMatrixError(response, 403, SUSPENDED);
    ok(synced);
    ok(free);
  },
);

check(
  "CS.admin.room-admin-v12",
  "an administrator gives a member power in a version 12 room whose creator is not among the users with levels",
  {
    mutant: altersAnswer(
      "gives what another member has",
      { method: "GET", path: `${ROOM}/state/m.room.power_levels/` },
      { replace: [[":100", ":50"]] },
    ),
  },
  async (world) => {
    const [alice, bob, carol, admin] = await Promise.all([
      world.user("alice"),
      world.user("bob"),
      world.user("carol"),
      world.admin(),
    ]);
    const roomId = await alice.createRoom({
      room_version: "12",
      preset: "public_chat",
      power_level_content_override: { users: { [carol.userId]: 50 } },
    });
    for (const member of [bob, carol]) await member.join(roomId);

    await world.administration(admin.accessToken).makeRoomAdmin(roomId, bob.userId);

    const levels = await alice.state(roomId, "m.room.power_levels");
    const given = at(levels, "users", bob.userId);
    const isAdmin = typeof given === "number" && given >= 100;
    expectThat(isAdmin, "bob with the level that changes levels", levels);
    expectEqual(at(levels, "users", carol.userId), 50, "carol's level");
  },
);
