import { expect, test } from "vitest";
import { isInEngines } from "./machine.ts";

test.each([
  ["24.21.0", true],
  ["24.10.9", false],
  ["22.22.1", true],
  ["23.1.0", false],
  ["25.0.0", false],
  ["27.0.0", true],
])("node %s fits: %s", (version, fits) => {
  expect(isInEngines(version, "^22.22.0 || ^24.11.0 || >=26")).toBe(fits);
});
