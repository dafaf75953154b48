import type { Page } from "#harness/clients/oauth/browser";
import { deviceScope, devicesIn } from "#harness/clients/oauth/scopes";
import { deviceName, type Person, userAgent } from "#harness/clients/oauth/sign-in";
import { Unsupported } from "#harness/errors";
import { at } from "#harness/match/json";
import { check, type Mutant } from "#harness/world/check";
import { expectStatus, expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import {
  askForCodes,
  decide,
  deviceClient,
  enterCode,
  POLL,
  poll,
  readCodes,
  START,
  startGrant,
} from "./device-grants.ts";
import { expectOAuthError } from "./people.ts";

const REFUSED = { ...POLL, status: 400 };
const GIVES_TOKENS = altersAnswer("gives tokens all the same", REFUSED, {
  status: 200,
  body: { access_token: "claimed", token_type: "Bearer", refresh_token: "claimed" },
});

/** The server's clock is not ours. */
const LEEWAY_MS = 2_000;
const SHORT_S = 3;
const FAULT = "device-code-lifetime";
/** What is waited for when the service has no shorter lifetime to offer. */
const WAIT_AT_MOST_S = 300;

check(
  "MSC3861.devcode.expired",
  "codes of a device are worth nothing once their time is over",
  {
    isolated: {},
    deadlineMs: (WAIT_AT_MOST_S + 60) * 1000,
    mutant: [
      GIVES_TOKENS,
      altersAnswer("has it go on", REFUSED, { set: { "/error": "authorization_pending" } }),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");
    const { faults } = world.auth();
    if (faults.known.includes(FAULT)) await faults.set(FAULT, SHORT_S);
    const grant = await startGrant(world);
    if (grant.expiresIn > WAIT_AT_MOST_S)
      throw new Unsupported("short-device-codes", `codes live ${grant.expiresIn} s`);

    await world.quietPeriod(grant.expiresIn * 1000 + LEEWAY_MS);
    const response = await poll(grant);
    const { question } = await enterCode(world, grant, alice);

    expectOAuthError(response, 400, ["expired_token"]);
    expectThat(question !== "device-consent", "no page that asks for consent", "one");
  },
);

check(
  "MSC3861.devcode.single-use",
  "a device code gives tokens once",
  { mutant: GIVES_TOKENS },
  async (world) => {
    const alice = await world.account("alice");
    const grant = await startGrant(world);
    await decide(world, grant, alice);

    const first = await poll(grant);
    const second = await poll(grant);

    expectStatus(first, 200);
    expectOAuthError(second, 400, ["invalid_grant", "expired_token"]);
  },
);

check(
  "MSC3861.devcode.other-client",
  "a device code is worth nothing to another client",
  { mutant: [GIVES_TOKENS, altersAnswer("breaks", REFUSED, { status: 500 })] },
  async (world) => {
    const alice = await world.account("alice");
    const grant = await startGrant(world);
    const other = await deviceClient(world, "Other");
    expectThat(other.clientId !== grant.client.clientId, "another client_id", other.clientId);
    await decide(world, grant, alice);

    const response = await poll(grant, { client_id: other.clientId });

    expectOAuthError(response, 400, ["invalid_grant", "unauthorized_client"]);
  },
);

check(
  "MSC3861.devcode.bad-code",
  "the server refuses a device code that it does not know",
  {
    mutant: [
      GIVES_TOKENS,
      altersAnswer("answers 403", REFUSED, { status: 403 }),
      altersAnswer("has it go on", REFUSED, { set: { "/error": "authorization_pending" } }),
    ],
  },
  async (world) => {
    const client = await deviceClient(world);

    const response = await poll({ client, deviceCode: world.name("unknown-device-code") });

    expectOAuthError(response, 400, ["invalid_grant", "expired_token"]);
  },
);

const GUESSES = 60;
const CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ";

/** A wrong code of the right form. */
function guess(world: World, userCode: string): string {
  return userCode.replace(/[A-Za-z0-9]/g, (character) =>
    /\d/.test(character)
      ? String(world.integer(10))
      : (CONSONANTS[world.integer(CONSONANTS.length)] ?? "B"),
  );
}

check(
  "MSC3861.devcode.user-code-bruteforce",
  "nobody goes on guessing the codes of other people's devices",
  {
    isolated: {},
    mutant: [
      altersAnswer("lets everybody guess", { method: "POST", status: 429 }, { status: 200 }),
      altersAnswer("breaks", { method: "POST", status: 429 }, { status: 500, text: "" }),
    ],
  },
  async (world) => {
    const mallory = await world.account("mallory");
    const { client, userCode, verificationUri } = await startGrant(world);
    const agent = userAgent(world, client.auth);
    const visit = { account: mallory, until: "user-code" } as const;
    const first = await agent.visit(verificationUri, visit);

    let [page, guesses] = [first, 0];
    for (; guesses < GUESSES && page.kind === "page" && takesCodes(page); guesses++) {
      const wrong = guess(world, userCode);
      page = await agent.answer(page, "user-code", { account: mallory, userCode: wrong });
    }

    world.note(`codes have ${userCode.replace(/[^A-Za-z0-9]/g, "").length} characters`);
    expectThat(guesses > 0, "a page that asks for the code", "none", first.response);
    const { status } = page.response;
    expectThat(status < 500, "no status of 500 or more", status, page.response);
    const isOver = page.kind === "page" && !takesCodes(page);
    expectThat(isOver, `an end of guesses within ${GUESSES}`, "none", page.response);
    world.note(`no more guesses after ${guesses}`);

    function takesCodes(here: Page): boolean {
      return here.response.status !== 429 && agent.question(here) === "user-code";
    }
  },
);

const ADMIN_SCOPE = "urn:synapse:admin:*";

/** The excess is kept from the server and then claimed, since a server that refuses it shows no pages to go on with. */
function grants(name: string, excess: string, scope: string): Mutant {
  const replace: [string, string][] = [
    [new URLSearchParams({ "": ` ${excess}` }).toString().slice(1), ""],
  ];
  return {
    name,
    rules: [
      { match: START, phase: "before", action: { kind: "rewrite", replace } },
      {
        match: { ...POLL, status: 200 },
        phase: "processed",
        action: { kind: "rewrite", set: { "/scope": scope } },
      },
    ],
  };
}

const SECOND_DEVICE = "urn:matrix:client:device:SECONDDEVICE";

/** What a device is granted that asks for this, and whose user agrees to everything. Empty: nothing. */
async function granted(world: World, alice: Person, scope: string): Promise<readonly string[]> {
  const client = await deviceClient(world);
  const started = await askForCodes(client.auth, client.clientId, scope);
  if (started.status !== 200) {
    expectOAuthError(started, 400, ["invalid_scope"]);
    world.note("refused to the device at once");
    return [];
  }
  const codes = { ...readCodes(started), client };
  await decide(world, codes, alice);
  const response = await poll(codes);
  if (response.status !== 200) {
    const errors = ["access_denied", "authorization_pending", "slow_down", "invalid_scope"];
    world.note(`refused to the user: ${expectOAuthError(response, 400, errors)}`);
    return [];
  }
  const said = at(response.json, "scope");
  return typeof said === "string" ? said.split(" ") : scope.split(" ");
}

check(
  "MSC3861.devcode.scope-validated",
  "a device is granted no second device, and nothing that its user may not",
  {
    mutant: [
      grants("grants two devices", SECOND_DEVICE, `${deviceScope("FIRSTDEVICE")} ${SECOND_DEVICE}`),
      grants("grants the powers of administrators", ADMIN_SCOPE, `urn:a ${ADMIN_SCOPE}`),
    ],
  },
  async (world) => {
    const alice = await world.account("alice");

    const two = await granted(world, alice, `${deviceScope(deviceName(world))} ${SECOND_DEVICE}`);
    const admin = await granted(world, alice, `${deviceScope(deviceName(world))} ${ADMIN_SCOPE}`);

    expectThat(devicesIn(two.join(" ")).length <= 1, "one device at most", two);
    expectThat(!admin.includes(ADMIN_SCOPE), `no ${ADMIN_SCOPE}`, admin);
  },
);
