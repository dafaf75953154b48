/** A server as a child process that is up once it answers, and what can be done to it then. */
import { waitUntilReady } from "#drivers/substrates/ready";
import type { Address, ServerCapabilities, StartContext } from "#harness/deployment/contract";
import { Child, type ChildOptions, tailFile } from "./child.ts";

export type ServeContext = Pick<
  StartContext,
  | "role"
  | "runId"
  | "logFile"
  | "startTimeoutMs"
  | "signal"
  | "registerProcess"
  | "onUnexpectedExit"
>;

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where it answers when it is up. */
  readonly address: Address;
  /** What it is asked for there; the versions of a homeserver unless given. */
  readonly path?: string;
  readonly begunBy?: ChildOptions["begunBy"];
}

export interface Served {
  readonly child: Child;
  /**
   * Starts it again, after an orderly stop: undefined when it answers, otherwise how it ended by itself.
   *
   * @throws HarnessError HS_DID_NOT_START when it does neither; nothing runs then
   */
  readonly tryAgain: () => Promise<string | undefined>;
  readonly capabilities: Required<
    Pick<ServerCapabilities, "killable" | "pausable" | "restartable" | "stoppable" | "hasLogs">
  >;
}

/** @throws HarnessError HS_DID_NOT_START with its last log lines; nothing runs then */
export async function serve(context: ServeContext, program: Program): Promise<Served> {
  const { role, runId, logFile, startTimeoutMs: timeoutMs, signal } = context;
  const { address, path, ...command } = program;
  const child = new Child({
    ...command,
    env: { ...program.env, CRUCIBLE_RUN: runId },
    logFile,
    onSpawn: context.registerProcess,
    onUnexpectedExit: context.onUnexpectedExit,
  });
  const ready = () =>
    waitUntilReady({
      role,
      ...(path === undefined ? {} : { path }),
      address: () => address,
      timeoutMs,
      signal,
      exit: child.exit,
      tail: () => tailFile(logFile, 20),
    });
  const launch = async () => {
    try {
      await child.start();
      await ready();
    } catch (error) {
      await child.kill();
      throw error;
    }
  };
  await launch();
  return {
    child,
    tryAgain: async () => {
      await child.stop();
      await child.start({ mayEnd: true });
      try {
        await ready();
      } catch (error) {
        if (!child.isRunning) return await child.exit;
        await child.kill();
        throw error;
      }
      child.mustStay();
      return undefined;
    },
    capabilities: {
      killable: { kill: () => child.kill() },
      pausable: {
        pause: () => child.pause(),
        resume: async () => child.signal("SIGCONT"),
      },
      restartable: {
        restart: async () => {
          await child.stop();
          await launch();
        },
      },
      stoppable: {
        stop: () => child.stop(),
        start: async () => {
          if (!child.isRunning) await launch();
        },
      },
      hasLogs: { tail: (count) => tailFile(logFile, count) },
    },
  };
}
