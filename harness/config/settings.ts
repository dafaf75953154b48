/** Settings of a run, in one table: where each may come from, what it may be, and what it is for. */
import { LEVELS, type Level } from "#harness/results/outcome";
import type { RecordChoice } from "#harness/world/run-info";
import * as value from "./values.ts";

export interface Settings {
  readonly hs: readonly string[];
  /** Absent: whatever runs is meant. */
  readonly hsVersion: string | undefined;
  /** Absent: none, unless most checks are about one. */
  readonly auth: (typeof AUTHS)[number] | undefined;
  readonly mas: string | undefined;
  readonly sfu: string | undefined;
  /** Absent: none, unless most checks are of MatrixRTC or there is an SFU. */
  readonly rtcAuth: string | undefined;
  readonly topology: string | undefined;
  readonly spawnTimeoutMs: number;
  readonly isolate: boolean;
  readonly keep: boolean;
  readonly keepOnFailure: boolean;
  readonly fast: boolean;
  readonly preset: "quick" | undefined;
  readonly suite: readonly string[];
  readonly id: readonly string[];
  readonly level: readonly Level[];
  readonly tag: string | undefined;
  readonly shard: { readonly index: number; readonly count: number } | undefined;
  readonly dryRun: boolean;
  readonly repeat: number;
  readonly retry: number;
  readonly bail: number | undefined;
  readonly propertySeconds: number;
  readonly perf: boolean;
  readonly perfRooms: readonly number[];
  readonly record: RecordChoice;
  readonly workers: number | undefined;
  readonly concurrency: number;
  readonly seed: number | undefined;
  readonly timeoutScale: number;
  readonly strict: boolean;
  readonly certify: boolean;
  /** File, or `none`. Absent: the manifest that lies with the driver. */
  readonly expect: string | undefined;
  readonly baseline: string | undefined;
  readonly updateBaseline: boolean;
  readonly allowMismatch: boolean;
  readonly failIfNone: boolean;
  readonly out: string | undefined;
  readonly reporter: readonly (typeof REPORTERS)[number][];
  readonly disclose: boolean;
  readonly debug: boolean;
  readonly printServerLogs: boolean;
  readonly postTestScript: string | undefined;
  readonly shareEnvPrefix: string | undefined;
  readonly hostMounts: readonly value.HostMount[];
  /** 0: no limit. */
  readonly containerCpuCores: number;
  /** Bytes; 0: no limit. */
  readonly containerMemory: number;
  readonly hostnameRunningCrucible: string;
}

export type SettingName = keyof Settings;

/** What a run works with, and where each value came from. */
export interface Resolved {
  readonly settings: Settings;
  /** `flag --hs`, `env CRUCIBLE_HS`, `env COMPLEMENT_BASE_IMAGE`, `file crucible.yaml:3`, `default`. */
  readonly origins: Readonly<Record<SettingName, string>>;
  /** Remarks for the user, one line each: what was given and has no effect. */
  readonly notices: readonly string[];
}

export const GROUPS = [
  "servers",
  "selection",
  "execution",
  "verdict",
  "output",
  "containers",
] as const;
type Group = (typeof GROUPS)[number];

const AUTHS = ["none", "oidc"] as const;
const REPORTERS = ["console", "markdown", "junit"] as const;
const RECORDS = ["failures", "all", "none"] as const;
const PRESETS = ["quick"] as const;

interface Row<Value> {
  readonly group: Group;
  /** Commander's notation; `[]` after the argument: may be given several times. */
  readonly flag: string;
  readonly parse: value.Parser<Exclude<Value, undefined>>;
  readonly fallback: Value;
  readonly help: string;
  /** Another flag for the same setting, with what it means. */
  readonly alsoFlag?: readonly [flag: string, help: string];
  /** Complement's variables with the same meaning, and how their text translates. */
  readonly complement?: {
    readonly env: readonly string[];
    readonly translate?: (value: string) => unknown;
  };
}

export interface SettingRow extends Row<unknown> {
  readonly name: SettingName;
  /** Key in the configuration file. */
  readonly key: string;
  readonly env: string;
}

const isOne = (given: string) => given === "1";

