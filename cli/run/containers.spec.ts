import { expect, test } from "vitest";
import { resolveSettings } from "#harness/config/resolve";
import { containerSettings } from "./containers.ts";

test("Complement's variables for containers take effect", () => {
  const env = {
    COMPLEMENT_SHARE_ENV_PREFIX: "PASS_",
    PASS_SYNAPSE_COMPLEMENT_DATABASE: "postgres",
    OTHER: "stays here",
    COMPLEMENT_HOST_MOUNTS: "/data/a:/a:ro;/data/b:/b",
    COMPLEMENT_CONTAINER_CPU_CORES: "0.5",
    COMPLEMENT_CONTAINER_MEMORY: "512MiB",
    COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT: "host.containers.internal",
  };
  const { settings, notices } = resolveSettings({ flags: {}, env });
  expect(containerSettings(settings, env)).toEqual({
    env: { SYNAPSE_COMPLEMENT_DATABASE: "postgres" },
    mounts: [
      { hostPath: "/data/a", containerPath: "/a", isReadOnly: true },
      { hostPath: "/data/b", containerPath: "/b", isReadOnly: false },
    ],
    cpuCores: 0.5,
    memoryBytes: 512 * 1024 ** 2,
    hostname: "host.containers.internal",
  });
  expect(notices).toEqual([]);
});

test("without a prefix nothing of the environment is shared", () => {
  const { settings } = resolveSettings({ flags: {}, env: {} });
  expect(containerSettings(settings, { HOME: "/root" }).env).toEqual({});
});
