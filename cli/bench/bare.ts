/** A Synapse as one would start it by hand: the same release, Python, settings and database, no driver and no gateway. */
import { copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { remark } from "#cli/io";
import { freeAddress } from "#drivers/substrates/process/address";
import { Child, tailFile } from "#drivers/substrates/process/child";
import { waitUntilReady } from "#drivers/substrates/ready";
import { writeConfiguration } from "#drivers/synapse/configuration";
import { forked } from "#drivers/synapse/fork-server";
import { synapse, synapsePython } from "#drivers/synapse/index";
import { templatePath } from "#drivers/synapse/template";
import { DEFAULT_VERSION } from "#drivers/synapse/versions";
import { parseServerSpec } from "#harness/config/driver-spec";
import type { Address } from "#harness/deployment/contract";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";

const START_TIMEOUT_MS = 60_000;

export class BareSynapse implements AsyncDisposable {
  readonly address: Address;
  /** From the spawn to the first answer. */
  readonly startMs: number;
  readonly #end: () => Promise<void>;

  private constructor(address: Address, startMs: number, end: () => Promise<void>) {
    this.address = address;
    this.startMs = startMs;
    this.#end = end;
  }

  /**
   * @param isForked from a fork server, as the driver starts it, whose first start is slower
   * @throws HarnessError HS_DID_NOT_START
   */
  static async start({ isForked = false } = {}): Promise<BareSynapse> {
    const signal = new AbortController().signal;
    const context = { progress: remark, signal };
    await synapse.prepare(parseServerSpec("process:synapse"), context);
    const python = await synapsePython(DEFAULT_VERSION, context);
    const registry = RunRegistry.open(newRunId());
    const folder = registry.workFolder("bench");
    mkdirSync(path.join(folder, "media"));
    const database = path.join(folder, "homeserver.db");
    copyFileSync(templatePath(DEFAULT_VERSION), database);
    const address = await freeAddress();
    const configuration = writeConfiguration({
      folder,
      ...address,
      serverName: "bench:8448",
      sharedSecret: "bench",
      features: [],
      network: undefined,
      database: { name: "sqlite3", args: { database } },
    });
    const logFile = path.join(folder, "homeserver.log");
    const args = ["-c", configuration];
    const child = new Child({
      command: python,
      args: ["-m", "synapse.app.homeserver", ...args],
      begunBy: () => (isForked ? forked({ python, role: "bench", args }) : undefined),
      cwd: folder,
      env: {},
      logFile,
      onSpawn: (pid) => registry.addChild(pid),
      onUnexpectedExit: () => undefined,
    });
    // Ctrl-C ends this process, but not its children, which lead their own groups.
    const onExit = () => child.signal("SIGKILL");
    process.once("exit", onExit);
    const end = async () => {
      process.off("exit", onExit);
      await child.kill();
      await registry[Symbol.asyncDispose]();
    };
    const started = performance.now();
    try {
      await child.start();
      await waitUntilReady({
        role: "bench",
        address: () => address,
        timeoutMs: START_TIMEOUT_MS,
        signal,
        exit: child.exit,
        tail: () => tailFile(logFile, 20),
      });
    } catch (error) {
      await end();
      throw error;
    }
    return new BareSynapse(address, performance.now() - started, end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}
