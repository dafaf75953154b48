/** Every driver that the command knows, in the order in which they are asked. */

import { complementImage } from "#drivers/complement-image/index";
import { oidc } from "#drivers/oidc/index";
import { synapse } from "#drivers/synapse/index";
import { url } from "#drivers/url/index";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { AuthDriver } from "#harness/deployment/auth-contract";
import type { Driver } from "#harness/deployment/contract";

export const DRIVERS: readonly Driver[] = [synapse, complementImage, url];

/** Every driver of auth services, in the order in which they are asked. */
export const AUTH_DRIVERS: readonly AuthDriver[] = [oidc];

/** The drivers of these servers, each once. */
export function driversOf(specs: Iterable<ServerSpec>): readonly Driver[] {
  const all = [...specs];
  return DRIVERS.filter((driver) => all.some((spec) => driver.accepts(spec)));
}
