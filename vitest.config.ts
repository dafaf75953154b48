import { configDefaults, defineConfig } from "vitest/config";

/** Tests of our own code, beside it; suites run by the command, never by this. */
export default defineConfig({
  test: {
    include: ["**/*.spec.ts"],
    exclude: [
      ...configDefaults.exclude,
      ...(process.env.CRUCIBLE_TEST_DOCKER === "1" ? ["**/!(*.docker).spec.ts"] : ["**/*.docker.spec.ts"]),
    ],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
