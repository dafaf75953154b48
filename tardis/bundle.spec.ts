/** The page runs all of this in a worker: it must build for browsers, and need nothing of Node. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { build, type Plugin } from "vite";
import { expect, test } from "vitest";

const FOLDER = import.meta.dirname;
/** Not on disk: the plugin below loads it. */
const ENTRY = path.join(FOLDER, "everything.js");

const NAMES = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".spec.ts") && !name.startsWith("page/"),
);

const entry: Plugin = {
  name: "entry",
  resolveId: (id) => (id === ENTRY ? id : undefined),
  load: (id) =>
    id === ENTRY
      ? NAMES.map(
          (name, at) => `export * as m${at} from ${JSON.stringify(path.join(FOLDER, name))};`,
        ).join("\n")
      : undefined,
};

test("it builds for a browser", async () => {
  const built = await build({
    configFile: false,
    root: path.dirname(FOLDER),
    logLevel: "silent",
    plugins: [entry],
    build: { write: false, lib: { entry: ENTRY, formats: ["es"], fileName: "tardis" } },
  });
  const outputs = (Array.isArray(built) ? built : [built]).flatMap((one) =>
    "output" in one ? one.output : [],
  );
  const code = outputs.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("");
  expect(NAMES.length).toBeGreaterThan(25);
  expect(code).toContain("auth_events");
  expect(outputs.flatMap((chunk) => (chunk.type === "chunk" ? chunk.imports : []))).toEqual([]);
  expect(code).not.toMatch(/["'`]node:|\brequire\(|\bprocess\.|\bBuffer\b|\bdocument\./);
});
