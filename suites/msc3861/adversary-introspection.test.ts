import { API_SCOPE, DEVICE_SCOPE } from "#harness/clients/oauth/scopes";
import { deviceName } from "#harness/clients/oauth/sign-in";
import type { RuleAction } from "#harness/gateway/rule";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { WHOAMI_REQUEST } from "./mutants.ts";
import { WHOAMI } from "./people.ts";

type Answer = Omit<Extract<RuleAction, { kind: "rewrite" }>, "kind">;

/** What an authorization server says that has been taken over, is broken, or is none. */
function broken(
  localpart: string,
  deviceId: string,
  other: string,
): Readonly<Record<string, Answer>> {
  const scope = `${API_SCOPE} ${DEVICE_SCOPE}${deviceId}`;
  const right = { active: true, scope, username: localpart, sub: localpart };
  const instead = (changes: Readonly<Record<string, unknown>>): Answer => ({
    body: { ...right, ...changes } as Answer["body"] & object,
  });
  return {
    "no JSON": { text: "active: true" },
    "a page": { text: "<html>active</html>", headers: { "content-type": "text/html" } },
    nothing: { text: "" },
    "half of it": { text: `{"active":true,"scope":"${scope}","username":"${localpart}` },
    "a list": { body: [right] },
    null: { body: null },
    true: { body: true },
    "a text": { body: JSON.stringify(right) },
    "an empty object": { body: {} },
    "a null byte before it": { text: `\u0000${JSON.stringify(right)}` },
    "two of them": { text: JSON.stringify(right).repeat(2) },
    "active left out": { body: { scope, username: localpart } },
    "active as a text": instead({ active: "true" }),
    "active as a number": instead({ active: 1 }),
    "active null": instead({ active: null }),
    "active as an object": instead({ active: {} }),
    "active twice, false last": { text: JSON.stringify(right).replace(/}$/, ',"active":false}') },
    "scope left out": { body: { active: true, username: localpart } },
    "scope null": instead({ scope: null }),
    "scope as a list": instead({ scope: scope.split(" ") }),
    "scope as a number": instead({ scope: 5 }),
    "scope without the API": instead({ scope: DEVICE_SCOPE + deviceId }),
    "scope of a longer API": instead({ scope: scope.replace("api:*", "api:*x") }),
    "scope with the API in another case": instead({ scope: scope.replace("api", "API") }),
    "scope with commas": instead({ scope: scope.replace(" ", ",") }),
    "a device that is not there": instead({ scope: `${API_SCOPE} ${DEVICE_SCOPE}${other}` }),
    "a device without id": instead({ scope: `${API_SCOPE} ${DEVICE_SCOPE}` }),
    "two devices": instead({ scope: `${scope} ${DEVICE_SCOPE}${other}` }),
    "a very long device": instead({ scope: `${API_SCOPE} ${DEVICE_SCOPE}${"D".repeat(300)}` }),
    "device_id as a number": instead({ scope: API_SCOPE, device_id: 5 }),
    "device_id as a list": instead({ scope: API_SCOPE, device_id: [deviceId] }),
    "username left out": { body: { active: true, scope } },
    "username null": instead({ username: null }),
    "username as a number": instead({ username: 5 }),
    "username as a list": instead({ username: [localpart] }),
    "username empty": instead({ username: "" }),
    "username of nobody": instead({ username: other.toLowerCase() }),
    "username of another server": instead({ username: `@${localpart}:evil.example` }),
    "username with a null byte": instead({ username: `${localpart}\u0000` }),
    "username with a path": instead({ username: `../${localpart}` }),
    "expires_in as a text": instead({ expires_in: "soon" }),
    "expires_in below zero": instead({ expires_in: -1 }),
    "expires_in zero": instead({ expires_in: 0 }),
    "expires_in as an object": instead({ expires_in: {} }),
    "expires_in beyond all numbers": {
      text: JSON.stringify(right).replace(/}$/, ',"expires_in":-1e999}'),
    },
    "status 401": { status: 401, ...instead({}) },
    "status 403": { status: 403, ...instead({}) },
    "status 404": { status: 404, ...instead({}) },
    "status 500": { status: 500, ...instead({}) },
    "a redirect": { status: 302, headers: { location: "http://evil.example/" }, ...instead({}) },
  };
}

interface Answered {
  readonly name: string;
  readonly status: number;
}

/** Uses a new token for each, so that no answer is remembered. */
async function answersTo(world: World): Promise<readonly Answered[]> {
  const alice = await world.account("alice");
  const { accounts } = world.auth();
  const answered: Answered[] = [];
  for (const name of Object.keys(broken("", "", ""))) {
    const deviceId = deviceName(world);
    const answer = broken(alice.localpart, deviceId, deviceName(world))[name];
    const { localpart } = alice;
    const { accessToken } = await accounts.issueToken({ localpart, scope: API_SCOPE, deviceId });
    const match = { from: "hs1", to: "as1", method: "POST", contains: accessToken };
    const rule = await world.fault(match, "processed", { kind: "rewrite", ...answer });
    const { status } = await world.session("hs1", alice, { accessToken, deviceId }).get(WHOAMI);
    await rule.end();
    answered.push({ name, status });
  }
  return answered;
}

const REFUSALS = { ...WHOAMI_REQUEST, status: [401, 403, 500, 502, 503, 504] };

check(
  "MSC3861.adv.introspection-access",
  "the homeserver lets nobody in for an answer about a token that does not say so",
  {
    deadlineMs: 180_000,
    mutant: altersAnswer("lets them in", REFUSALS, {
      status: 200,
      body: { user_id: "@claimed:hs1" },
    }),
  },
  async (world) => {
    const answered = await answersTo(world);

    const let_in = answered.filter(({ status }) => status < 400).map(({ name }) => name);
    const refused = answered.filter(({ status }) => status >= 400);
    const counts = Map.groupBy(refused, ({ status }) => status);
    for (const [status, those] of counts) world.note(`${status}: ${those.length} times`);
    expectThat(let_in.length === 0, "a refusal each time", `200 for ${let_in.join(", ")}`);
  },
);

check(
  "MSC3861.adv.introspection-no-500",
  "the homeserver tells a broken authorization server from a failure of its own",
  {
    deadlineMs: 180_000,
    mutant: altersAnswer("fails itself", REFUSALS, {
      status: 500,
      body: { errcode: "M_UNKNOWN", error: "no" },
    }),
  },
  async (world) => {
    const answered = await answersTo(world);

    const failed = answered.filter(({ status }) => status === 500).map(({ name }) => name);
    expectThat(failed.length === 0, "no status 500", `500 for ${failed.join(", ")}`);
  },
);
