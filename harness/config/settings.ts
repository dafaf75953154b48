/**
 * Settings of a run, in one table: where each may come from, and what it may be. Precedence: flag, `CRUCIBLE_*`,
 * `COMPLEMENT_*`, file, default; each resolved value knows its origin.
 */
import { HarnessError } from "#harness/errors";
import { LEVELS, type Level } from "#harness/results/outcome";
import { didYouMean } from "#harness/suggest";

export interface Settings {
  readonly hs: readonly string[];
  readonly topology: string | undefined;
  readonly preset: string | undefined;
  readonly suite: readonly string[];
  readonly level: readonly Level[];
  readonly strict: boolean;
  readonly certify: boolean;
  readonly shard: { readonly index: number; readonly count: number } | undefined;
  readonly repeat: number;
  readonly retry: number;
  readonly bail: number | undefined;
  readonly workers: number;
  readonly concurrency: number;
  readonly isolate: boolean;
  readonly keep: boolean;
  readonly keepOnFailure: boolean;
  readonly expect: string | undefined;
  readonly baseline: string | undefined;
  readonly updateBaseline: boolean;
  readonly allowMismatch: boolean;
  readonly out: string | undefined;
  readonly reporter: readonly string[];
  readonly disclose: boolean;
  readonly seed: number | undefined;
  readonly timeoutScale: number;
  readonly spawnTimeoutMs: number;
  readonly failIfNone: boolean;
  readonly dryRun: boolean;
  readonly debug: boolean;
  readonly printServerLogs: boolean;
  readonly postTestScript: string | undefined;
}

export type SettingName = keyof Settings;

/** Raw value: text from flags and environment, anything from a file. */
type Parser = (raw: unknown) => unknown;

export interface SettingRow {
  readonly name: SettingName;
  /** Commander's notation. */
  readonly flag: string;
  /** Name in the environment and, in kebab-case, in the file. */
  readonly env: string;
  /** `COMPLEMENT_*` variable with the same meaning, and how it translates. */
  readonly complement?: { readonly env: string; readonly translate?: (value: string) => unknown };
  readonly parse: Parser;
  readonly fallback: unknown;
  readonly help: string;
}

export const REPORTERS = ["console", "markdown", "junit"] as const;
export const PRESETS = ["quick"] as const;

const SETTINGS: readonly SettingRow[] = [
  row("hs", "--hs <spec...>", list, [], "homeserver: process:synapse[@version], docker:<image>, url:<url>; hs1=… for one role"),
  row("topology", "--topology <name>", text, undefined, "one, two or three servers; the smallest that the checks need unless given"),
  row("preset", "--preset <name>", oneOf(PRESETS), undefined, "a named selection: quick"),
  row("suite", "--suite <name...>", list, [], "only these suites"),
  row("level", "--level <level...>", listOf(LEVELS), [], "only requirements of these levels"),
  row("strict", "--strict", flag, false, "a missed SHOULD and an unexpected pass count as regressions"),
  row("certify", "--certify", flag, false, "no filter, no expectations, nothing disabled"),
  row("shard", "--shard <i/n>", shard, undefined, "only the i-th of n parts, 1/1 being all"),
  row("repeat", "--repeat <n>", integer(1, 1000), 1, "run each check so often"),
  row("retry", "--retry <n>", integer(0, 10), 0, "tries after a failure; a pass after one is flaky, never pass"),
  row("bail", "--bail <n>", integer(1, 1e6), undefined, "stop after so many failures"),
  row("workers", "--workers <n>", integer(1, 64), 2, "worker threads"),
  row("concurrency", "--concurrency <n>", integer(1, 64), 5, "checks in flight in each worker"),
  row("isolate", "--isolate", flag, false, "fresh servers for each check", {
    env: "COMPLEMENT_ENABLE_DIRTY_RUNS",
    translate: (value) => value === "0",
  }),
  row("keep", "--keep", flag, false, "leave the servers running at the end until Ctrl-C"),
  row("keepOnFailure", "--keep-on-failure", flag, false, "the same, but only when a check failed"),
  row("expect", "--expect <file>", text, undefined, "manifest of expected failures; none: no manifest"),
  row("baseline", "--baseline <file>", text, undefined, "results to compare with"),
  row("updateBaseline", "--update-baseline", flag, false, "write this run's results to the baseline file"),
  row("allowMismatch", "--allow-mismatch", flag, false, "compare with a baseline of another topology or requirement set"),
  row("out", "--out <dir>", text, undefined, "run directory; .runs/<id> unless given"),
  row("reporter", "--reporter <names>", listOf(REPORTERS), ["console", "markdown", "junit"], "console, markdown, junit"),
  row("disclose", "--disclose", flag, false, "show evidence of sensitive findings in every report"),
  row("seed", "--seed <n>", integer(0, 2 ** 32), undefined, "seed of names and choices; printed with every run"),
  row("timeoutScale", "--timeout-scale <f>", number(0.1, 100), 1, "factor on every deadline"),
  row("spawnTimeoutMs", "--spawn-timeout-ms <n>", integer(100, 3_600_000), 60_000, "how long a server may take to start", {
    env: "COMPLEMENT_SPAWN_HS_TIMEOUT_SECS",
    translate: (value) => String(Number(value) * 1000),
  }),
  row("failIfNone", "--no-fail-if-none", flag, true, "exit 0 even when no check ran"),
  row("dryRun", "--dry-run", flag, false, "print what would run, start nothing"),
  row("debug", "--debug", flag, false, "print stack traces", { env: "COMPLEMENT_DEBUG", translate: (value) => value === "1" }),
  row("printServerLogs", "--print-server-logs", flag, false, "print the servers' last log lines at the end", {
    env: "COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS",
    translate: (value) => value === "1",
  }),
  row("postTestScript", "--post-test-script <path>", text, undefined, "run it with server, check and failed for each check that ended", {
    env: "COMPLEMENT_POST_TEST_SCRIPT",
  }),
];

