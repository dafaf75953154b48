/**
 * MAS from an image such as the official one, which has no shell: our configuration is mounted, and the container shares this
 * machine's network. It and its PostgreSQL, a process of this machine, thus listen on loopback only and reach the gateway by the
 * addresses that everything else has; the engine has to be on this machine, and Linux.
 */
import { createWriteStream } from "node:fs";
import type Docker from "dockerode";
import { connectEngine, labelsOf, removeContainer } from "#drivers/substrates/docker/engine";
import { tailFile } from "#drivers/substrates/process/child";
import { waitUntilReady } from "#drivers/substrates/ready";
import type {
  AuthCapabilities,
  AuthStartContext,
  RunningAuthService,
} from "#harness/deployment/auth-contract";
import { describe, HarnessError } from "#harness/errors";
import { HEALTH, prepare } from "./prepared.ts";

const CONFIGURATION = "/etc/mas/mas.yaml";
const STOP_GRACE_S = 5;

export async function startContainer(context: AuthStartContext): Promise<RunningAuthService> {
  const { role, spec, logFile } = context;
  const docker = await connectEngine();
  await using started = new AsyncDisposableStack();
  const prepared = started.use(await prepare(context));
  const container = started.use(await Container.create(docker, context, prepared.configuration));
  const launch = async () => {
    await container.start();
    try {
      await waitUntilReady({
        role,
        address: () => prepared.health,
        path: HEALTH,
        timeoutMs: context.startTimeoutMs,
        signal: context.signal,
        exit: container.exit,
        tail: () => tailFile(logFile, 20),
      });
    } catch (error) {
      await container.kill();
      throw error;
    }
  };
  await launch();
  const capabilities: Partial<AuthCapabilities> = {
    killable: { kill: () => container.kill() },
    pausable: { pause: () => container.pause(), resume: () => container.resume() },
    restartable: {
      restart: async () => {
        await container.stop();
        await launch();
      },
    },
    stoppable: {
      stop: () => container.stop(),
      start: async () => {
        if (!(await container.isRunning())) await launch();
      },
    },
    hasLogs: { tail: (count) => tailFile(logFile, count) },
  };
  return prepared.running(`MAS of ${spec.image}`, capabilities, started);
}

class Container implements AsyncDisposable {
  readonly #docker: Docker;
  readonly #handle: Docker.Container;
  readonly #context: AuthStartContext;
  #exit: Promise<string> = Promise.resolve("never started");
  #isEnding = false;

  private constructor(docker: Docker, handle: Docker.Container, context: AuthStartContext) {
    this.#docker = docker;
    this.#handle = handle;
    this.#context = context;
  }

  static async create(docker: Docker, context: AuthStartContext, configuration: string) {
    const { spec, name, runId } = context;
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    try {
      const handle = await docker.createContainer({
        name: `crucible-${runId}-${name}`,
        Image: spec.image ?? "",
        Cmd: ["server", "--config", CONFIGURATION],
        Env: ["NO_COLOR=1"],
        Labels: labelsOf(runId),
        // Ours, or it could not read the configuration, which nobody else may.
        User: `${uid}:${gid}`,
        HostConfig: { NetworkMode: "host", Binds: [`${configuration}:${CONFIGURATION}:ro`] },
      });
      return new Container(docker, handle, context);
    } catch (cause) {
      throw new HarnessError("HS_DID_NOT_START", {
        what: `no container of ${spec.image} could be made`,
        facts: [describe(cause)],
        next: "docker run of the same image may tell more",
        cause,
      });
    }
  }

  /** How it ended, once it has. */
  get exit(): Promise<string> {
    return this.#exit;
  }

  async isRunning(): Promise<boolean> {
    return (await this.#handle.inspect()).State.Running;
  }

  async start(): Promise<void> {
    this.#isEnding = false;
    await this.#handle.start();
    const { State } = await this.#handle.inspect();
    await this.#followLog(Math.floor(Date.parse(State.StartedAt) / 1_000));
    this.#exit = this.#handle.wait().then(
      ({ StatusCode }: { StatusCode: number }) => {
        const how = `exit code ${StatusCode}`;
        if (!this.#isEnding) this.#context.onUnexpectedExit(how);
        return how;
      },
      (error: unknown) => `removed: ${describe(error)}`,
    );
  }

  async pause(): Promise<void> {
    await this.#handle.pause();
  }

  async resume(): Promise<void> {
    await this.#handle.unpause();
  }

  async kill(): Promise<void> {
    this.#isEnding = true;
    await this.#handle.kill({ signal: "SIGKILL" }).catch(ignoreStopped);
    await this.#exit;
  }

  /** In good order, SIGKILL when that takes too long. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    await this.#handle.unpause().catch(() => undefined);
    await this.#handle.stop({ t: STOP_GRACE_S }).catch(ignoreStopped);
    await this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await removeContainer(this.#docker, this.#handle.id);
  }

  async #followLog(since: number): Promise<void> {
    const log = await this.#handle.logs({ follow: true, stdout: true, stderr: true, since });
    const file = createWriteStream(this.#context.logFile, { flags: "a" });
    // A full disk must not end the run.
    file.on("error", () => undefined);
    this.#docker.modem.demuxStream(log, file, file);
    log.on("end", () => file.end());
    log.on("error", () => file.end());
  }
}

/** 304 and 409: it does not run. 404: it is gone. */
function ignoreStopped(error: unknown): void {
  const { statusCode } = error as { statusCode?: number };
  if (statusCode !== 304 && statusCode !== 404 && statusCode !== 409) throw error;
}
