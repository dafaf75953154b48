/**
 * Which server plays which role in a check. Most checks need one server; were it always the same, the others would idle
 * while it works. So the roles of equal servers are dealt out anew for each check, always the same way for the same check;
 * what runs beside each goes with it.
 */
import { createHash } from "node:crypto";
import { type DeploymentInfo, servicesOf } from "./run-info.ts";

/** @param check names the check */
export function deal(deployment: DeploymentInfo, check: string): DeploymentInfo {
  const { servers, isUniform } = deployment;
  if (!isUniform || servers.length < 2) return deployment;
  const shift = createHash("sha256").update(check).digest().readUInt32BE() % servers.length;
  return {
    ...deployment,
    servers: servers.map((server, at) => {
      const dealt = servers[(at + shift) % servers.length] ?? server;
      const auth = dealt.auth && server.auth && { ...dealt.auth, role: server.auth.role };
      const sfu = dealt.sfu && server.sfu && { ...dealt.sfu, role: server.sfu.role };
      const rtc = dealt.rtc && server.rtc && { ...dealt.rtc, role: server.rtc.role };
      return {
        ...dealt,
        role: server.role,
        ...(auth && { auth }),
        ...(sfu && { sfu }),
        ...(rtc && { rtc }),
      };
    }),
  };
}

/** The role under which a server or service was started, for one that plays another in a check. Anything else is left as it is. */
export function placeOf(deployment: DeploymentInfo, role: string): string {
  for (const server of deployment.servers) {
    if (server.role === role) return server.place;
    const service = servicesOf(server).find((each) => each.role === role);
    if (service !== undefined) return service.place;
  }
  return role;
}

/** Whether a link is one between a server and its own auth service, which no client is part of. */
export function isBehindClients(
  { servers }: DeploymentInfo,
  from: string | undefined,
  to: string | undefined,
): boolean {
  return servers.some(
    ({ role, auth }) =>
      auth !== undefined &&
      ((from === role && to === auth.role) || (from === auth.role && to === role)),
  );
}
