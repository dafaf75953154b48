/**
 * Makes the package that is published: `npm run build` compiles into `dist`, and this adds what is no code, the page of the
 * viewer, and a package.json whose paths name the compiled files. Node does not strip types inside installed packages.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "#cli/run/session";
import { BUILT_ASSETS } from "#cli/site/assets";
import { buildAssets } from "#cli/site/build-assets";
import { buildPage } from "#cli/tardis/build-page";
import { BUILT_PAGE } from "#cli/tardis/page";

const DIST = path.join(ROOT, "dist");
const FOLDERS = [
  "cli",
  "drivers",
  "harness",
  "protocol",
  "reports",
  "scenarios",
  "suites",
  "tardis",
  "docs",
];
const FILES = ["LICENSE", "README.md"];

interface PackageJson {
  readonly imports: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

for (const folder of FOLDERS) {
  const entries = readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    // Histories of audits prove this repository's checks; nothing reads them elsewhere.
    if (!entry.isFile() || /\.(ts|jsonl)$/.test(entry.name)) continue;
    const file = path.join(entry.parentPath, entry.name);
    cpSync(file, path.join(DIST, path.relative(ROOT, file)));
  }
}
// Its source is of no use there, and its style and frame are part of what is built.
rmSync(path.join(DIST, "tardis/page"), { recursive: true, force: true });
writeFileSync(path.join(DIST, path.relative(ROOT, BUILT_PAGE)), await buildPage());
rmSync(path.join(DIST, "reports/site/page"), { recursive: true, force: true });
const assets = path.join(DIST, path.relative(ROOT, BUILT_ASSETS));
mkdirSync(assets, { recursive: true });
for (const [name, text] of Object.entries(await buildAssets()))
  writeFileSync(path.join(assets, name), text);
for (const name of FILES) cpSync(path.join(ROOT, name), path.join(DIST, name));

const { imports, scripts, devDependencies, allowScripts, ...rest } = JSON.parse(
  readFileSync(path.join(ROOT, "package.json"), "utf8"),
) as PackageJson;
const compiled = Object.entries(imports).map(([name, target]) => [
  name,
  target.replace(/\.ts$/, ".js"),
]);
const manifest = { ...rest, imports: Object.fromEntries(compiled) };
writeFileSync(path.join(DIST, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
