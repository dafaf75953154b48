import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { configurationMarkdown } from "./reference.ts";
import { SETTING_ROWS } from "./settings.ts";

test("docs/configuration.md is what the table says", () => {
  const kept = readFileSync(
    path.resolve(import.meta.dirname, "../../docs/configuration.md"),
    "utf8",
  );
  expect(
    kept,
    "out of date, write it anew: node harness/config/reference.ts > docs/configuration.md",
  ).toBe(configurationMarkdown());
});

test("it names every flag, variable and key", () => {
  const page = configurationMarkdown().replace(/ +/g, " ");
  for (const { flag, env, key } of SETTING_ROWS) {
    expect(page).toContain(`\`${flag.replace(/\[\]$/, "")}\``);
    expect(page).toContain(`\`${env}\` | \`${key}\``);
  }
});
