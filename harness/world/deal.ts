/**
 * Which server plays which role in a check. Most checks need one server; were it always the same, the others would idle
 * while it works. So the roles of equal servers are dealt out anew for each check, always the same way for the same check.
 */
import { createHash } from "node:crypto";
import type { DeploymentInfo } from "./run-info.ts";

/** @param check names the check */
export function deal(deployment: DeploymentInfo, check: string): DeploymentInfo {
  const { servers, isUniform } = deployment;
  if (!isUniform || servers.length < 2) return deployment;
  const shift = createHash("sha256").update(check).digest().readUInt32BE() % servers.length;
  return {
    ...deployment,
    servers: servers.map((server, at) => ({
      ...(servers[(at + shift) % servers.length] ?? server),
      role: server.role,
    })),
  };
}

/** The role under which a server was started, for one that plays another in a check. Anything else is left as it is. */
export function placeOf(deployment: DeploymentInfo, role: string): string {
  return deployment.servers.find((server) => server.role === role)?.place ?? role;
}