const TABLE: { readonly [Name in SettingName]: Row<Settings[Name]> } = {
  hs: {
    ...row("servers", "--hs <spec>[]", value.list, []),
    help: "homeserver: process:synapse[@version], docker:<image>, kubernetes:<image>, url:<url>; hs1=… for one role",
  },
  hsVersion: {
    ...row("servers", "--hs-version <version>", value.text, undefined),
    help: "version or commit that the server has to say it is; with another one nothing runs",
  },
  auth: {
    ...row("servers", "--auth <name>", value.oneOf(AUTHS), undefined),
    help: "auth service of each homeserver: none, or oidc (comes with crucible), which --suite msc3861 takes unless given",
  },
  mas: {
    ...row("servers", "--mas <spec>", value.text, undefined),
    help: "MAS as auth service of each homeserver: process:mas=<binary>, docker:<image>, url:<url>",
  },
  sfu: {
    ...row("servers", "--sfu <spec>", value.text, undefined),
    help: "SFU of each homeserver: none, livekit (built once, with Go), process:livekit=<binary>, docker:<image>, url:<ws url>",
  },
  rtcAuth: {
    ...row("servers", "--rtc-auth <spec>", value.text, undefined),
    help: "RTC authorization service of each homeserver: none, process:lk-jwt-service=<binary>, docker:<image>, url:<url>, or embedded, which --suite msc4143 and --sfu take unless given",
  },
  topology: {
    ...row("servers", "--topology <name>", value.text, undefined),
    help: "one to five servers, in words; the smallest that the checks need unless given",
  },
  spawnTimeoutMs: {
    ...row("servers", "--spawn-timeout-ms <n>", value.integer(100, 3_600_000), 60_000),
    help: "how long a server may take to start, in milliseconds",
    complement: { env: ["COMPLEMENT_SPAWN_HS_TIMEOUT_SECS"], translate: milliseconds },
  },
  isolate: {
    ...row("servers", "--isolate", value.boolean, false),
    help: "fresh servers for each check",
    complement: { env: ["COMPLEMENT_ENABLE_DIRTY_RUNS"], translate: (given) => given === "0" },
  },
  keep: {
    ...row("servers", "--keep", value.boolean, false),
    help: "leave the servers running at the end until Ctrl-C",
  },
  keepOnFailure: {
    ...row("servers", "--keep-on-failure", value.boolean, false),
    help: "the same, but only when a check failed",
  },
  fast: {
    ...row("servers", "--fast", value.boolean, false),
    help: "take images of an earlier run instead of building docker:./folder again",
  },
  preset: {
    ...row("selection", "--preset <name>", value.oneOf(PRESETS), undefined),
    help: "a named selection: quick (all of core, and a cut through every other suite)",
  },
  suite: {
    ...row("selection", "--suite <name>[]", value.names, []),
    help: "only these suites",
  },
  id: {
    ...row("selection", "--id <glob>[]", value.names, []),
    help: "only requirements with these ids, the same as naming them as arguments",
  },
  level: {
    ...row("selection", "--level <level>[]", value.namesOf(LEVELS), []),
    help: "only requirements of these levels: MUST, SHOULD, MAY",
  },
  tag: {
    ...row("selection", "--tag <expression>", value.text, undefined),
    help: "only requirements whose tags match: login and not (may or sensitive)",
  },
  shard: {
    ...row("selection", "--shard <i/n>", value.shard, undefined),
    help: "only the i-th of n parts, 1/1 being all",
  },
  dryRun: {
    ...row("selection", "--dry-run", value.boolean, false),
    help: "print what would run, start nothing",
  },
  repeat: {
    ...row("execution", "--repeat <n>", value.integer(1, 1000), 1),
    help: "run each check so often",
  },
  retry: {
    ...row("execution", "--retry <n>", value.integer(0, 10), 0),
    help: "tries after a failure; a pass after one is flaky, never pass",
  },
  propertySeconds: {
    ...row("execution", "--property-seconds <n>", value.integer(0, 86_400), 0),
    help: "time for each random search; 0: only the cases that failed once",
  },
  perf: {
    ...row("selection", "--perf", value.boolean, false),
    help: "measure performance, and nothing else: the requirements tagged perf, one after the other",
  },
  perfRooms: {
    ...row("execution", "--perf-rooms <n,…>", value.integers(1, 5_000), [20, 200]),
    help: "rooms of the accounts for --perf; 20,200,1000 takes some minutes more",
  },
  record: {
    ...row("output", "--record <which>", value.oneOf(RECORDS), "failures"),
    help: "rooms to keep as replay files: of failures, of all checks, or none",
  },
  bail: {
    ...row("execution", "--bail <n>", value.integer(1, 1e6), undefined),
    help: "stop after so many failures",
  },
  workers: {
    ...row("execution", "--workers <n>", value.integer(1, 64), undefined),
    help: "worker threads; 2 unless given, 3 where many checks have servers of their own",
  },
  concurrency: {
    ...row("execution", "--concurrency <n>", value.integer(1, 64), 5),
    help: "checks in flight in each worker",
  },
  seed: {
    ...row("execution", "--seed <n>", value.integer(0, 2 ** 32), undefined),
    help: "seed of names and choices; drawn and printed unless given",
  },
  timeoutScale: {
    ...row("execution", "--timeout-scale <f>", value.number(0.1, 100), 1),
    help: "factor on every deadline",
  },
  strict: {
    ...row("verdict", "--strict", value.boolean, false),
    help: "a missed SHOULD and an unexpected pass count as regressions",
  },
  certify: {
    ...row("verdict", "--certify", value.boolean, false),
    help: "no filter, no expectations, nothing disabled",
  },
  expect: {
    ...row("verdict", "--expect <file>", value.fileOrNone, undefined),
    help: "manifest of expected failures, or none; the one that lies with the driver unless given",
    alsoFlag: ["--no-expect", "the same as --expect none"],
  },
  baseline: {
    ...row("verdict", "--baseline <file>", value.text, undefined),
    help: "results to compare with",
  },
  updateBaseline: {
    ...row("verdict", "--update-baseline", value.boolean, false),
    help: "write this run's results to the baseline file",
  },
  allowMismatch: {
    ...row("verdict", "--allow-mismatch", value.boolean, false),
    help: "compare with a baseline of another topology or implementation",
  },
  failIfNone: {
    ...row("verdict", "--no-fail-if-none", value.boolean, true),
    help: "exit 0 even when no check ran",
  },
  out: {
    ...row("output", "--out <dir>", value.text, undefined),
    help: "run directory; .runs/<id> unless given",
  },
  reporter: {
    ...row("output", "--reporter <name>[]", value.namesOf(REPORTERS), REPORTERS),
    help: "console, markdown, junit",
  },
  disclose: {
    ...row("output", "--disclose", value.boolean, false),
    help: "show evidence of sensitive findings in every report",
  },
  debug: {
    ...row("output", "--debug", value.boolean, false),
    help: "print where checks and errors came from, as stack traces",
    complement: { env: ["COMPLEMENT_DEBUG"], translate: isOne },
  },
  printServerLogs: {
    ...row("output", "--print-server-logs", value.boolean, false),
    help: "print the servers' last log lines at the end; they are in the run directory in any case",
    complement: { env: ["COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS"], translate: isOne },
  },
  postTestScript: {
    ...row("output", "--post-test-script <path>", value.text, undefined),
    help: "run it for each check and server, with container id or role, check, and whether it failed",
    complement: { env: ["COMPLEMENT_POST_TEST_SCRIPT"] },
  },
  shareEnvPrefix: {
    ...row("containers", "--share-env-prefix <prefix>", value.text, undefined),
    help: "hand variables with this prefix to containers, without the prefix",
    complement: { env: ["COMPLEMENT_SHARE_ENV_PREFIX"] },
  },
  hostMounts: {
    ...row("containers", "--host-mounts <mount>[]", value.mounts, []),
    help: "host:container[:ro], mounted into every container",
    complement: { env: ["COMPLEMENT_HOST_MOUNTS"] },
  },
  containerCpuCores: {
    ...row("containers", "--container-cpu-cores <f>", value.number(0, 1024), 0),
    help: "cores that each container may use, 0.5 being half of one; 0: no limit",
    // The first is our digest's name for it, the second Complement's own documentation's.
    complement: { env: ["COMPLEMENT_CONTAINER_CPU_CORES", "COMPLEMENT_CONTAINER_CPUS"] },
  },
  containerMemory: {
    ...row("containers", "--container-memory <size>", value.bytes, 0),
    help: "memory that each container may use, such as 512MiB; 0: no limit",
    complement: { env: ["COMPLEMENT_CONTAINER_MEMORY"] },
  },
  hostnameRunningCrucible: {
    ...row("containers", "--hostname-running-crucible <name>", value.text, "host.docker.internal"),
    help: "this machine's name as containers see it",
    complement: { env: ["COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT"] },
  },
};

export const SETTING_ROWS: readonly SettingRow[] = entriesOf(TABLE).map(([name, entry]) => ({
  ...entry,
  name,
  key: kebab(name),
  env: `CRUCIBLE_${kebab(name).replaceAll("-", "_").toUpperCase()}`,
}));

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function row<Parsed, Fallback>(
  group: Group,
  flag: string,
  parse: value.Parser<Parsed>,
  fallback: Fallback,
) {
  return { group, flag, parse, fallback };
}

function milliseconds(given: string): number {
  if (/^\d+(\.\d+)?$/.test(given)) return Number(given) * 1000;
  throw new value.BadValue(`is ${JSON.stringify(given)}`, "a number of seconds");
}

function entriesOf(table: typeof TABLE): [SettingName, Row<unknown>][] {
  return Object.entries(table) as [SettingName, Row<unknown>][];
}
