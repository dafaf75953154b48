import { expect, test } from "vitest";
import { HarnessError } from "#harness/errors";
import type { ConfigFile } from "./file.ts";
import { resolveSettings, type Sources } from "./resolve.ts";
import { SETTING_ROWS } from "./settings.ts";

const nothing: Sources = { flags: {}, env: {} };

function file(values: Readonly<Record<string, unknown>>): ConfigFile {
  const entries = Object.entries(values).map(
    ([key, value], at) => [key, { value, line: at + 1 }] as const,
  );
  return { name: "crucible.yaml", values: new Map(entries) };
}

function refusal(sources: Partial<Sources>): HarnessError {
  try {
    resolveSettings({ ...nothing, ...sources });
  } catch (error) {
    if (error instanceof HarnessError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("without anything given every setting has its default and says so", () => {
  const { settings, origins, notices } = resolveSettings(nothing);
  expect(Object.keys(settings)).toEqual(SETTING_ROWS.map(({ name }) => name));
  expect(new Set(Object.values(origins))).toEqual(new Set(["default"]));
  expect(settings).toMatchObject({ hs: [], failIfNone: true, retry: 0, expect: undefined });
  expect(notices).toEqual([]);
});

test("flag beats our variable beats Complement's beats file beats default", () => {
  const layers = {
    flags: { spawnTimeoutMs: "1000" },
    env: { CRUCIBLE_SPAWN_TIMEOUT_MS: "2000", COMPLEMENT_SPAWN_HS_TIMEOUT_SECS: "3" },
    file: file({ "spawn-timeout-ms": 4000 }),
  };
  const seen = (sources: Partial<Sources>) => {
    const { settings, origins } = resolveSettings({ ...nothing, ...sources });
    return [settings.spawnTimeoutMs, origins.spawnTimeoutMs];
  };

  expect(seen(layers)).toEqual([1000, "flag --spawn-timeout-ms"]);
  expect(seen({ ...layers, flags: {} })).toEqual([2000, "env CRUCIBLE_SPAWN_TIMEOUT_MS"]);
  const { COMPLEMENT_SPAWN_HS_TIMEOUT_SECS } = layers.env;
  expect(seen({ env: { COMPLEMENT_SPAWN_HS_TIMEOUT_SECS }, file: layers.file })).toEqual([
    3000,
    "env COMPLEMENT_SPAWN_HS_TIMEOUT_SECS",
  ]);
  expect(seen({ file: layers.file })).toEqual([4000, "file crucible.yaml:1"]);
  expect(seen({})).toEqual([60_000, "default"]);
});

test("an empty variable counts as not given", () => {
  const { origins } = resolveSettings({
    ...nothing,
    env: { CRUCIBLE_HS: "", COMPLEMENT_BASE_IMAGE: "" },
  });
  expect(origins.hs).toBe("default");
});

test("negated flags", () => {
  const { settings, origins } = resolveSettings({
    ...nothing,
    flags: { expect: false, failIfNone: false },
  });
  expect(settings).toMatchObject({ expect: "none", failIfNone: false });
  expect(origins).toMatchObject({
    expect: "flag --no-expect",
    failIfNone: "flag --no-fail-if-none",
  });
});

test("Complement's images become servers, the suffix in any case", () => {
  const env = {
    COMPLEMENT_BASE_IMAGE_HS2: "b:2",
    COMPLEMENT_BASE_IMAGE: "a:1",
    COMPLEMENT_BASE_IMAGE_hs3: "c:3",
  };
  const { settings, origins } = resolveSettings({ ...nothing, env });
  expect(settings.hs).toEqual(["docker:a:1", "hs2=docker:b:2", "hs3=docker:c:3"]);
  expect(origins.hs).toBe(
    "env COMPLEMENT_BASE_IMAGE, COMPLEMENT_BASE_IMAGE_HS2, COMPLEMENT_BASE_IMAGE_hs3",
  );
});

test("two variables for the image of one server are refused", () => {
  const env = { COMPLEMENT_BASE_IMAGE_HS1: "a", COMPLEMENT_BASE_IMAGE_hs1: "b" };
  expect(refusal({ env }).what).toMatch(
    /HS1 and COMPLEMENT_BASE_IMAGE_hs1 both name the image of hs1/,
  );
});

test("Complement's other variables", () => {
  const { settings } = resolveSettings({
    ...nothing,
    env: {
      COMPLEMENT_ENABLE_DIRTY_RUNS: "0",
      COMPLEMENT_DEBUG: "1",
      COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS: "1",
      COMPLEMENT_POST_TEST_SCRIPT: "./after",
      COMPLEMENT_SHARE_ENV_PREFIX: "PASS_",
      COMPLEMENT_HOST_MOUNTS: "/a:/b:ro;/c:/d",
      COMPLEMENT_CONTAINER_CPUS: "0.5",
      COMPLEMENT_CONTAINER_MEMORY: "1GB",
      COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT: "host.containers.internal",
    },
  });
  expect(settings).toMatchObject({
    isolate: true,
    debug: true,
    printServerLogs: true,
    postTestScript: "./after",
    shareEnvPrefix: "PASS_",
    hostMounts: [
      { hostPath: "/a", containerPath: "/b", isReadOnly: true },
      { hostPath: "/c", containerPath: "/d", isReadOnly: false },
    ],
    containerCpuCores: 0.5,
    containerMemory: 1e9,
    hostnameRunningCrucible: "host.containers.internal",
  });
  expect(
    resolveSettings({ ...nothing, env: { COMPLEMENT_ENABLE_DIRTY_RUNS: "1" } }).settings.isolate,
  ).toBe(false);
});

test("what has no effect is said, once", () => {
  const env = {
    COMPLEMENT_KEEP_BLUEPRINTS: "x",
    CRUCIBLE_REPEET: "2",
    COMPLEMENT_CA: "1",
    CRUCIBLE_CACHE: "/c",
  };
  const { notices } = resolveSettings({ ...nothing, env });
  expect(notices).toEqual([
    "COMPLEMENT_KEEP_BLUEPRINTS is ignored: there are no blueprints",
    "CRUCIBLE_REPEET is no setting: did you mean CRUCIBLE_REPEAT?",
    "COMPLEMENT_CA is ignored: it is not known here",
  ]);
});

test.each([
  [{ flags: { repeat: "0" } }, "BAD_USAGE", 'flag --repeat: repeat is "0"'],
  [{ flags: { level: ["MUSTY"] } }, "BAD_USAGE", "flag --level: level is MUSTY"],
  [{ env: { CRUCIBLE_STRICT: "maybe" } }, "BAD_CONFIG", 'env CRUCIBLE_STRICT: strict is "maybe"'],
  [
    { env: { COMPLEMENT_SPAWN_HS_TIMEOUT_SECS: "soon" } },
    "BAD_CONFIG",
    'env COMPLEMENT_SPAWN_HS_TIMEOUT_SECS: spawn-timeout-ms is "soon"',
  ],
  [{ file: file({ retry: true }) }, "BAD_CONFIG", "crucible.yaml:1: retry is true"],
  [{ file: file({ strict: true, suite: null }) }, "BAD_CONFIG", "crucible.yaml:2: suite is empty"],
])("%j is refused with its origin", (sources, code, what) => {
  expect(refusal(sources)).toMatchObject({ code, what, next: expect.any(String) });
});

test("an unknown key of the file is named by line, with the nearest known one", () => {
  expect(refusal({ file: file({ strict: true, repeet: 2 }) })).toMatchObject({
    what: "crucible.yaml:2: there is no setting repeet",
    next: "did you mean repeat?",
  });
});
