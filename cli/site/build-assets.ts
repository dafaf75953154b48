/** Builds what every conformance site has, whatever runs it is of: the page with its style, and its script. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { build } from "vite";
import { ROOT } from "#cli/run/session";
import type { SiteAssets } from "./assets.ts";

const FOLDER = path.join(ROOT, "reports/site/page");

export async function buildAssets(): Promise<SiteAssets> {
  const built = await build({
    configFile: false,
    root: ROOT,
    logLevel: "warn",
    build: {
      write: false,
      target: "es2024",
      modulePreload: false,
      // Of a module a page from a file loads nothing.
      rollupOptions: { input: path.join(FOLDER, "main.ts"), output: { format: "iife" } },
    },
  });
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((one) =>
    "output" in one ? one.output : [],
  );
  const script = outputs.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("");
  const read = (name: string) => readFileSync(path.join(FOLDER, name), "utf8");
  const style = read("site.css");
  const hash = createHash("sha256").update(style).digest("base64");
  // What the page may do: run the scripts beside it, in this style, and load nothing from anywhere.
  const policy = [
    "default-src 'none'",
    // A page from a file has no origin of its own.
    "script-src 'self' file:",
    `style-src 'sha256-${hash}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types crucible-data",
  ].join("; ");
  const page = read("index.html")
    .replace("/*POLICY*/", policy)
    .replace("/*STYLE*/", () => style);
  return { "index.html": page, "site.js": script };
}
