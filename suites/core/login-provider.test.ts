import { listAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectThat, ok } from "#harness/world/expect";
import { altersAnswer, refuses } from "#harness/world/mutants";
import { expectAlive, LOGIN, sessionOf, tryLogin } from "./accounts.ts";

check(
  "CS.login.provider-down",
  "the server starts while a provider that users may log in by is away, and takes passwords",
  {
    isolated: {},
    deadlineMs: 150_000,
    mutant: [
      altersAnswer(
        "does without passwords then",
        { method: "GET", path: LOGIN },
        { set: { "/flows": [{ type: "m.login.sso" }] } },
      ),
      refuses("lets nobody in", { method: "POST", path: LOGIN }, 500, "M_UNKNOWN"),
    ],
  },
  async (world) => {
    const alice = await world.user("alice");

    const ended = await world.restartWith("unreachable-login-provider");

    expectEqual(ended, undefined, "how the server ended instead of serving");
    const flows = listAt(ok(await world.anonymous().get(LOGIN)), "flows");
    const types = flows.map((flow) => (flow as { type?: unknown }).type);
    expectThat(types.includes("m.login.password"), "passwords among the flows", types);
    await expectAlive(alice);
    await expectAlive(sessionOf(world, alice, await tryLogin(world, alice)));
  },
);
