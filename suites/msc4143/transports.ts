/** Where a server tells its clients the transports of calls (MSC4143 §Discovery of transport infrastructure). */
import type { HttpResponse } from "#harness/http/client";
import { at, listAt } from "#harness/match/json";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";

export const TRANSPORT_PATHS = {
  stable: "/_matrix/client/v1/rtc/transports",
  unstable: "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports",
} as const;

/** The endpoint's answer, by the newest path that the server says it has. */
export function transportsOf(world: World, client: ServerClient): Promise<HttpResponse> {
  const isStable = world.has("unstable:org.matrix.msc4143.stable");
  return client.get(isStable ? TRANSPORT_PATHS.stable : TRANSPORT_PATHS.unstable);
}

/**
 * The entries of an answer. The draft of July 2026 called them `rtc_transports`, which is taken and noted.
 *
 * @throws CheckFailure when there is no array of them
 */
export function entriesOf(world: World, { json }: HttpResponse): readonly unknown[] {
  const isOlder = at(json, "transports") === undefined && at(json, "rtc_transports") !== undefined;
  if (!isOlder) return listAt(json, "transports");
  world.note("the transports are called rtc_transports, as in an earlier draft");
  return listAt(json, "rtc_transports");
}
