/** One container: created on two networks, followed by a log file, watched for an end that nobody asked for. */
import { createWriteStream } from "node:fs";
import type Docker from "dockerode";
import { GenericContainer, type StartedTestContainer, type WaitStrategy } from "testcontainers";
import type { HostMount } from "#harness/config/values";
import type { ContainerSettings } from "#harness/deployment/contract";
import { describe, HarnessError } from "#harness/errors";
import { labelsOf, removeContainer } from "./engine.ts";
import type { ContainerNetworks } from "./networks.ts";

export interface ContainerOptions {
  readonly docker: Docker;
  readonly runId: string;
  readonly name: string;
  readonly image: string;
  readonly networks: ContainerNetworks;
  /** Its name on the federation network. */
  readonly alias: string;
  readonly ports: readonly number[];
  readonly env: Readonly<Record<string, string>>;
  /** Written before it starts, by absolute path. */
  readonly files: Readonly<Record<string, string>>;
  /** Names that resolve to an address. */
  readonly hosts: Readonly<Record<string, string>>;
  readonly limits: Pick<ContainerSettings, "mounts" | "cpuCores" | "memoryBytes">;
  readonly logFile: string;
  readonly onUnexpectedExit: (how: string) => void;
}

/** How long an orderly stop may take before the engine kills, seconds. */
const STOP_GRACE_S = 5;

/** Testcontainers waits by looking inside; whether a homeserver is ready is asked from outside, by its driver. */
const NO_WAIT: WaitStrategy = {
  waitUntilReady: async () => undefined,
  withStartupTimeout: () => NO_WAIT,
  isStartupTimeoutSet: () => true,
  getStartupTimeout: () => 0,
};

/** Between create and start: the second network has to be there before the ports are published. */
class TwoNetworkContainer extends GenericContainer {
  readonly #options: ContainerOptions;

  constructor(options: ContainerOptions) {
    super(options.image);
    this.#options = options;
  }

  protected override async containerCreated(id: string): Promise<void> {
    await joinFederation(this.#options, id);
  }
}

async function joinFederation(
  { docker, networks, alias }: ContainerOptions,
  id: string,
): Promise<void> {
  const network = docker.getNetwork(networks.federationName);
  await network.connect({ Container: id, EndpointConfig: { Aliases: [alias] } });
}

export class Container implements AsyncDisposable {
  readonly id: string;
  readonly #options: ContainerOptions;
  readonly #handle: Docker.Container;
  #ports: ReadonlyMap<number, number> = new Map();
  #federationAddress: string | undefined;
  #isCutOff = false;
  #exit: Promise<string> = Promise.resolve("never started");
  #isEnding = false;

  private constructor(options: ContainerOptions, id: string) {
    this.id = id;
    this.#options = options;
    this.#handle = options.docker.getContainer(id);
  }

  /** @throws HarnessError HS_DID_NOT_START */
  static async start(options: ContainerOptions): Promise<Container> {
    const { runId, name, image, networks, ports, env, files, hosts, limits } = options;
    // Ryuk would clean up after a crash, but needs an image of its own; the label and the next start do that here.
    process.env.TESTCONTAINERS_RYUK_DISABLED ??= "true";
    let started: StartedTestContainer;
    try {
      started = await new TwoNetworkContainer(options)
        .withName(name)
        .withLabels(labelsOf(runId))
        .withNetworkMode(networks.controlName)
        .withExposedPorts(...ports)
        .withEnvironment(env)
        .withExtraHosts(Object.entries(hosts).map(([host, ipAddress]) => ({ host, ipAddress })))
        .withCopyContentToContainer(
          Object.entries(files).map(([target, content]) => ({ target, content, mode: 0o644 })),
        )
        .withBindMounts(limits.mounts.map(bindMount))
        .withResourcesQuota({
          ...(limits.cpuCores === 0 ? {} : { cpu: limits.cpuCores }),
          ...(limits.memoryBytes === 0 ? {} : { memory: limits.memoryBytes / 1024 ** 3 }),
        })
        .withWaitStrategy(NO_WAIT)
        .start();
    } catch (cause) {
      throw new HarnessError("HS_DID_NOT_START", {
        what: `no container of ${image} could be started`,
        facts: [describe(cause), ...(await lastWords(options))],
        next: "docker run of the same image may tell more",
        cause,
      });
    }
    const container = new Container(options, started.getId());
    await container.#attach();
    return container;
  }

