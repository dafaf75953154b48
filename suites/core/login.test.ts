import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { at, listAt, textAt } from "#harness/match/json";

const LOGIN = "/_matrix/client/v3/login";

check(
  "CS.login.password",
  "the server accepts a password by full id and by localpart",
  {
    mutant: {
      name: "knows users by localpart only",
      rules: [
        {
          match: { method: "POST", path: LOGIN, contains: ":hs" },
          phase: "before",
          action: { kind: "answer", status: 403, body: { errcode: "M_FORBIDDEN", error: "no" } },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");

    for (const user of [alice.userId, alice.localpart]) {
      const response = await world.anonymous().post(LOGIN, {
        type: "m.login.password",
        identifier: { type: "m.id.user", user },
        password: alice.password,
      });

      const body = ok(response);
      expectEqual(body.user_id, alice.userId, "user_id", response);
      const device = { accessToken: textAt(body, "access_token"), deviceId: textAt(body, "device_id") };
      const whoami = await world.session("hs1", alice, device).get("/_matrix/client/v3/account/whoami");
      expectEqual(ok(whoami).user_id, alice.userId, "user_id of the new token", whoami);
    }
  },
);

check(
  "CS.login.wrong-password",
  "the server refuses a wrong password",
  {
    mutant: {
      name: "answers 401 to a wrong password",
      rules: [
        {
          match: { method: "POST", path: LOGIN, status: 403 },
          phase: "processed",
          action: { kind: "rewrite", status: 401 },
        },
      ],
    },
  },
  async (world) => {
    const alice = await world.user("alice");

    const response = await world.anonymous().post(LOGIN, {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: alice.userId },
      password: "wrong",
    });

    expectMatrixError(response, 403, "M_FORBIDDEN");
  },
);

check(
  "CS.login.flows",
  "the server lists login flows without a token",
  {
    mutant: {
      name: "demands a token",
      rules: [
        {
          match: { method: "GET", path: LOGIN },
          phase: "before",
          action: { kind: "answer", status: 401, body: { errcode: "M_MISSING_TOKEN", error: "no" } },
        },
      ],
    },
  },
  async (world) => {
    const response = await world.anonymous().get(LOGIN);

    if (response.status === 404) {
      expectMatrixError(response, 404, "M_UNRECOGNIZED");
      return;
    }
    for (const flow of listAt(ok(response), "flows")) {
      expectThat(typeof at(flow, "type") === "string", "each flow to have a type", flow, response);
    }
  },
);
