/** Endpoints that are for the server's own users alone (client-server API §Using access tokens). */
import type { HttpResponse } from "#harness/http/client";
import { expectMatrixError } from "#harness/world/expect";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";

/** Who has no token, or one that nobody issued, is refused. @param ask a request that is good otherwise */
export async function expectUsersOnly(
  world: World,
  ask: (client: ServerClient) => Promise<HttpResponse>,
): Promise<void> {
  const account = { userId: "@mallory:hs1", localpart: "mallory", password: "" };
  const login = { accessToken: world.name("invented"), deviceId: "" };
  const mallory = world.session("hs1", account, login);

  const anonymous = await ask(world.anonymous());
  const unknown = await ask(mallory);

  expectMatrixError(anonymous, 401, "M_MISSING_TOKEN");
  expectMatrixError(unknown, 401, "M_UNKNOWN_TOKEN");
}
