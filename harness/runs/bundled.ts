/** A program of ours in one file, for processes that are started many times: hundreds of files take longer to find than to run. */
import { createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** They look for files beside themselves. */
const APART = ["@matrix-org/matrix-sdk-crypto-wasm", "@matrix-org/olm", "@livekit/rtc-node"];
/** Files that a process may still read have been needed meanwhile. */
const OLD_MS = 86_400_000;

const noteSchema = z.object({
  file: z.string(),
  lock: z.string(),
  /** Our own files in it, from the project's root, and what they were like. */
  inputs: z.record(z.string(), z.string()),
});

/**
 * The file to start instead of this one: made when there is none yet, or something in it has changed. What is published is started
 * as it is.
 *
 * @param program absolute, a TypeScript module
 */
export async function bundled(program: string): Promise<string> {
  if (!program.endsWith(".ts")) return program;
  const name = path.relative(ROOT, program).replaceAll(/[^\w-]+/g, "-");
  // Packages that it leaves apart are found from there.
  const folder = path.join(ROOT, "node_modules/.cache/crucible", name);
  const known = freshIn(folder);
  if (known !== undefined) return known;
  try {
    mkdirSync(folder, { recursive: true });
  } catch {
    // A checkout that can not be written.
    return program;
  }
  removeOld(folder);
  return await make(program, folder);
}

async function make(program: string, folder: string): Promise<string> {
  const { build } = await import("vite");
  // Others may make it at the same time: the last note counts, and each file stays.
  const made = `${Date.now()}-${randomBytes(4).toString("hex")}`;
  const entry = `${path.basename(program, ".ts")}.mjs`;
  const built = await build({
    configFile: false,
    root: ROOT,
    logLevel: "error",
    ssr: { noExternal: true, external: APART },
    build: {
      ssr: program,
      outDir: path.join(folder, made),
      target: "node24",
      minify: false,
      rollupOptions: { output: { entryFileNames: entry } },
    },
  });
  const chunks = [built].flat().flatMap((one) => ("output" in one ? one.output : []));
  const modules = chunks.flatMap((chunk) => (chunk.type === "chunk" ? chunk.moduleIds : []));
  const own = modules.filter((id) => path.isAbsolute(id) && !id.includes("/node_modules/"));
  const inputs = Object.fromEntries(own.map((file) => [path.relative(ROOT, file), stateOf(file)]));
  const note = { file: path.join(made, entry), lock: lockNow(), inputs };
  const draft = path.join(folder, `${made}.json`);
  writeFileSync(draft, JSON.stringify(note));
  renameSync(draft, path.join(folder, "note.json"));
  return path.join(folder, note.file);
}

function freshIn(folder: string): string | undefined {
  try {
    const text = readFileSync(path.join(folder, "note.json"), "utf8");
    const { file, lock, inputs } = noteSchema.parse(JSON.parse(text));
    const isFresh =
      lock === lockNow() &&
      Object.entries(inputs).every(([input, state]) => stateOf(path.join(ROOT, input)) === state);
    const made = path.join(folder, file);
    return isFresh && statSync(made).isFile() ? made : undefined;
  } catch {
    // None yet, or a file of it is gone.
    return undefined;
  }
}

function stateOf(file: string): string {
  const { mtimeMs, size } = statSync(file);
  return `${mtimeMs} ${size}`;
}

/** Of packages: all that npm unpacks has the same time. */
function lockNow(): string {
  const lock = readFileSync(path.join(ROOT, "package-lock.json"));
  return createHash("sha256").update(lock).digest("hex");
}

function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const made = Number(name.split("-")[0]);
    if (made < Date.now() - OLD_MS)
      rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}
