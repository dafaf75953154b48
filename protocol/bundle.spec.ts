/** The viewer resolves state in a browser: what it loads for that has to be small, and to need nothing of Node. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "vite";
import { expect, test } from "vitest";

const MAX_BYTES = 60_000;
const FOLDER = import.meta.dirname;
/** Not on disk: the plugin below loads it. */
const ENTRY = path.join(FOLDER, "everything.js");

/** All of the folder but specs and what only they use. */
function modules(): readonly string[] {
  return readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".spec.ts"))
    .filter((name) => path.basename(name) !== "recorded-rooms.ts")
    .sort();
}

function entry(names: readonly string[]): Plugin {
  const code = names.map(
    (name, at) => `export * as m${at} from ${JSON.stringify(path.join(FOLDER, name))};`,
  );
  return {
    name: "entry",
    resolveId: (id) => (id === ENTRY ? id : undefined),
    load: (id) => (id === ENTRY ? code.join("\n") : undefined),
  };
}

async function bundle(names: readonly string[]) {
  const built = await build({
    configFile: false,
    root: path.dirname(FOLDER),
    logLevel: "silent",
    plugins: [entry(names)],
    build: {
      write: false,
      minify: true,
      lib: { entry: ENTRY, formats: ["es"], fileName: "protocol" },
    },
  });
  const outputs = Array.isArray(built) ? built : [built];
  return outputs.flatMap((output) => ("output" in output ? output.output : []));
}

test("all of it, compressed, takes less than 60 kB in a browser", async () => {
  const names = modules();
  expect(names.length).toBeGreaterThan(30);
  const chunks = await bundle(names);
  const code = chunks.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("");
  const imported = chunks.flatMap((chunk) => (chunk.type === "chunk" ? chunk.imports : []));
  expect(code).toContain("auth_events");
  expect(imported).toEqual([]);
  expect(code).not.toMatch(/["'`]node:|\brequire\(|\bprocess\.|\bBuffer\b/);
  expect(gzipSync(code).length).toBeLessThan(MAX_BYTES);
});
