/**
 * Probes of a deployment: five things that every check stands on, and the driver contract, which is that a restart keeps
 * data, that ports are read anew after one, that there are logs, and that clean-up leaves nothing.
 */
import { connect } from "node:net";
import { driversOf } from "#cli/drivers";
import { AUTH_METADATA } from "#harness/clients/oauth/metadata";
import type { ServerSpec } from "#harness/config/driver-spec";
import type { DeployedAuth } from "#harness/deployment/auth-services";
import type { Address, HasLogs, RunningServer } from "#harness/deployment/contract";
import type { Deployment } from "#harness/deployment/deployment";
import type { DeployedServer } from "#harness/deployment/plan";
import { createClient, type HttpClient, type HttpResponse } from "#harness/http/client";
import { at } from "#harness/match/json";
import { sweepRun } from "#harness/runs/registry";
import { probeCalls } from "./calls.ts";
import { type Probe, probeInOrder, type Step } from "./probe.ts";

const CONNECT_MS = 2_000;
const WHOAMI = "/_matrix/client/v3/account/whoami";

/** Looks at each server; restarts those that can be restarted. */
export async function probeDeployment(deployment: Deployment): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  for (const deployed of deployment.servers.values()) {
    const steps = stepsOf(deployed).map(
      ([name, look]): Step => [`${deployed.role}: ${name}`, look],
    );
    probes.push(...(await probeInOrder(steps, "the last lines of the server's log say more")));
    if (deployed.auth !== undefined) probes.push(...(await probeAuth(deployed, deployed.auth)));
    probes.push(...(await probeCalls(deployed)));
  }
  return probes;
}

/** The same of a server's auth service: what signs people in, and the driver contract. */
async function probeAuth(
  { links }: DeployedServer,
  { role, service, links: own }: DeployedAuth,
): Promise<readonly Probe[]> {
  const { managesAccounts, registersUsers, restartable, hasLogs } = service.capabilities;
  const homeserver = createClient({ baseUrl: links.clientUrl });
  const localpart = `doctor-${crypto.randomUUID().slice(0, 8)}`;
  let token = "";
  const whoami = async () => {
    const client = createClient({ baseUrl: links.clientUrl, accessToken: token });
    return textOf(await client.request("GET", WHOAMI), "user_id");
  };
  const steps: Step[] = [
    [
      "metadata",
      async () => {
        const told = textOf(await homeserver.request("GET", AUTH_METADATA), "issuer");
        if (told !== own.publicBase) throw new Error(`${told} instead of ${own.publicBase}`);
        return told;
      },
    ],
    [
      "register",
      registersUsers &&
        (async () => {
          const registered = await registersUsers.register(localpart, crypto.randomUUID());
          token = registered.accessToken;
          return await whoami();
        }),
    ],
    [
      "admin side",
      managesAccounts &&
        (async () => {
          const sessions = await managesAccounts.sessions(localpart);
          if (sessions.length === 0) throw new Error(`it knows no session of ${localpart}`);
          return `knows ${sessions.length} session of ${localpart}`;
        }),
    ],
    [
      "restart keeps data",
      restartable &&
        (async () => {
          const before = addressText(service.address());
          await restartable.restart();
          return `${await whoami()} is still signed in; was at ${before}`;
        }),
    ],
    ["logs", hasLogs && (() => linesOf(hasLogs))],
  ];
  const named = steps.map(([name, look]): Step => [`${role}: ${name}`, look]);
  return await probeInOrder(named, "the last lines of the auth service's log say more");
}

async function linesOf(log: HasLogs): Promise<string> {
  const lines = await log.tail(1_000);
  if (lines.length === 0) throw new Error("the log is empty");
  return `${lines.length} lines`;
}