export const SETTING_ROWS: readonly SettingRow[] = SETTINGS;

/** Complement's variables that the docker driver reads by itself, or that mean nothing here. */
const COMPLEMENT_ELSEWHERE = new Set([
  "COMPLEMENT_SHARE_ENV_PREFIX",
  "COMPLEMENT_HOST_MOUNTS",
  "COMPLEMENT_CONTAINER_CPU_CORES",
  "COMPLEMENT_CONTAINER_MEMORY",
  "COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT",
]);

/** Ours, but no settings of a run. */
const CRUCIBLE_ELSEWHERE = new Set(["CRUCIBLE_CACHE", "CRUCIBLE_POSTGRES_BIN", "CRUCIBLE_TALLY", "CRUCIBLE_RUN", "CRUCIBLE_CONFIG", "CRUCIBLE_TEST_DOCKER", "CRUCIBLE_TEST_IMAGE"]);

export interface ConfigFile {
  readonly name: string;
  readonly values: Readonly<Record<string, { readonly value: unknown; readonly line: number }>>;
}

export interface Resolved {
  readonly settings: Settings;
  /** `flag --hs`, `env CRUCIBLE_HS`, `env COMPLEMENT_BASE_IMAGE`, `crucible.yaml:3`, `default`. */
  readonly origins: Readonly<Record<SettingName, string>>;
  readonly notices: readonly string[];
}

/** @throws HarnessError BAD_USAGE or BAD_CONFIG that names the origin of the wrong value. */
export function resolveSettings(
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
  file?: ConfigFile,
): Resolved {
  const notices = noticesOf(env);
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  if (file !== undefined) checkKeys(file);
  for (const setting of SETTINGS) {
    const found = find(setting, flags, env, file);
    origins[setting.name] = found?.origin ?? "default";
    values[setting.name] = found === undefined ? setting.fallback : parsed(setting, found);
  }
  return { settings: values as unknown as Settings, origins: origins as Record<SettingName, string>, notices };
}

function find(
  setting: SettingRow,
  flags: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
  file: ConfigFile | undefined,
): { raw: unknown; origin: string } | undefined {
  const { name, complement } = setting;
  if (flags[name] !== undefined) return { raw: flags[name], origin: `flag --${kebab(name)}` };
  const own = env[setting.env];
  if (own !== undefined && own !== "") return { raw: own, origin: `env ${setting.env}` };
  if (name === "hs") {
    const images = complementImages(env);
    if (images.length > 0) return { raw: images, origin: "env COMPLEMENT_BASE_IMAGE" };
  }
  const theirs = complement === undefined ? undefined : env[complement.env];
  if (complement !== undefined && theirs !== undefined && theirs !== "") {
    return { raw: complement.translate?.(theirs) ?? theirs, origin: `env ${complement.env}` };
  }
  const entry = file?.values[kebab(name)];
  return entry === undefined ? undefined : { raw: entry.value, origin: `${file?.name}:${entry.line}` };
}

/** COMPLEMENT_BASE_IMAGE for all servers, COMPLEMENT_BASE_IMAGE_<hs> for one; the suffix in any case, as documented. */
function complementImages(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const [, role] = /^COMPLEMENT_BASE_IMAGE(?:_(\w+))?$/.exec(name) ?? [];
    if (!name.startsWith("COMPLEMENT_BASE_IMAGE") || value === undefined || value === "") return [];
    return [role === undefined ? `docker:${value}` : `${role.toLowerCase()}=docker:${value}`];
  });
}

