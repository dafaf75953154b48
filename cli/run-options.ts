import type { Command } from "commander";
import { readConfigFile } from "#harness/config/file";
import { type Resolved, resolveSettings, SETTING_ROWS } from "#harness/config/settings";

/** Adds a flag for each setting of the table. */
export function addRunOptions(command: Command): Command {
  for (const { flag, help, env, fallback } of SETTING_ROWS) {
    const shown = fallback === undefined || fallback === false || (Array.isArray(fallback) && fallback.length === 0);
    command.option(flag, `${help} [${env}]${shown ? "" : ` (default: ${String(fallback)})`}`);
  }
  return command.option("--config <file>", "configuration file; crucible.yaml in the current folder unless given");
}

/** Settings of a command that has the options of `addRunOptions`. */
export function settingsOf(command: Command): Resolved {
  const given = Object.fromEntries(
    Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) === "cli"),
  );
  const config = given.config ?? process.env.CRUCIBLE_CONFIG;
  return resolveSettings(given, process.env, readConfigFile(typeof config === "string" ? config : undefined));
}