  /** The port of this machine where a published port is now. Moves at each start. */
  port(inside: number): number {
    return this.#ports.get(inside) ?? 0;
  }

  /** Where it is on the federation network, or was when it was cut off; undefined while it does not run. */
  get federationAddress(): string | undefined {
    return this.#federationAddress;
  }

  /** How it ended, once it has. */
  get exit(): Promise<string> {
    return this.#exit;
  }

  /** True while the image's health check, if it has one, says so. */
  async isHealthy(): Promise<boolean> {
    const { State } = await this.#handle.inspect();
    return State.Health === undefined || State.Health.Status === "healthy";
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    await this.#handle.kill({ signal: "SIGKILL" }).catch(ignoreStopped);
    await this.#exit;
  }

  async pause(): Promise<void> {
    await this.#handle.pause();
  }

  async resume(): Promise<void> {
    await this.#handle.unpause();
  }

  /** In good order, SIGKILL when that takes too long. Nothing happens when it does not run. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    await this.#handle.unpause().catch(() => undefined);
    await this.#handle.stop({ t: STOP_GRACE_S }).catch(ignoreStopped);
    await this.#exit;
  }

  /** Starts it on the same data, unless it runs. */
  async start(): Promise<void> {
    const { State } = await this.#handle.inspect();
    if (State.Running) return;
    await this.#handle.start();
    await this.#attach();
  }

  /** Takes it off the federation network: what is on its way there is lost. Nothing happens when it is off already. */
  async disconnect(): Promise<void> {
    if (this.#isCutOff) return;
    this.#isCutOff = true;
    await this.#options.docker
      .getNetwork(this.#options.networks.federationName)
      .disconnect({ Container: this.id, Force: true });
  }

  async reconnect(): Promise<void> {
    if (!this.#isCutOff) return;
    await joinFederation(this.#options, this.id);
    this.#isCutOff = false;
    await this.#readAddresses();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await removeContainer(this.#options.docker, this.id);
  }

  /** After each start: ports have moved, and the log and the wait for its end began anew. */
  async #attach(): Promise<void> {
    this.#isEnding = false;
    await this.#followLog(await this.#readAddresses());
    this.#exit = this.#handle.wait().then(
      ({ StatusCode }: { StatusCode: number }) => {
        const how = `exit code ${StatusCode}`;
        this.#federationAddress = undefined;
        if (!this.#isEnding) this.#options.onUnexpectedExit(how);
        return how;
      },
      (error: unknown) => `removed: ${describe(error)}`,
    );
  }

  /** @returns when it was started. */
  async #readAddresses(): Promise<string> {
    const { networks, ports } = this.#options;
    const { NetworkSettings, State } = await this.#handle.inspect();
    this.#ports = new Map(
      ports.map((inside) => {
        const bindings = NetworkSettings.Ports[`${inside}/tcp`];
        return [inside, Number(bindings?.[0]?.HostPort ?? 0)];
      }),
    );
    if (!this.#isCutOff) {
      this.#federationAddress = NetworkSettings.Networks[networks.federationName]?.IPAddress;
    }
    return State.StartedAt;
  }

  async #followLog(startedAt: string): Promise<void> {
    const since = Math.floor(Date.parse(startedAt) / 1000);
    const log = await this.#handle.logs({ follow: true, stdout: true, stderr: true, since });
    const file = createWriteStream(this.#options.logFile, { flags: "a" });
    // A full disk must not end the run.
    file.on("error", () => undefined);
    this.#options.docker.modem.demuxStream(log, file, file);
    log.on("end", () => file.end());
    log.on("error", () => file.end());
  }
}

function bindMount({ hostPath, containerPath, isReadOnly }: HostMount) {
  return {
    source: hostPath,
    target: containerPath,
    mode: isReadOnly ? ("ro" as const) : ("rw" as const),
  };
}

function ignoreStopped(error: unknown): void {
  const { statusCode } = error as { statusCode?: number };
  // 304 and 409: it does not run. 404: it is gone.
  if (statusCode !== 304 && statusCode !== 404 && statusCode !== 409) throw error;
}

/** What a container that did not come up had to say; removes it. */
async function lastWords({ docker, name }: ContainerOptions): Promise<string[]> {
  try {
    const handle = docker.getContainer(name);
    const text = await handle.logs({ stdout: true, stderr: true, tail: 15 });
    await handle.remove({ force: true, v: true });
    return text
      .toString("utf8")
      .split("\n")
      .filter((line) => line.trim() !== "");
  } catch {
    return [];
  }
}
