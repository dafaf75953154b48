import { path } from "#harness/http/client";
import { eventsAt } from "#harness/match/json";
import { appservice, registerGhost } from "#harness/world/appservice";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";

const REGISTER = "/_matrix/client/v3/register";
const LOGIN = "/_matrix/client/v3/login";

check(
  "CS.appservice.masquerade",
  "an application service registers and acts as users of its namespace only",
  {
    mutant: {
      name: "lets it act as anybody",
      rules: [
        {
          match: { method: "GET", path: "/_matrix/client/v3/account/whoami", status: 403 },
          phase: "processed",
          action: { kind: "answer", status: 200, body: { user_id: "@anybody:hs1" } },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const { prefix } = world.deployment.appservice;
    const localpart = world.name(`${prefix}ghost`);
    const ghost = `@${localpart}:${world.server().serverName}`;

    const registered = await registerGhost(world, localpart);
    const own = await appservice(world).get("/_matrix/client/v3/account/whoami", {
      user_id: ghost,
    });
    const foreign = await appservice(world).get("/_matrix/client/v3/account/whoami", {
      user_id: alice.userId,
    });
    const outside = await registerGhost(world, world.name("outside"));

    expectEqual(ok(registered).user_id, ghost, "user_id", registered);
    expectEqual(ok(own).user_id, ghost, "user_id of whoami as the ghost", own);
    expectMatrixError(foreign, 403);
    expectMatrixError(outside, 400, "M_EXCLUSIVE");
  },
);

check(
  "CS.appservice.exclusive",
  "normal users can not take names or aliases of an exclusive namespace",
  {
    mutant: {
      name: "lets anybody take an alias of the namespace",
      rules: [
        {
          match: { method: "PUT", path: "/_matrix/client/v3/directory/room/*" },
          phase: "processed",
          action: { kind: "answer", status: 200, body: {} },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const { prefix } = world.deployment.appservice;
    const roomId = await alice.createRoom();
    const alias = `#${world.name(`${prefix}room`)}:${alice.server.serverName}`;

    const register = await world.anonymous().post(REGISTER, {
      username: world.name(`${prefix}user`),
      password: world.name("password"),
      auth: { type: "m.login.dummy" },
    });
    const claim = await alice.put(path`/_matrix/client/v3/directory/room/${alias}`, {
      room_id: roomId,
    });

    expectMatrixError(register, 400, "M_EXCLUSIVE");
    expectMatrixError(claim, [400, 409], "M_EXCLUSIVE");
  },
);

check(
  "CS.appservice.push",
  "events of interest are pushed in order and again until they are taken",
  {
    mutant: altersRequest(
      "pushes without its token",
      { from: "server", to: "appservice", path: "/_matrix/app/v1/transactions/*" },
      { headers: { authorization: null } },
    ),
  },
  async (world) => {
    const alice = await world.user("alice");
    const { prefix, hsToken } = world.deployment.appservice;
    const localpart = world.name(`${prefix}ghost`);
    const ghost = `@${localpart}:${alice.server.serverName}`;
    ok(await registerGhost(world, localpart));
    const roomId = await alice.createRoom({ preset: "public_chat" });
    const pushes: {
      transaction: string;
      bodies: string[];
      authorization: string;
      status: number;
    }[] = [];
    let refusals = 1;
    await world.appservice((request, body, response) => {
      const bodies = eventsAt(body, "events")
        .filter((event) => event.room_id === roomId && event.type === "m.room.message")
        .map(({ content }) => String(content.body));
      const status = bodies.length > 0 && refusals-- > 0 ? 500 : 200;
      if (bodies.length > 0) {
        const transaction = (request.url ?? "").split("?")[0] ?? "";
        pushes.push({
          transaction,
          bodies,
          authorization: request.headers.authorization ?? "",
          status,
        });
      }
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    });
    const join = path`/_matrix/client/v3/rooms/${roomId}/join`;
    ok(await appservice(world).post(join, {}, { user_id: ghost }));

    for (const body of ["one", "two", "three"]) await alice.send(roomId, body);

    await world.eventually(
      () => {
        const taken = pushes.filter(({ status }) => status === 200).flatMap(({ bodies }) => bodies);
        expectEqual(
          taken,
          ["one", "two", "three"],
          "messages that the application service took, in order",
        );
      },
      { deadlineMs: 30_000 },
    );
    const [refused, retried] = pushes;
    expectThat(
      refused !== undefined && retried !== undefined,
      "a push and its repetition",
      pushes.length,
    );
    expectEqual(refused.status, 500, "status of our first answer");
    expectEqual(
      { transaction: retried.transaction, bodies: retried.bodies },
      { transaction: refused.transaction, bodies: refused.bodies },
      "the repeated transaction",
    );
    for (const { authorization } of pushes) {
      expectThat(
        authorization === `Bearer ${hsToken}`,
        "Authorization: Bearer hs_token",
        authorization === "" ? "none" : "another",
      );
    }
  },
);

check(
  "CS.appservice.login-only",
  "the application service types are refused without its token",
  {
    mutant: {
      name: "logs in anybody who names the type",
      rules: [
        {
          match: { method: "POST", path: LOGIN },
          phase: "processed",
          action: {
            kind: "answer",
            status: 200,
            body: { user_id: "@x:y", access_token: "x", device_id: "x" },
          },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");
    const login = {
      type: "m.login.application_service",
      identifier: { type: "m.id.user", user: alice.localpart },
    };

    expectMatrixError(await world.anonymous().post(LOGIN, login), 401, "M_MISSING_TOKEN");
    expectMatrixError(await alice.post(LOGIN, login), [401, 403]);
    const register = await world.anonymous().post(REGISTER, {
      type: "m.login.application_service",
      username: world.name("ghost"),
    });
    expectThat(
      register.status >= 400 && register.status < 500,
      "4xx",
      String(register.status),
      register,
    );
  },
);
