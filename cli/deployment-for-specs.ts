/** For specs: real servers, one unless told otherwise, started as for a run, and worlds as checks get them. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseServerSpec } from "#harness/config/driver-spec";
import { NO_CONTAINER_SETTINGS } from "#harness/deployment/contract";
import type { Deployment } from "#harness/deployment/deployment";
import { createRandom } from "#harness/random";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import type { DeploymentInfo } from "#harness/world/run-info";
import { World } from "#harness/world/world";
import { authServicesOf } from "./auth-services.ts";
import { ALL_DRIVERS, deploymentPlan, prepare } from "./drivers.ts";
import { rtcServicesOf } from "./rtc-services.ts";
import { DeploymentPool, describeDeployment } from "./run/control.ts";

const NONE = { auth: undefined, mas: undefined, sfu: undefined, rtcAuth: undefined };

export class DeploymentForSpecs implements AsyncDisposable {
  readonly pool: DeploymentPool;
  readonly deployment: DeploymentInfo;
  readonly random = createRandom(newRunId());
  /** Has the server's data somewhere in it. */
  readonly folder: string;
  readonly traceFile: string;
  readonly #registry: RunRegistry;
  readonly #signal: AbortSignal;

  private constructor(
    pool: DeploymentPool,
    main: Deployment,
    registry: RunRegistry,
    signal: AbortSignal,
  ) {
    this.pool = pool;
    this.deployment = describeDeployment(main);
    this.traceFile = main.traceFile;
    this.folder = registry.folder;
    this.#registry = registry;
    this.#signal = signal;
  }

  /** @param given that of `--auth`, or of other flags */
  static async start(
    topology: "one" | "two" = "one",
    given:
      | "none"
      | "oidc"
      | { readonly mas?: string; readonly sfu?: string; readonly rtcAuth?: string } = "none",
  ): Promise<DeploymentForSpecs> {
    const roles = topology === "one" ? ["hs1"] : ["hs1", "hs2"];
    const servers = new Map(roles.map((role) => [role, parseServerSpec("process:synapse")]));
    const asked = typeof given === "string" ? { ...NONE, auth: given } : { ...NONE, ...given };
    const specs = {
      servers,
      auth: authServicesOf(asked, servers, []),
      ...rtcServicesOf(asked, roles, []),
    };
    const { signal } = new AbortController();
    const progress = () => undefined;
    await prepare(specs, { signal, progress, isReuseAllowed: false });
    const registry = RunRegistry.open(newRunId());
    const folder = registry.workFolder("spec");
    const pool = new DeploymentPool(deploymentPlan("main", topology, specs), {
      ...ALL_DRIVERS,
      registry,
      traceFolder: folder,
      logFolder: folder,
      containers: NO_CONTAINER_SETTINGS,
      // A debug build of MAS compiles its policy first.
      startTimeoutMs: 180_000,
      signal,
      progress,
      onDeath: () => undefined,
    });
    return new DeploymentForSpecs(pool, await pool.startMain(), registry, signal);
  }

  /**
   * @param requirement that a check of it would be for
   * @param clientLogs folder for the logs of encrypting clients; without one they keep none
   */
  world(requirement: string, clientLogs?: string): World {
    const { pool, deployment, random } = this;
    return new World({
      requirement,
      check: random.name("SPEC.check"),
      deployment,
      control: pool.control,
      random,
      signal: this.#signal,
      timeoutScale: 2,
      propertySeconds: 0,
      accountSizes: [],
      ...(clientLogs === undefined ? {} : { clientLogs }),
    });
  }

  /** Processes that were started in the work folder of this name, such as `main-as1`. */
  processesOf(name: string): readonly number[] {
    const folder = path.join(this.folder, name);
    const all = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
    return all.filter((pid) => commandLineOf(pid).includes(folder)).map(Number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
  }
}

/** Empty when it has ended. */
function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
