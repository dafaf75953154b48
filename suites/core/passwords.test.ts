import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, ok } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { availability, LOGIN, REGISTER, register, sessionOf, tryLogin } from "./accounts.ts";

const REGISTRATION = { method: "POST", path: REGISTER };
const BROKEN = { status: 500, body: { errcode: "M_UNKNOWN", error: "" } };

/** An account with this password can be used, or there is none. */
async function expectUsableOrRefused(world: World, password: string): Promise<void> {
  const username = world.name("alice");
  const response = await register(world, { username, password });
  if (response.status >= 400 && response.status < 500) {
    expectMatrixError(response, response.status);
    expectEqual(ok(await availability(world, username)).available, true, "available");
    world.note(`${Buffer.byteLength(password)} bytes are refused`);
    return;
  }
  const alice = sessionOf(world, { userId: "", localpart: username, password }, response);
  const login = await tryLogin(world, alice);
  expectEqual(ok(login).user_id, alice.userId, "user_id", login);
}

check(
  "CS.register.long-password",
  "the server takes a password of a hundred bytes, or refuses it",
  {
    mutant: [
      altersAnswer("breaks at registration", { ...REGISTRATION, status: 200 }, BROKEN),
      refuses("takes it, and not again", { method: "POST", path: LOGIN }, 403, "M_FORBIDDEN"),
    ],
  },
  (world) => expectUsableOrRefused(world, world.name("x").padEnd(100, "y")),
);

check(
  "CS.register.long-password",
  "the server takes a password with a letter across byte 72, or refuses it",
  {
    mutant: [
      altersAnswer("breaks at registration", { ...REGISTRATION, status: 200 }, BROKEN),
      altersAnswer(
        "refuses, and takes the name",
        { ...REGISTRATION, status: 200 },
        { status: 400, body: { errcode: "M_UNKNOWN", error: "" } },
      ),
    ],
  },
  (world) => expectUsableOrRefused(world, `${world.name("x").padEnd(71, "y")}é`),
);
