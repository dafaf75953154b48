/** Settings as they may be shown and written: each with where it comes from, and without secrets. */
import { redact } from "#harness/config/driver-spec";
import { kebab, type Resolved, type SettingName } from "#harness/config/settings";

interface ShownSetting {
  /** Null: nothing is set. */
  readonly value: unknown;
  readonly origin: string;
}

/** By their names in the configuration file. */
export function settingsShown({
  settings,
  origins,
}: Pick<Resolved, "settings" | "origins">): Readonly<Record<string, ShownSetting>> {
  const rows = Object.entries(settings).map(([name, value]) => [
    kebab(name),
    { value: shown(value), origin: origins[name as SettingName] },
  ]);
  return Object.fromEntries(rows);
}

function shown(value: unknown): unknown {
  if (typeof value === "string") return redact(value);
  return Array.isArray(value) ? value.map(shown) : (value ?? null);
}