function parsed(setting: SettingRow, { raw, origin }: { raw: unknown; origin: string }): unknown {
  try {
    return setting.parse(raw);
  } catch (error) {
    const code = origin.startsWith("flag") ? "BAD_USAGE" : "BAD_CONFIG";
    const [what, next] = error instanceof BadValue ? [error.message, error.next] : ["is wrong", undefined];
    throw new HarnessError(code, {
      what: `${origin}: ${setting.name} ${what}`,
      next: next ?? `it is: ${setting.help}`,
    });
  }
}

function checkKeys(file: ConfigFile): void {
  const known = SETTINGS.map(({ name }) => kebab(name));
  for (const [key, { line }] of Object.entries(file.values)) {
    if (known.includes(key)) continue;
    throw new HarnessError("BAD_CONFIG", { what: `${file.name}:${line}: there is no setting ${key}`, next: didYouMean(key, known) });
  }
}

function noticesOf(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = SETTINGS.map((setting) => setting.env);
  return Object.keys(env).flatMap((name) => {
    if (name === "COMPLEMENT_KEEP_BLUEPRINTS") return ["COMPLEMENT_KEEP_BLUEPRINTS is ignored: there are no blueprints"];
    if (name.startsWith("COMPLEMENT_") && !isKnownComplement(name)) return [`${name} is not known here and is ignored`];
    if (!name.startsWith("CRUCIBLE_") || known.includes(name) || CRUCIBLE_ELSEWHERE.has(name)) return [];
    return [`${name} is no setting: ${didYouMean(name, known)}`];
  });
}

function isKnownComplement(name: string): boolean {
  return (
    name.startsWith("COMPLEMENT_BASE_IMAGE") ||
    name.startsWith("COMPLEMENT_CRYPTO_") ||
    COMPLEMENT_ELSEWHERE.has(name) ||
    SETTINGS.some(({ complement }) => complement?.env === name)
  );
}

class BadValue extends Error {
  readonly next: string | undefined;
  constructor(message: string, next?: string) {
    super(message);
    this.next = next;
  }
}

function row(
  name: SettingName,
  flagText: string,
  parse: Parser,
  fallback: unknown,
  help: string,
  complement?: SettingRow["complement"],
): SettingRow {
  const env = `CRUCIBLE_${kebab(name).replaceAll("-", "_").toUpperCase()}`;
  return { name, flag: flagText, env, parse, fallback, help, ...(complement === undefined ? {} : { complement }) };
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function text(raw: unknown): string {
  if (typeof raw === "string" && raw !== "") return raw;
  throw new BadValue("has to be a text");
}

function flag(raw: unknown): boolean {
  if (typeof raw === "boolean") return raw;
  if (raw === "1" || raw === "true") return true;
  if (raw === "0" || raw === "false") return false;
  throw new BadValue(`is ${JSON.stringify(raw)}`, "write true or false");
}

function list(raw: unknown): string[] {
  const parts = Array.isArray(raw) ? raw : [raw];
  // An `--hs` spec has commas of its own, so that only spaces divide in the environment.
  return parts.flatMap((part) => text(part).split(/\s+/)).filter((part) => part !== "");
}

function listOf(known: readonly string[]): Parser {
  const each = oneOf(known);
  return (raw) => list(raw).flatMap((part) => part.split(",")).map(each);
}

function oneOf(known: readonly string[]): Parser {
  return (raw) => {
    const word = text(raw);
    const match = known.find((candidate) => candidate.toLowerCase() === word.toLowerCase());
    if (match === undefined) throw new BadValue(`is ${word}`, didYouMean(word, known));
    return match;
  };
}

function number(min: number, max: number): Parser {
  return (raw) => {
    const value = Number(raw);
    if (raw === "" || !(value >= min && value <= max)) throw new BadValue(`is ${JSON.stringify(raw)}`, `a number from ${min} to ${max}`);
    return value;
  };
}

function integer(min: number, max: number): Parser {
  const parse = number(min, max);
  return (raw) => {
    const value = parse(raw);
    if (!Number.isInteger(value)) throw new BadValue(`is ${JSON.stringify(raw)}`, "a whole number");
    return value;
  };
}

function shard(raw: unknown): { index: number; count: number } {
  const [, index = 0, count = 0] = (/^(\d+)\/(\d+)$/.exec(String(raw)) ?? []).map(Number);
  if (index < 1 || index > count) throw new BadValue(`is ${JSON.stringify(raw)}`, "write i/n, for example 2/4");
  return { index, count };
}
