/**
 * A Synapse that has accounts itself at first and leaves them to MAS later, on one database (syn2mas reads PostgreSQL alone), as
 * MAS's documentation has it (docs/setup/migration.md). There is no gateway: clients of the legacy API are sent to MAS by hand.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Binary, binaryOf } from "#drivers/mas/binary";
import { configurationOf } from "#drivers/mas/configuration";
import { HEALTH } from "#drivers/mas/prepared";
import { freeAddress } from "#drivers/substrates/process/address";
import { type Postgres, startPostgres } from "#drivers/substrates/process/postgres";
import { type Served, serve } from "#drivers/substrates/process/served";
import { registerBySharedSecret } from "#drivers/substrates/shared-secret";
import { writeConfiguration } from "#drivers/synapse/configuration";
import { synapsePython } from "#drivers/synapse/index";
import { parseServerSpec } from "#harness/config/driver-spec";
import type { Address, AuthAccess, Registered } from "#harness/deployment/contract";
import { runCommand } from "#harness/python/command";
import { createRandom } from "#harness/random";
import { newRunId } from "#harness/results/ids";
import { RunRegistry } from "#harness/runs/registry";
import type { Control } from "#harness/world/control";
import { World } from "#harness/world/world";

const ROLE = "hs1";
const SERVER_NAME = `${ROLE}:8448`;
const START_TIMEOUT_MS = 180_000;

interface Places {
  readonly synapse: Address;
  readonly mas: Address;
  readonly health: Address;
}

export class MigrationForSpecs implements AsyncDisposable {
  /** Where MAS will be. */
  readonly mas: string;
  /** Where Synapse is, before and after. */
  readonly synapse: string;
  readonly #parts = new AsyncDisposableStack();
  readonly #registry = RunRegistry.open(newRunId());
  readonly #signal = new AbortController().signal;
  readonly #sharedSecret = randomBytes(16).toString("hex");
  readonly #binary: Binary;
  readonly #places: Places;
  readonly #auth: AuthAccess;
  #python = "";
  #database: Postgres | undefined;
  #homeserver: Served | undefined;

  private constructor(binary: string, places: Places) {
    this.#binary = binaryOf(
      parseServerSpec(`process:mas=${binary}`, {
        flag: "--mas",
        drivers: ["mas"],
        examples: { process: "", docker: "", url: "" },
      }),
    );
    this.#places = places;
    this.mas = urlOf(places.mas);
    this.synapse = urlOf(places.synapse);
    const secret = randomBytes(24).toString("hex");
    this.#auth = { endpoint: `${this.mas}/`, publicBase: `${this.mas}/`, secret };
  }

  /** Synapse with its own accounts. @param binary a `mas-cli` */
  static async start(binary: string): Promise<MigrationForSpecs> {
    const [synapse, mas, health] = await Promise.all([freeAddress(), freeAddress(), freeAddress()]);
    const migration = new MigrationForSpecs(binary, { synapse, mas, health });
    try {
      const context = { signal: migration.#signal, progress: () => undefined };
      migration.#python = await synapsePython(undefined, context);
      migration.#database = await migration.#startPostgres("synapse");
      await migration.startSynapse();
      return migration;
    } catch (error) {
      await migration[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Anew on its data, with its own accounts or with those of MAS. */
  async startSynapse(accounts: "own" | "mas" = "own"): Promise<void> {
    const configuration = this.#configure(accounts);
    this.#homeserver = await serve(this.#context(ROLE), {
      command: this.#python,
      args: ["-m", "synapse.app.homeserver", "-c", configuration],
      cwd: path.dirname(configuration),
      env: {},
      address: this.#places.synapse,
    });
    const { child } = this.#homeserver;
    this.#parts.defer(() => child.kill());
  }

  async stopSynapse(): Promise<void> {
    await this.#homeserver?.child.stop();
  }

  async register(localpart: string, password: string): Promise<Registered> {
    const [baseUrl, secret] = [this.synapse, this.#sharedSecret];
    return await registerBySharedSecret({ baseUrl, secret, localpart, password, admin: false });
  }

  /** Tells Synapse to leave its accounts to MAS, and gives MAS an empty database and the passwords' scheme. */
  async prepareMas(): Promise<void> {
    this.#configure("mas");
    const { user, host, port, database } = await this.#startPostgres("mas");
    const configuration = JSON.parse(
      configurationOf({
        publicBase: this.#auth.publicBase,
        homeserver: { serverName: SERVER_NAME, endpoint: `${this.synapse}/` },
        secret: this.#auth.secret,
        web: this.#places.mas,
        health: this.#places.health,
        database: `postgresql://${user}@${host}:${port}/${database}`,
        adminSecret: randomBytes(24).toString("hex"),
        share: this.#binary.share,
      }),
    );
    configuration.passwords.schemes = [
      { version: 1, algorithm: "bcrypt", unicode_normalization: true },
      { version: 2, algorithm: "argon2id" },
    ];
    writeFileSync(this.#masConfiguration, JSON.stringify(configuration), { mode: 0o600 });
  }

  /** `mas-cli syn2mas check` or `migrate`, with its code and output. */
  async syn2mas(...command: readonly string[]) {
    const configurations = [
      ...["--config", this.#masConfiguration],
      ...["--synapse-config", path.join(this.#folder("synapse"), "homeserver.yaml")],
    ];
    return await runCommand(this.#binary.program, ["syn2mas", ...command, ...configurations], {
      env: { NO_COLOR: "1" },
    });
  }

  async startMas(): Promise<void> {
    const { child } = await serve(this.#context("as1"), {
      command: this.#binary.program,
      args: ["server", "--config", this.#masConfiguration],
      cwd: this.#folder("mas"),
      env: { NO_COLOR: "1" },
      address: this.#places.health,
      path: HEALTH,
    });
    this.#parts.defer(() => child.kill());
  }

  /** For clients of Synapse, before and after. */
  world(): World {
    const server = {
      ...{ role: ROLE, place: ROLE, serverName: SERVER_NAME, capabilities: [] },
      ...{ clientUrl: this.synapse, federationUrl: this.synapse },
    };
    return new World({
      requirement: "MSC3861.meta.discover",
      check: "spec",
      deployment: {
        ...{ id: "main", name: "migration", topology: "one", isUniform: true },
        servers: [server],
        features: [],
        appservice: { id: "", asToken: "", hsToken: "", senderLocalpart: "", prefix: "" },
      },
      control: {} as Control,
      random: createRandom(newRunId()),
      signal: this.#signal,
      timeoutScale: 2,
      propertySeconds: 0,
      accountSizes: [],
    });
  }

  log(role: string): string {
    return readFileSync(this.#logOf(role), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
    await this.#registry[Symbol.asyncDispose]();
  }

  get #masConfiguration(): string {
    return path.join(this.#folder("mas"), "mas.yaml");
  }

  #folder(name: string): string {
    return this.#registry.workFolder(name);
  }

  #logOf(role: string): string {
    return path.join(this.#folder("logs"), `${role}.log`);
  }

  #configure(accounts: "own" | "mas"): string {
    const { host, port, user, database } = this.#database ?? {};
    return writeConfiguration({
      folder: this.#folder("synapse"),
      serverName: SERVER_NAME,
      ...this.#places.synapse,
      sharedSecret: this.#sharedSecret,
      features: [],
      network: undefined,
      auth: accounts === "mas" ? this.#auth : undefined,
      database: { name: "psycopg2", args: { host, port, user, database } },
    });
  }

  async #startPostgres(name: string): Promise<Postgres> {
    const postgres = await startPostgres({
      folder: this.#folder(name),
      logFile: this.#logOf(`${name}-postgres`),
      onSpawn: (pid) => this.#registry.addChild(pid),
      signal: this.#signal,
    });
    return this.#parts.use(postgres);
  }

  #context(role: string) {
    return {
      role,
      runId: this.#registry.runId,
      logFile: this.#logOf(role),
      startTimeoutMs: START_TIMEOUT_MS,
      signal: this.#signal,
      registerProcess: (pid: number) => this.#registry.addChild(pid),
      onUnexpectedExit: () => undefined,
    };
  }
}

function urlOf({ host, port }: Address): string {
  return `http://${host}:${port}`;
}
