import type { Settings } from "#harness/config/settings";
import type { ContainerSettings } from "#harness/deployment/contract";

/** What containers get of this machine: variables whose name has the prefix, without it; mounts; limits. */
export function containerSettings(
  settings: Settings,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ContainerSettings {
  const { shareEnvPrefix: prefix } = settings;
  const shared = Object.entries(env).flatMap(([name, value]) =>
    prefix !== undefined && value !== undefined && name.startsWith(prefix)
      ? [[name.slice(prefix.length), value] as const]
      : [],
  );
  return {
    env: Object.fromEntries(shared),
    mounts: settings.hostMounts,
    cpuCores: settings.containerCpuCores,
    memoryBytes: settings.containerMemory,
    hostname: settings.hostnameRunningCrucible,
  };
}
