/** The page with files in it: the same files give the same bytes. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT } from "#cli/run/session";
import type { FileText } from "#tardis/formats/load";
import type { LiveSource } from "#tardis/view/live";

/** In the published package; from source the page is built when it is asked for. */
export const BUILT_PAGE = path.join(ROOT, "tardis/page.html");

export async function pageTemplate(): Promise<string> {
  if (existsSync(BUILT_PAGE)) return readFileSync(BUILT_PAGE, "utf8");
  const { buildPage } = await import("./build-page.ts");
  return await buildPage();
}

/** @param files none: the page waits for some to be dropped on it */
export function pageWith(template: string, files: readonly FileText[]): string {
  return files.length === 0 ? pageAround(template, "") : pageAround(template, packed(files));
}

/** @param data as `packed` makes it */
export function pageAround(template: string, data: string): string {
  return filled(template, { DATA: data, LIVE: "" });
}

/** Files as the page unfolds them: gzip in base64. */
export function packed(files: readonly FileText[]): string {
  return gzipSync(JSON.stringify(files)).toString("base64");
}

/** The page of something that goes on: as it is served, and no other, it may ask its own server. */
export function livePage(template: string, source: LiveSource): string {
  return filled(template.replace("default-src 'none'", "default-src 'none'; connect-src 'self'"), {
    DATA: "",
    LIVE: JSON.stringify(source),
  });
}

function filled(template: string, parts: Readonly<Record<"DATA" | "LIVE", string>>): string {
  return template.replace(/\/\*(DATA|LIVE)\*\//g, (_, name: "DATA" | "LIVE") => parts[name]);
}
