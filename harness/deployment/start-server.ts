/** One server of a deployment, and what runs beside it. */
import type { ServerSpec } from "#harness/config/driver-spec";
import type { Gateway } from "#harness/gateway/gateway";
import { accessTo, announceAuth, type DeployedAuth, startAuth } from "./auth-services.ts";
import type { Address, RunningServer, ServerCapabilities } from "./contract.ts";
import type { Parts } from "./parts.ts";
import type { DeployedServer, DeploymentContext, DeploymentPlan } from "./plan.ts";
import { probeIdentity } from "./probes.ts";
import {
  accessToRtc,
  announceRtc,
  type DeployedRtcAuth,
  type DeployedSfu,
  sfuAccessOf,
  startRtcAuth,
  startSfu,
} from "./rtc-services.ts";
import { contextOf, driverOf } from "./services.ts";
import { supervise } from "./supervision.ts";

/** A server and its auth service, which do not wait for each other; before it its SFU, whose address it announces. */
export async function startServer(
  role: string,
  spec: ServerSpec,
  plan: DeploymentPlan,
  parts: Parts,
  context: DeploymentContext,
): Promise<DeployedServer> {
  const driver = driverOf(context.drivers, spec, "a homeserver");
  const links = await parts.gateway.addServer(role);
  const authSpec = plan.auth?.get(role);
  const announced =
    authSpec === undefined ? undefined : await announceAuth(parts.gateway, role, authSpec);
  const rtcSpecs = { sfu: plan.sfu?.get(role), rtcAuth: plan.rtcAuth?.get(role) };
  const announcedRtc = await announceRtc(parts.gateway, role, rtcSpecs);
  const rtcOptions = {
    ...context,
    sfuDrivers: context.sfuDrivers ?? [],
    rtcAuthDrivers: context.rtcAuthDrivers ?? [],
    deployment: plan.id,
  };
  const supervised = (service: string) => parts.superviseService(supervise(service, context));
  const sfu = await startSfu(parts.gateway, role, rtcSpecs, announcedRtc, supervised, rtcOptions);
  if (sfu !== undefined) await join(parts, sfu);
  const sfuAccess = sfuAccessOf(role, sfu);
  const supervision = supervise(role, context);
  const own = contextOf(role, spec, supervision, { ...context, deployment: plan.id });
  const startHomeserver = async () => {
    const running = await driver.start({
      ...own,
      features: plan.features,
      network: {
        ca: {
          certificate: parts.ca.certificate,
          privateKey: parts.ca.privateKey,
          file: parts.caFile,
        },
        proxyPort: links.proxyPort,
        peers: [...plan.servers.keys()].filter((peer) => peer !== role),
        listenOn: (address) => parts.gateway.listenOn(role, address),
        appservice: parts.appservice,
      },
      ...(announced === undefined ? {} : { auth: accessTo(announced) }),
      ...(announcedRtc === undefined
        ? {}
        : { rtc: accessToRtc(announcedRtc, sfuAccess, rtcOptions.rtcAuthDrivers) }),
      containers: context.containers,
    });
    supervision.watch(running);
    await parts.add(running);
    connect(parts.gateway, role, running, running.client, running.federation);
    return running;
  };
  const startItsAuth = async () => {
    if (announced === undefined) return undefined;
    const deployed = await startAuth(announced, {
      ...context,
      drivers: context.authDrivers,
      deployment: plan.id,
      supervision: supervised(announced.role),
    });
    await join(parts, deployed);
    return deployed;
  };
  const starting = [startHomeserver(), startItsAuth()] as const;
  await Promise.allSettled(starting);
  const [running, auth] = await Promise.all(starting);
  const rtc =
    announcedRtc &&
    (await startRtcAuth(
      announcedRtc,
      {
        serverName: running.serverName,
        caFile: parts.caFile,
        access: sfuAccess,
        hasSfu: sfu !== undefined,
      },
      supervised,
      rtcOptions,
    ));
  if (rtc !== undefined) await join(parts, rtc);
  return {
    role,
    server: auth === undefined ? running : withUsersOf(running, auth),
    links,
    identity: await probeIdentity(links),
    spec,
    logFile: own.logFile,
    ...(auth === undefined ? {} : { auth }),
    ...(sfu === undefined ? {} : { sfu }),
    ...(rtc === undefined ? {} : { rtc }),
  };
}

/** A service that runs beside a homeserver: from now on it is reached, and taken down with the rest. */
async function join(
  parts: Parts,
  { role, service }: DeployedAuth | DeployedSfu | DeployedRtcAuth,
): Promise<void> {
  await parts.add(service);
  connect(parts.gateway, role, service, service.address, service.address);
}

function connect(
  gateway: Gateway,
  role: string,
  { capabilities: { killable } }: { readonly capabilities: ServerCapabilities },
  client: () => Address,
  federation: () => Address,
): void {
  const kill = killable === undefined ? {} : { kill: () => killable.kill() };
  gateway.connect(role, { client, federation, ...kill });
}

/** A server whose users its auth service makes: its own way to make them is shut. */
function withUsersOf(server: RunningServer, { service }: DeployedAuth): RunningServer {
  const { registersUsers: _, ...capabilities } = server.capabilities;
  const { registersUsers } = service.capabilities;
  return {
    ...server,
    capabilities: { ...capabilities, ...(registersUsers === undefined ? {} : { registersUsers }) },
  };
}
