/** Registrations that come again, one after the other or at once, and what becomes of the clients before them. */
import { clientIdIn } from "#harness/clients/oauth/registration";
import { authClient } from "#harness/clients/oauth/sign-in";
import { at } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectStatus, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { REGISTER } from "./mutants.ts";
import { signedIn } from "./people.ts";
import { expectTaken, VALID, web } from "./registrations.ts";

const REGISTERED = { ...REGISTER, status: 201 };
/** As many as make a race likely. */
const AT_ONCE = 8;

check(
  "MSC3861.reg.at-once",
  "the server takes the same registration from several installations at once",
  {
    mutant: altersAnswer("breaks on the second one", REGISTERED, {
      status: 500,
      body: { error: "server_error" },
    }),
  },
  async (world) => {
    const auth = await authClient(world);

    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => auth.register(VALID)));

    const ids = answers.map(clientIdIn);
    world.note(`${AT_ONCE} registrations give ${new Set(ids).size} ids`);
  },
);

check(
  "MSC3861.reg.dedupe",
  "the server gives clients with other redirect URIs other ids",
  {
    mutant: altersAnswer("gives all clients one id", REGISTERED, {
      set: { "/client_id": "claimed" },
    }),
  },
  async (world) => {
    const other = web("https://example.com/other");
    const [first, again, different] = await expectTaken(world, VALID, VALID, other);

    const ids = [first, again, different].map((answer) => at(answer?.json, "client_id"));
    world.note(`the same registration twice gives ${ids[0] === ids[1] ? "one id" : "two ids"}`);
    expectThat(ids[2] !== ids[0] && ids[2] !== ids[1], "another id", ids[2], different);
  },
);

check(
  "MSC3861.reg.keep-active",
  "the server keeps a client that has a session, whatever else is registered",
  {
    mutant: altersAnswer(
      "has forgotten the client",
      { method: "POST", contains: "grant_type=refresh_token" },
      { status: 401, body: { error: "invalid_client" } },
    ),
  },
  async (world) => {
    const { client, refreshToken } = await signedIn(world);
    await expectTaken(world, VALID, web("https://example.com/other"));

    const response = await client.auth.token({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: client.clientId,
    });

    expectStatus(response, 200);
  },
);