function stepsOf({ server, links }: DeployedServer): Step[] {
  const { restartable, hasLogs } = server.capabilities;
  const anonymous = createClient({ baseUrl: links.clientUrl });
  let client: HttpClient = anonymous;
  let roomId = "";
  return [
    ["versions", () => newestVersion(anonymous)],
    [
      "register",
      async () => {
        const { userId, accessToken } = await register(server);
        client = createClient({ baseUrl: links.clientUrl, accessToken });
        return userId;
      },
    ],
    ["whoami", async () => textOf(await client.request("GET", WHOAMI), "user_id")],
    [
      "room",
      async () => {
        const created = await client.request("POST", "/_matrix/client/v3/createRoom", { body: {} });
        roomId = textOf(created, "room_id");
        return roomId;
      },
    ],
    [
      "sync",
      async () => textOf(await client.request("GET", "/_matrix/client/v3/sync"), "next_batch"),
    ],
    [
      "restart keeps data",
      restartable &&
        (async () => {
          const before = addressText(server.client());
          await restartable.restart();
          await requireRoom(client, roomId);
          return `the user and the room are there; was at ${before}`;
        }),
    ],
    [
      "port read anew",
      restartable &&
        (async () => {
          const { host, port } = server.client();
          await newestVersion(createClient({ baseUrl: `http://${host}:${port}` }));
          await newestVersion(anonymous);
          return `answers at ${addressText(server.client())}, and through the gateway`;
        }),
    ],
    ["logs", hasLogs && (() => linesOf(hasLogs))],
  ];
}

/** What is still there after a deployment was disposed: processes, containers, networks, open ports. */
export async function probeCleanUp(
  servers: readonly DeployedServer[],
  addresses: ReadonlyMap<string, Address>,
  runId: string,
): Promise<readonly Probe[]> {
  const specsOf = (pick: (server: DeployedServer) => { readonly spec: ServerSpec } | undefined) =>
    new Map(
      servers.flatMap((server) => {
        const spec = pick(server)?.spec;
        return spec === undefined ? [] : [[server.role, spec] as const];
      }),
    );
  const drivers = driversOf({
    servers: new Map(servers.map(({ role, spec }) => [role, spec])),
    auth: specsOf(({ auth }) => auth),
    sfu: specsOf(({ sfu }) => sfu),
    rtcAuth: specsOf(({ rtc }) => rtc),
  });
  const look = async () => {
    const swept = await Promise.all(drivers.map((driver) => driver.sweep?.((id) => id === runId)));
    const processes = (await sweepRun(runId)).filter((line) => line.startsWith("process"));
    const open = await Promise.all(
      [...addresses].map(async ([role, address]) =>
        (await isListening(address)) ? [`${role} at ${addressText(address)}`] : [],
      ),
    );
    const left = [...swept.flatMap((lines) => lines ?? []), ...processes, ...open.flat()];
    if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
    return "no process, container, network or open port is left";
  };
  return await probeInOrder(
    [["clean-up", look]],
    "`stop` of the driver has to end all that it started",
  );
}

/** Addresses of the servers that are ours to end. */
export function ownAddresses(servers: readonly DeployedServer[]): ReadonlyMap<string, Address> {
  const own = servers.filter(({ server: { capabilities } }) => capabilities.killable !== undefined);
  const services = servers
    .flatMap(({ auth, sfu, rtc }) => [auth, sfu, rtc])
    .filter((service) => service !== undefined);
  const ownServices = services.filter(({ service }) => service.capabilities.killable !== undefined);
  return new Map([
    ...own.map(({ role, server }) => [role, server.client()] as const),
    ...ownServices.map(({ role, service }) => [role, service.address()] as const),
  ]);
}

async function newestVersion(client: HttpClient): Promise<string> {
  const response = await client.request("GET", "/_matrix/client/versions");
  const versions = at(response.json, "versions");
  if (response.status !== 200 || !Array.isArray(versions)) throw unexpected(response);
  return `up to ${String(versions.at(-1))}`;
}

async function register(server: RunningServer): Promise<{ userId: string; accessToken: string }> {
  const { registersUsers } = server.capabilities;
  if (registersUsers === undefined) throw new Error("the driver can not make users");
  const localpart = `doctor-${crypto.randomUUID().slice(0, 8)}`;
  return await registersUsers.register(localpart, crypto.randomUUID());
}

async function requireRoom(client: HttpClient, roomId: string): Promise<void> {
  const response = await client.request("GET", "/_matrix/client/v3/joined_rooms");
  const rooms = at(response.json, "joined_rooms");
  if (response.status !== 200 || !Array.isArray(rooms)) throw unexpected(response);
  if (!rooms.includes(roomId)) throw new Error(`the room ${roomId} is gone`);
}

function textOf(response: HttpResponse, key: string): string {
  const value = at(response.json, key);
  if (response.status === 200 && typeof value === "string") return value;
  throw unexpected(response);
}

function unexpected({ status, text }: HttpResponse): Error {
  return new Error(`status ${status}: ${text.slice(0, 200)}`);
}

function addressText({ host, port }: Address): string {
  return `${host}:${port}`;
}

function isListening({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}
