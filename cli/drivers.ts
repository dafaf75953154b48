/** Every driver that the command knows, in the order in which they are asked. */

import { complementImage } from "#drivers/complement-image/index";
import { complementImageInCluster } from "#drivers/complement-image/kubernetes/index";
import { livekit } from "#drivers/livekit/index";
import { lkJwtService } from "#drivers/lk-jwt-service/index";
import { mas } from "#drivers/mas/index";
import { oidc } from "#drivers/oidc/index";
import { rtcAuth } from "#drivers/rtc-auth/index";
import { synapse } from "#drivers/synapse/index";
import { url } from "#drivers/url/index";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { AuthDriver } from "#harness/deployment/auth-contract";
import type { Driver, PrepareContext } from "#harness/deployment/contract";
import type { DeploymentPlan } from "#harness/deployment/plan";
import type { RtcAuthDriver, SfuDriver } from "#harness/deployment/rtc-contract";

export const DRIVERS: readonly Driver[] = [synapse, complementImage, complementImageInCluster, url];

/** Every driver of auth services, in the order in which they are asked. */
export const AUTH_DRIVERS: readonly AuthDriver[] = [oidc, mas];

/** Every driver of SFUs, and of RTC authorization services, in the order in which they are asked. */
export const SFU_DRIVERS: readonly SfuDriver[] = [livekit];
export const RTC_AUTH_DRIVERS: readonly RtcAuthDriver[] = [rtcAuth, lkJwtService];

/** All of them, as a deployment asks for them. */
export const ALL_DRIVERS = {
  drivers: DRIVERS,
  authDrivers: AUTH_DRIVERS,
  sfuDrivers: SFU_DRIVERS,
  rtcAuthDrivers: RTC_AUTH_DRIVERS,
};

/** Specs by role: of servers, and of what runs beside them. */
export interface Specs {
  readonly servers: ReadonlyMap<string, ServerSpec>;
  /** By the roles of their homeservers; undefined: they have none. */
  readonly auth?: ReadonlyMap<string, ServerSpec> | undefined;
  readonly sfu?: ReadonlyMap<string, ServerSpec> | undefined;
  readonly rtcAuth?: ReadonlyMap<string, ServerSpec> | undefined;
}

/** What a command starts of these. */
export function deploymentPlan(
  id: string,
  topology: string,
  { servers, auth, sfu, rtcAuth }: Specs,
): DeploymentPlan {
  return {
    id,
    topology,
    servers,
    ...(auth && { auth }),
    ...(sfu && { sfu }),
    ...(rtcAuth && { rtcAuth }),
    features: [],
  };
}

/** The drivers of these, each once. */
export function driversOf({ servers, auth, sfu, rtcAuth }: Specs) {
  return [
    ...using(DRIVERS, servers.values()),
    ...using(AUTH_DRIVERS, auth?.values() ?? []),
    ...using(SFU_DRIVERS, sfu?.values() ?? []),
    ...using(RTC_AUTH_DRIVERS, rtcAuth?.values() ?? []),
  ];
}

/** Makes what they need, each spec once. */
export async function prepare(
  { servers, auth, sfu, rtcAuth }: Specs,
  context: PrepareContext,
): Promise<void> {
  await prepareEach(DRIVERS, servers.values(), context);
  await prepareEach(AUTH_DRIVERS, auth?.values() ?? [], context);
  await prepareEach(SFU_DRIVERS, sfu?.values() ?? [], context);
  await prepareEach(RTC_AUTH_DRIVERS, rtcAuth?.values() ?? [], context);
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
