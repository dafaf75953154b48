import { configDefaults, defineConfig } from "vitest/config";
import { SETTING_ROWS } from "./harness/config/settings.ts";

/** Tests of our own code, beside it; suites run by the command, never by this. */
export default defineConfig({
  test: {
    include: ["**/*.spec.ts"],
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.CRUCIBLE_TEST_DOCKER === "1"
        ? ["**/!(*.docker).spec.ts"]
        : ["**/*.docker.spec.ts"]),
      ...(process.env.CRUCIBLE_TEST_BROWSER === "1"
        ? ["**/!(*.browser).spec.ts"]
        : ["**/*.browser.spec.ts"]),
    ],
    // What is set for runs, such as where .ci/run wants them, is not for a spec that calls a command.
    env: Object.fromEntries(
      SETTING_ROWS.flatMap(({ env, complement }) => [env, ...(complement?.env ?? [])]).map(
        (name) => [name, ""],
      ),
    ),
    ...(process.env.CRUCIBLE_TEST_SFU === undefined
      ? {}
      : { globalSetup: "drivers/livekit/build-before-specs.ts" }),
    // .ci/run counts from this file.
    ...(process.env.CRUCIBLE_TALLY === undefined
      ? {}
      : { reporters: ["default", "json"], outputFile: { json: process.env.CRUCIBLE_TALLY } }),
    // How long expect.poll waits for what is about to happen, on a busy machine too; no spec is run a second time.
    expect: { poll: { timeout: 10_000 } },
    // Most of their time they wait for servers: by itself it would leave one core to nobody.
    maxWorkers: "100%",
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
