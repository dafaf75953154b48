/** Every driver that the command knows, in the order in which they are asked. */

import { complementImage } from "#drivers/complement-image/index";
import { mas } from "#drivers/mas/index";
import { oidc } from "#drivers/oidc/index";
import { synapse } from "#drivers/synapse/index";
import { url } from "#drivers/url/index";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { AuthDriver } from "#harness/deployment/auth-contract";
import type { Driver, PrepareContext } from "#harness/deployment/contract";

export const DRIVERS: readonly Driver[] = [synapse, complementImage, url];

/** Every driver of auth services, in the order in which they are asked. */
export const AUTH_DRIVERS: readonly AuthDriver[] = [oidc, mas];

/** Specs by role: of servers, and of their auth services. */
export interface Specs {
  readonly servers: ReadonlyMap<string, ServerSpec>;
  /** By the roles of their homeservers; undefined: they have none. */
  readonly auth?: ReadonlyMap<string, ServerSpec> | undefined;
}

/** The drivers of these, each once. */
export function driversOf({ servers, auth }: Specs): readonly (Driver | AuthDriver)[] {
  return [...using(DRIVERS, servers.values()), ...using(AUTH_DRIVERS, auth?.values() ?? [])];
}

/** Makes what they need, each spec once. */
export async function prepare({ servers, auth }: Specs, context: PrepareContext): Promise<void> {
  await prepareEach(DRIVERS, servers.values(), context);
  await prepareEach(AUTH_DRIVERS, auth?.values() ?? [], context);
}

async function prepareEach(
  drivers: readonly Pick<Driver, "accepts" | "prepare">[],
  specs: Iterable<ServerSpec>,
  context: PrepareContext,
): Promise<void> {
  for (const spec of new Map([...specs].map((spec) => [spec.text, spec])).values()) {
    await drivers.find((driver) => driver.accepts(spec))?.prepare(spec, context);
  }
}

function using<D extends Pick<Driver, "accepts">>(
  drivers: readonly D[],
  specs: Iterable<ServerSpec>,
): readonly D[] {
  const all = [...specs];
  return drivers.filter((driver) => all.some((spec) => driver.accepts(spec)));
}
