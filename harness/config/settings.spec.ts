import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { readConfigFile } from "./file.ts";
import { resolveSettings } from "./settings.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-spec-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const name = path.join(folder, "crucible.yaml");
  writeFileSync(name, content);
  return name;
}

test("flag beats our variable beats Complement's beats file beats default", () => {
  const config = readConfigFile(file("# comment\nrepeat: 2\nretry: 1\nspawn-timeout-ms: 5000\nworkers: 3\n"));
  const env = { CRUCIBLE_REPEAT: "4", CRUCIBLE_RETRY: "2", COMPLEMENT_SPAWN_HS_TIMEOUT_SECS: "7" };
  const { settings, origins } = resolveSettings({ repeat: "5" }, env, config);
  expect(settings).toMatchObject({ repeat: 5, retry: 2, spawnTimeoutMs: 7000, workers: 3, bail: undefined });
  expect(origins).toMatchObject({
    repeat: "flag --repeat",
    retry: "env CRUCIBLE_RETRY",
    spawnTimeoutMs: "env COMPLEMENT_SPAWN_HS_TIMEOUT_SECS",
    bail: "default",
  });
  expect(origins.workers).toMatch(/crucible\.yaml:5$/);
});

test("Complement's images become servers, the suffix in any case", () => {
  const env = { COMPLEMENT_BASE_IMAGE: "a:1", COMPLEMENT_BASE_IMAGE_HS2: "b:2", COMPLEMENT_ENABLE_DIRTY_RUNS: "0" };
  const { settings, origins } = resolveSettings({}, env);
  expect(settings.hs).toEqual(["docker:a:1", "hs2=docker:b:2"]);
  expect(origins.hs).toBe("env COMPLEMENT_BASE_IMAGE");
  expect(settings.isolate).toBe(true);
});

test("what is not known is said, once", () => {
  const { notices } = resolveSettings({}, { COMPLEMENT_KEEP_BLUEPRINTS: "x", CRUCIBLE_REPEET: "2", COMPLEMENT_CA: "1" });
  expect(notices).toEqual([
    "COMPLEMENT_KEEP_BLUEPRINTS is ignored: there are no blueprints",
    "CRUCIBLE_REPEET is no setting: did you mean CRUCIBLE_REPEAT?",
    "COMPLEMENT_CA is not known here and is ignored",
  ]);
});

test.each([
  [{ repeat: "0" }, {}, /flag --repeat: repeat is "0"/],
  [{ shard: "3/2" }, {}, /i\/n/],
  [{ level: "MUSTY" }, {}, /did you mean MUST/],
  [{ reporter: "junitt" }, {}, /did you mean junit/],
  [{}, { CRUCIBLE_STRICT: "maybe" }, /env CRUCIBLE_STRICT: strict is "maybe"/],
])("%j %j is refused", (flags, env, message) => {
  expect(() => resolveSettings(flags, env)).toThrow(message);
});

test("a file's mistakes are named by line", () => {
  expect(() => resolveSettings({}, {}, readConfigFile(file("suite: core\nrepeet: 2\n")))).toThrow(
    /crucible\.yaml:2: there is no setting repeet[\s\S]*did you mean repeat/,
  );
  expect(() => readConfigFile(file("suite: [core\nx: 1\n"))).toThrow(/crucible\.yaml:\d/);
  expect(() => readConfigFile(path.join(folder, "none.yaml"))).toThrow(/can not be read/);
});
