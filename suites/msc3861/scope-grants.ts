import { API_SCOPE, DEVICE_SCOPE } from "#harness/clients/oauth/scopes";
import { authorizationRequest, exchange, sessionOf, signIn } from "#harness/clients/oauth/sign-in";
import { at, listAt } from "#harness/match/json";
import { ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import type { World } from "#harness/world/world";
import { EXCHANGE, GRANTS_ANYTHING } from "./mutants.ts";
import { DEVICES, expectOAuthError, expectRefused, fateOf, type Stage } from "./people.ts";

/** What somebody gets who asks for a scope: tokens with what was granted, or nothing. */
export async function granted(world: World, here: Stage, scope: string) {
  const { alice, client, agent } = here;
  const request = authorizationRequest(world, client, { scope });
  const fate = await fateOf(request, agent, { account: alice });
  if (fate.kind !== "code") {
    expectRefused(fate);
    return undefined;
  }
  const response = await exchange(fate.grant);
  if (response.status !== 200) {
    expectOAuthError(response, [400, 401, 403]);
    return undefined;
  }
  return sessionOf(world, alice, { client, scope }, response);
}

/** Ids of the devices of the stage's person, as a session of its own lists them. */
export async function deviceIds(world: World, { alice }: Stage): Promise<readonly unknown[]> {
  const { session } = await signIn(world, alice);
  const response = await session.get(DEVICES);
  return listAt(ok(response), "devices").map((device) => at(device, "device_id"));
}

/** Grants whatever is asked, with these devices. */
export function grantsDevices(name: string, ids: string, more = "") {
  const devices = ids.split(" ").filter((id) => id !== "");
  const scope = [API_SCOPE, ...devices.map((id) => `${DEVICE_SCOPE}${id}`), more].join(" ").trim();
  const [redirect] = GRANTS_ANYTHING.rules;
  const tokens = altersAnswer(
    name,
    { ...EXCHANGE, status: [200, 400] },
    {
      status: 200,
      body: {
        access_token: "claimed-access-token",
        token_type: "Bearer",
        expires_in: 300,
        refresh_token: "claimed-refresh-token",
        scope,
      },
    },
  );
  return { name, rules: [...(redirect === undefined ? [] : [redirect]), ...tokens.rules] };
}
