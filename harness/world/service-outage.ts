import { HarnessError } from "#harness/errors";
import type { Control } from "./control.ts";
import { type DeploymentInfo, servicesOf } from "./run-info.ts";

/**
 * Why a failure since then is none of the homeserver's: a service beside it was down without having been asked to, such as an
 * auth service, so that nobody could tell the homeserver whose tokens it was shown. Undefined: none was.
 */
export async function serviceOutage(
  control: Control,
  deployment: DeploymentInfo,
  since: number,
): Promise<HarnessError | undefined> {
  if (deployment.servers.flatMap(servicesOf).length === 0) return undefined;
  const [first, ...others] = await control.serviceOutages(deployment.id, since);
  if (first === undefined) return undefined;
  return new HarnessError("SERVICE_DIED", {
    what: `a service beside the homeserver was down while the check ran: ${first}`,
    facts: others,
    next: "see the service's log in the run directory",
  });
}
