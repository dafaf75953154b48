/**
 * A service from an image without a shell, such as official ones: our configuration is mounted, and the container shares this
 * machine's network. So it listens on loopback only and reaches the gateway by the addresses that everything else has; the engine
 * has to be on this machine, and Linux.
 */
import { createWriteStream } from "node:fs";
import type Docker from "dockerode";
import { tailFile } from "#drivers/substrates/process/child";
import { waitUntilReady } from "#drivers/substrates/ready";
import type { Address, ServerCapabilities, StartContext } from "#harness/deployment/contract";
import { describe, HarnessError } from "#harness/errors";
import { connectEngine, labelsOf, removeContainer } from "./engine.ts";

type Context = Pick<
  StartContext,
  "role" | "runId" | "name" | "logFile" | "startTimeoutMs" | "signal" | "onUnexpectedExit"
>;

export interface Contained {
  readonly image: string;
  /** After the image's entry point. */
  readonly args: readonly string[];
  /** File of this machine. */
  readonly configuration: string;
  /** Where the container sees it. */
  readonly target: string;
  /** Further files, which anybody may read. */
  readonly also?: readonly { readonly file: string; readonly target: string }[];
  readonly env?: readonly string[];
  /** Where it answers when it is up, and what it is asked for there. */
  readonly address: Address;
  readonly path: string;
}

type Options = Pick<Context, "name" | "runId" | "logFile" | "onUnexpectedExit"> & Contained;

export interface ServedContainer extends AsyncDisposable {
  readonly capabilities: Required<
    Pick<ServerCapabilities, "killable" | "pausable" | "restartable" | "stoppable" | "hasLogs">
  >;
}

const STOP_GRACE_S = 5;

/** @throws HarnessError NO_DOCKER, HS_DID_NOT_START with its last log lines; nothing runs then */
export async function serveContainer(
  context: Context,
  contained: Contained,
): Promise<ServedContainer> {
  const { role, logFile } = context;
  const container = await Container.create(await connectEngine(), { ...context, ...contained });
  const launch = async () => {
    await container.start();
    try {
      await waitUntilReady({
        role,
        address: () => contained.address,
        path: contained.path,
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
  try {
    await launch();
  } catch (error) {
    await container[Symbol.asyncDispose]();
    throw error;
  }
  return {
    capabilities: {
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
    },
    [Symbol.asyncDispose]: () => container[Symbol.asyncDispose](),
  };
}

class Container implements AsyncDisposable {
  readonly #docker: Docker;
  readonly #handle: Docker.Container;
  readonly #options: Options;
  #exit: Promise<string> = Promise.resolve("never started");
  #isEnding = false;

  private constructor(docker: Docker, handle: Docker.Container, options: Options) {
    this.#docker = docker;
    this.#handle = handle;
    this.#options = options;
  }

  static async create(docker: Docker, options: Options) {
    const { name, runId, image, args, configuration, target, also = [], env = [] } = options;
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    try {
      const handle = await docker.createContainer({
        name: `crucible-${runId}-${name}`,
        Image: image,
        Cmd: [...args],
        Env: [...env],
        Labels: labelsOf(runId),
        // Ours, or it could not read the configuration, which nobody else may.
        User: `${uid}:${gid}`,
        HostConfig: {
          NetworkMode: "host",
          Binds: [{ file: configuration, target }, ...also].map(
            (bind) => `${bind.file}:${bind.target}:ro`,
          ),
        },
      });
      return new Container(docker, handle, options);
    } catch (cause) {
      throw new HarnessError("HS_DID_NOT_START", {
        what: `no container of ${image} could be made`,
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
        if (!this.#isEnding) this.#options.onUnexpectedExit(how);
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
    const file = createWriteStream(this.#options.logFile, { flags: "a" });
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
