/**
 * Any container image that honours the contract of matrix-org/complement (README, "Image requirements"): clients on 8008,
 * federation with TLS on 8448, `SERVER_NAME`, the certificate authority below /complement/ca, application services below
 * /complement/appservice, registration by the shared secret `complement`, data kept through a restart.
 *
 * Options: `shared-secret=…` where the image has another one; `config=<file>`, put into /conf/homeserver.d as Synapse's
 * images read it; `env.NAME=value`.
 */
import { rm } from "node:fs/promises";
import type Docker from "dockerode";
import { buildImage, builtName, isFolder } from "#drivers/substrates/docker/build";
import { Container } from "#drivers/substrates/docker/container";
import { connectEngine, ensureImage, sweepEngine } from "#drivers/substrates/docker/engine";
import { createNetworks } from "#drivers/substrates/docker/networks";
import { tailFile } from "#drivers/substrates/process/child";
import { waitUntilReady } from "#drivers/substrates/ready";
import { registerBySharedSecret } from "#drivers/substrates/shared-secret";
import type { ServerSpec } from "#harness/config/driver-spec";
import {
  defineDriver,
  type Feature,
  isFeature,
  type RunningServer,
  type StartContext,
} from "#harness/deployment/contract";
import { HarnessError } from "#harness/errors";
import {
  appserviceFile,
  authorityFiles,
  CLIENT_PORT,
  CONFIGURATION_FOLDER,
  FEDERATION_PORT,
  imageOptions,
} from "./contract.ts";

const LOOPBACK = "127.0.0.1";
/** The engine's word for this machine. */
const HOST_GATEWAY = "host-gateway";
/** An image that can switch features on lists them here and reads them, divided by commas, from `CRUCIBLE_FEATURES`. */
const FEATURES_LABEL = "org.matrix-crucible.features";

export const complementImage = defineDriver({
  name: "complement-image",
  usage: ["docker:<image>", "docker:./<folder with a Dockerfile>"],
  accepts: ({ substrate }) => substrate === "docker",
  prepare: async (spec, { progress, isReuseAllowed = false }) => {
    imageOptions(spec);
    const docker = await connectEngine();
    const { image: subject = "" } = spec;
    if (isFolder(subject)) await buildImage(docker, { folder: subject, isReuseAllowed, progress });
    else await ensureImage(docker, subject, progress);
  },
  start,
  sweep: sweepEngine,
});

async function start(context: StartContext): Promise<RunningServer> {
  const { role, spec, runId, name, logFile, network, features, containers } = context;
  const options = imageOptions(spec);
  const docker = await connectEngine();
  const known = await featuresOf(docker, imageOf(spec));
  const unknown = features.filter((feature) => !known.includes(feature));
  if (unknown.length > 0) {
    throw new HarnessError("INTERNAL", {
      what: `${imageOf(spec)} can not switch on ${unknown.join(", ")}`,
    });
  }
  const containerName = `crucible-${runId}-${name}`;
  await using started = new AsyncDisposableStack();
  const networks = started.use(await createNetworks(docker, runId, containerName));
  const host = containers.hostname;
  const gateway = await reachableFrom(networks.gatewayAddress, network.listenOn);
  const proxy = `http://${host}:${network.proxyPort}`;
  const container = started.use(
    await Container.start({
      docker,
      runId,
      name: containerName,
      image: imageOf(spec),
      networks,
      alias: role,
      ports: [CLIENT_PORT, FEDERATION_PORT],
      env: {
        SERVER_NAME: role,
        https_proxy: proxy,
        HTTPS_PROXY: proxy,
        // What a server calls that is no server: the application service, by this machine's name.
        no_proxy: `localhost,${LOOPBACK},${host}`,
        ...(features.length === 0 ? {} : { CRUCIBLE_FEATURES: features.join() }),
        ...containers.env,
        ...options.env,
      },
      files: {
        ...authorityFiles(network.ca),
        ...appserviceFile(network.appservice, host),
        ...(options.config === undefined
          ? {}
          : { [`${CONFIGURATION_FOLDER}/crucible.yaml`]: options.config }),
      },
      // A server that ignores proxy variables still finds the others at the gateway only.
      hosts: Object.fromEntries([host, ...network.peers].map((peer) => [peer, gateway])),
      limits: containers,
      logFile,
      onUnexpectedExit: context.onUnexpectedExit,
    }),
  );
  const address = () => ({ host: LOOPBACK, port: container.port(CLIENT_PORT) });
  const ready = () =>
    waitUntilReady({
      role,
      address,
      timeoutMs: context.startTimeoutMs,
      signal: context.signal,
      exit: container.exit,
      isHealthy: () => container.isHealthy(),
      tail: () => tailFile(logFile, 20),
    });
  await ready();
  const owned = started.move();
  return {
    role,
    serverName: role,
    containerId: container.id,
    client: address,
    federation: () => {
      // By the federation network where this machine is on it, so that a cut of that network cuts both ways.
      const inside = gateway === HOST_GATEWAY ? undefined : container.federationAddress;
      return inside === undefined
        ? { host: LOOPBACK, port: container.port(FEDERATION_PORT), tlsName: role }
        : { host: inside, port: FEDERATION_PORT, tlsName: role };
    },
    settings: [
      "as the image sets it up",
      ...[...options.names].map((option) => `option ${option}`),
      ...features.map((feature) => `feature ${feature}`),
    ],
    capabilities: {
      killable: { kill: () => container.kill() },
      pausable: { pause: () => container.pause(), resume: () => container.resume() },
      restartable: {
        restart: async () => {
          await container.stop();
          await container.start();
          await ready();
        },
      },
      stoppable: {
        stop: () => container.stop(),
        start: async () => {
          await container.start();
          await ready();
        },
      },
      leavesNetwork: {
        disconnect: () => container.disconnect(),
        reconnect: () => container.reconnect(),
      },
      hasLogs: { tail: (count) => tailFile(logFile, count) },
      registersUsers: {
        register: (localpart, password, wanted) =>
          registerBySharedSecret({
            baseUrl: `http://${LOOPBACK}:${container.port(CLIENT_PORT)}`,
            secret: options.sharedSecret,
            localpart,
            password,
            admin: wanted?.admin ?? false,
          }),
      },
      ...(known.length === 0 ? {} : { configuresFeatures: { features: known } }),
    },
    [Symbol.asyncDispose]: async () => {
      await owned.disposeAsync();
      await rm(context.workFolder, { recursive: true, force: true });
    },
  };
}

/**
 * Where containers reach the gateway: the network's own address of this machine when the gateway can listen there, else
 * the engine's word for the host (an engine in a virtual machine, which passes it on to loopback).
 */
async function reachableFrom(
  address: string,
  listenOn: (address: string) => Promise<void>,
): Promise<string> {
  try {
    await listenOn(address);
    return address;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRNOTAVAIL") throw error;
    return HOST_GATEWAY;
  }
}

async function featuresOf(docker: Docker, image: string): Promise<readonly Feature[]> {
  const { Config } = await docker.getImage(image).inspect();
  const label: unknown = Config.Labels?.[FEATURES_LABEL];
  return typeof label === "string" ? label.split(",").filter(isFeature) : [];
}

function imageOf({ image = "" }: ServerSpec): string {
  return isFolder(image) ? builtName(image) : image;
}
