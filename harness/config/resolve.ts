/** Each setting's value and origin: flag, `CRUCIBLE_*`, `COMPLEMENT_*`, file, default, in this order. */
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import type { ConfigFile } from "./file.ts";
import {
  type Resolved,
  SETTING_ROWS,
  type SettingName,
  type SettingRow,
  type Settings,
} from "./settings.ts";
import { BadValue } from "./values.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface Sources {
  /** By setting name, only what the user gave. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Environment;
  readonly file?: ConfigFile | undefined;
}

/** Ours, but no settings of a run. */
const OTHER_VARIABLES = [
  "CRUCIBLE_CACHE",
  "CRUCIBLE_CONFIG",
  "CRUCIBLE_MAS_ADMIN_CLIENT",
  "CRUCIBLE_MAS_ADMIN_SECRET",
  "CRUCIBLE_SFU_KEY",
  "CRUCIBLE_SFU_SECRET",
  "CRUCIBLE_TEST_SFU",
  "CRUCIBLE_MAS_BINARY",
  "CRUCIBLE_MAS_IMAGE",
  "CRUCIBLE_POSTGRES_BIN",
  "CRUCIBLE_RUN",
  "CRUCIBLE_TALLY",
  "CRUCIBLE_TEST_DOCKER",
  "CRUCIBLE_TEST_IMAGE",
];

const BASE_IMAGE = /^COMPLEMENT_BASE_IMAGE(?:_(\w+))?$/;

/** @throws HarnessError BAD_USAGE for a flag, BAD_CONFIG for anything else; both name the origin of the wrong value. */
export function resolveSettings(sources: Sources): Resolved {
  if (sources.file !== undefined) checkKeys(sources.file);
  const notices = noticesOf(sources.env);
  const settings: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, string>> = {};
  for (const row of SETTING_ROWS) {
    const found = find(row, sources);
    origins[row.name] = found?.origin ?? "default";
    settings[row.name] = found === undefined ? row.fallback : parse(row, found);
  }
  // The table's type ties each row's parser and default to its setting, and the loop takes every row.
  return { settings: settings as Settings, origins: origins as Resolved["origins"], notices };
}

interface Found {
  readonly origin: string;
  readonly raw: unknown;
  readonly translate?: ((value: string) => unknown) | undefined;
}

function find(
  { name, key, env: variable, complement }: SettingRow,
  { flags, env, file }: Sources,
): Found | undefined {
  const flag = flags[name];
  if (flag !== undefined)
    return { raw: flag, origin: `flag --${flag === false ? "no-" : ""}${key}` };
  if (isGiven(env[variable])) return { raw: env[variable], origin: `env ${variable}` };
  const images = name === "hs" ? complementImages(env) : undefined;
  if (images !== undefined) return images;
  const theirs = complement?.env.find((candidate) => isGiven(env[candidate]));
  if (theirs !== undefined) {
    return { raw: env[theirs], origin: `env ${theirs}`, translate: complement?.translate };
  }
  const entry = file?.values.get(key);
  return entry === undefined
    ? undefined
    : { raw: entry.value, origin: `file ${file?.name}:${entry.line}` };
}

/**
 * `COMPLEMENT_BASE_IMAGE` for all servers, `COMPLEMENT_BASE_IMAGE_<hs>` for one. The suffix counts in any case: that is
 * what Complement documents, although its code only takes it as the blueprint spells it.
 */
function complementImages(env: Environment): Found | undefined {
  const variables = Object.keys(env)
    .filter((name) => BASE_IMAGE.test(name) && isGiven(env[name]))
    .sort();
  const byRole = new Map<string, string>();
  for (const name of variables) {
    const role = roleOf(name) ?? "";
    const earlier = byRole.get(role);
    if (earlier !== undefined) {
      throw new HarnessError("BAD_CONFIG", {
        what: `env ${earlier} and ${name} both name the image of ${role}`,
        next: "unset one of them",
      });
    }
    byRole.set(role, name);
  }
  if (variables.length === 0) return undefined;
  const specs = [...byRole].map(
    ([role, name]) => `${role === "" ? "" : `${role}=`}docker:${env[name]}`,
  );
  return { raw: specs, origin: `env ${variables.join(", ")}` };
}

function roleOf(variable: string): string | undefined {
  return BASE_IMAGE.exec(variable)?.[1]?.toLowerCase();
}

function parse(row: SettingRow, { raw, origin, translate }: Found): unknown {
  const place = origin.replace(/^file /, "");
  const code = origin.startsWith("flag ") ? "BAD_USAGE" : "BAD_CONFIG";
  try {
    return row.parse(translate === undefined ? raw : translate(String(raw)));
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    throw new HarnessError(code, {
      what: `${place}: ${row.key} ${error.message}`,
      facts: [`${row.key}: ${row.help}`],
      next: error.next,
      cause: error,
    });
  }
}

function checkKeys(file: ConfigFile): void {
  const known = SETTING_ROWS.map(({ key }) => key);
  for (const [key, { line }] of file.values) {
    if (known.includes(key)) continue;
    throw new HarnessError("BAD_CONFIG", {
      what: `${file.name}:${line}: there is no setting ${key}`,
      next: didYouMean(key, known),
    });
  }
}

/** Variables that look as if they were meant for us and are not read. */
function noticesOf(env: Environment): string[] {
  const ours = [...SETTING_ROWS.map((row) => row.env), ...OTHER_VARIABLES];
  const theirs = SETTING_ROWS.flatMap(({ complement }) => complement?.env ?? []);
  return Object.keys(env)
    .filter((name) => isGiven(env[name]))
    .flatMap((name) => {
      if (name.startsWith("CRUCIBLE_")) {
        return ours.includes(name) ? [] : [`${name} is no setting: ${didYouMean(name, ours)}`];
      }
      if (!name.startsWith("COMPLEMENT_") || BASE_IMAGE.test(name) || theirs.includes(name))
        return [];
      if (name === "COMPLEMENT_KEEP_BLUEPRINTS")
        return [`${name} is ignored: there are no blueprints`];
      return [`${name} is ignored: it is not known here`];
    });
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}
