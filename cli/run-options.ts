/** The flags of `run`, made from the table of settings, and the settings that they and the rest resolve to. */
import { type Command, Option } from "commander";
import { readConfigFile } from "#harness/config/file";
import { defaultText } from "#harness/config/reference";
import { resolveSettings } from "#harness/config/resolve";
import {
  type Resolved,
  SETTING_ROWS,
  type SettingName,
  type SettingRow,
} from "#harness/config/settings";
import { collect } from "./commands/options.ts";

/** Settings of the machine's servers, for commands that start some of their own choice. */
export const SERVER_SETTINGS = [
  "hs",
  "spawnTimeoutMs",
  "shareEnvPrefix",
  "hostMounts",
  "containerCpuCores",
  "containerMemory",
  "hostnameRunningCrucible",
] as const satisfies readonly SettingName[];

/** Adds a flag for each setting of the table, or for some, grouped, and `--config`. */
export function addRunOptions(command: Command, only?: readonly SettingName[]): Command {
  command.addOption(
    new Option(
      "--config <file>",
      "configuration file; the one in the current folder unless given [CRUCIBLE_CONFIG]",
    ),
  );
  const rows = SETTING_ROWS.filter(({ name }) => only === undefined || only.includes(name));
  for (const row of rows) for (const option of optionsOf(row)) command.addOption(option);
  return command;
}

/** By setting name, only what the user really gave: no defaults, nothing from the environment. */
export function flagsOf(command: Command): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === "cli"),
  );
}

/**
 * Settings of a command that has the options of `addRunOptions`.
 *
 * @throws HarnessError BAD_USAGE or BAD_CONFIG
 */
export function settingsOf(command: Command): Resolved {
  const flags = flagsOf(command);
  const named = flags.config ?? process.env.CRUCIBLE_CONFIG;
  const file = readConfigFile(typeof named === "string" && named !== "" ? named : undefined);
  return resolveSettings({ flags, env: process.env, file });
}

function optionsOf(row: SettingRow): Option[] {
  const { flag, alsoFlag, help, env, group } = row;
  const isRepeatable = flag.endsWith("[]");
  const notes = [
    ...(isRepeatable ? ["repeatable"] : []),
    ...(defaultText(row) === undefined ? [] : [`default: ${defaultText(row)}`]),
  ];
  const shown = notes.length === 0 ? "" : ` (${notes.join("; ")})`;
  const option = new Option(flag.replace(/\[\]$/, ""), `${help} [${env}]${shown}`);
  // Shells complete these words; they are checked later, with those of variables and files.
  const { known } = row.parse;
  // Repeatable rather than variadic: `--suite core 'CS.push.*'` would take the id for a suite.
  if (isRepeatable) {
    const parse = (word: string, earlier?: readonly string[]) => collect(word, earlier);
    option.argParser(Object.assign(parse, { known }));
  } else if (known !== undefined) {
    option.argParser(Object.assign((word: string) => word, { known }));
  }
  const also = alsoFlag === undefined ? [] : [new Option(...alsoFlag)];
  return [option, ...also].map((each) => each.helpGroup(`Options, ${group}:`));
}
