/** Page and script of the conformance site. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "#cli/run/session";

const NAMES = ["index.html", "site.js"] as const;
export type SiteAssets = Readonly<Record<(typeof NAMES)[number], string>>;

let built: Promise<SiteAssets> | undefined;

/** In the published package; from source they are built when they are asked for. */
export const BUILT_ASSETS = path.join(ROOT, "reports/site/built");

export async function siteAssets(): Promise<SiteAssets> {
  if (existsSync(BUILT_ASSETS)) {
    const files = NAMES.map((name) => [name, readFileSync(path.join(BUILT_ASSETS, name), "utf8")]);
    return Object.fromEntries(files) as SiteAssets;
  }
  built ??= import("./build-assets.ts").then(({ buildAssets }) => buildAssets());
  return await built;
}
