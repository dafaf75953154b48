/** Probes of what runs beside a server for calls: its SFU, and the service that gives tokens for it, by the driver contract. */
import { whyNoMedia } from "#harness/clients/rtc/media/works";
import type { Address, HasLogs, ServerCapabilities } from "#harness/deployment/contract";
import type { DeployedServer } from "#harness/deployment/plan";
import { createClient } from "#harness/http/client";
import { type Probe, probeInOrder, type Step } from "./probe.ts";

interface Service {
  readonly role: string;
  readonly base: string;
  /** Answers 200 there when it is well. */
  readonly path: string;
  readonly address: () => Address;
  readonly capabilities: Pick<ServerCapabilities, "restartable" | "hasLogs">;
}

export async function probeCalls({ sfu, rtc }: DeployedServer): Promise<readonly Probe[]> {
  const services: Service[] = [
    ...(sfu === undefined ? [] : [{ ...sfu.service, base: sfu.base, path: "/" }]),
    ...(rtc === undefined
      ? []
      : [{ ...rtc.service, base: rtc.links.publicBase, path: "/healthz" }]),
  ];
  const rooms = sfu?.service.capabilities.showsRooms;
  const probes = await Promise.all(services.map(probeService));
  if (sfu === undefined) return probes.flat();
  probes.push([await probeMedia(sfu.role)]);
  if (rooms === undefined) return probes.flat();
  const admin: Step = [
    `${sfu.role}: admin side`,
    async () => `tells ${(await rooms.rooms()).length} rooms`,
  ];
  return [
    ...probes.flat(),
    ...(await probeInOrder([admin], "its API key and secret may be wrong")),
  ];
}

/** Without them a run decides less, and says so. */
async function probeMedia(role: string): Promise<Probe> {
  const name = `${role}: media`;
  const why = await whyNoMedia();
  if (why === undefined)
    return { name, state: "ok", detail: "participants of ours can send and hear" };
  return { name, state: "warn", detail: why, next: "checks of media are skipped until then" };
}

async function probeService(service: Service): Promise<readonly Probe[]> {
  const { role, base, path, address, capabilities } = service;
  const { restartable, hasLogs } = capabilities;
  const client = createClient({ baseUrl: base.replace(/\/$/, "") });
  const answers = async () => {
    const { status, text } = await client.request("GET", path);
    if (status !== 200) throw new Error(`status ${status}: ${text.slice(0, 200)}`);
    const { host, port } = address();
    return `at ${host}:${port}, and through the gateway`;
  };
  const steps: Step[] = [
    [`${role}: answers`, answers],
    [
      `${role}: restart`,
      restartable &&
        (async () => {
          await restartable.restart();
          return await answers();
        }),
    ],
    [`${role}: logs`, hasLogs && (() => linesOf(hasLogs))],
  ];
  return await probeInOrder(steps, `the last lines of the log of ${role} say more`);
}

/** A service that has had nothing to tell has an empty log. */
async function linesOf(log: HasLogs): Promise<string> {
  return `${(await log.tail(1_000)).length} lines`;
}
