/** Builds the page out of its source: one file with everything in it, without data. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { build } from "vite";
import { ROOT } from "#cli/run/session";

const FOLDER = path.join(ROOT, "tardis/page");

export async function buildPage(): Promise<string> {
  const script = await bundle("main.ts", "es");
  const worker = await bundle("worker.ts", "iife");
  const style = readFileSync(path.join(FOLDER, "page.css"), "utf8");
  // What the page may do: run this script and its worker, in this style, and load nothing from anywhere.
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "worker-src blob:",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types crucible-worker",
  ].join("; ");
  const parts = new Map([
    ["POLICY", policy],
    ["STYLE", style],
    ["WORKER", worker],
    ["SCRIPT", script],
  ]);
  return readFileSync(path.join(FOLDER, "page.html"), "utf8").replace(
    /\/\*([A-Z]+)\*\//g,
    (whole, name: string) => parts.get(name) ?? whole,
  );
}

async function bundle(name: string, format: "es" | "iife"): Promise<string> {
  const built = await build({
    configFile: false,
    root: ROOT,
    logLevel: "warn",
    build: {
      write: false,
      target: "es2024",
      modulePreload: false,
      rollupOptions: { input: path.join(FOLDER, name), output: { format } },
    },
  });
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((one) =>
    "output" in one ? one.output : [],
  );
  const code = outputs.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("");
  // As the text of an element it must not end that element, nor open a comment.
  return code.replaceAll(/<\/(script)/gi, "<\\/$1").replaceAll("<!--", "<\\!--");
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
