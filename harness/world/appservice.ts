/** The run's application service as a client of the servers (application service API, Identity assertion). */
import type { HttpResponse } from "#harness/http/client";
import { ok } from "./expect.ts";
import type { Account, Session } from "./session.ts";
import type { World } from "./world.ts";

/** A client with the application service's token; `user_id` in the query makes it act as that user. */
export function appservice(world: World): Session {
  const { asToken, senderLocalpart } = world.deployment.appservice;
  const account = accountOf(world, senderLocalpart);
  return world.session("hs1", account, { accessToken: asToken, deviceId: "" });
}

/** Asks for a user without a device. */
export function registerGhost(world: World, username: string): Promise<HttpResponse> {
  return appservice(world).post("/_matrix/client/v3/register", {
    type: "m.login.application_service",
    username,
    inhibit_login: true,
  });
}

/** A new user of the application service's namespace. */
export async function newGhost(world: World): Promise<Account> {
  const localpart = world.name(`${world.deployment.appservice.prefix}ghost`);
  ok(await registerGhost(world, localpart));
  return accountOf(world, localpart);
}

function accountOf(world: World, localpart: string): Account {
  return { userId: `@${localpart}:${world.server().serverName}`, localpart, password: "" };
}
