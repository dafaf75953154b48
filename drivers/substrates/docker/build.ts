/** Images from a folder with a Dockerfile: `docker:./path`. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import type Docker from "dockerode";
import { describe, HarnessError } from "#harness/errors";
import { hasImage, progressOf } from "./engine.ts";

/** True for what can not be an image reference: those begin with a letter or a digit. */
export function isFolder(subject: string): boolean {
  return /^[./~]/.test(subject);
}

/** Name of the image that is built from a folder; the same folder always has the same one. */
export function builtName(folder: string): string {
  const absolute = path.resolve(folder);
  const hash = createHash("sha256").update(absolute).digest("hex").slice(0, 8);
  const word = path
    .basename(absolute)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return `crucible-built-${word.replace(/^-|-$/g, "")}:${hash}`;
}

export interface BuildOptions {
  readonly folder: string;
  /** Take the image of an earlier run when there is one. */
  readonly isReuseAllowed: boolean;
  readonly progress: (line: string) => void;
}

/**
 * Builds the folder's Dockerfile with the engine's cache.
 *
 * @throws HarnessError BAD_FILE without a Dockerfile, NO_IMAGE with the last lines of a build that failed
 */
export async function buildImage(docker: Docker, options: BuildOptions): Promise<void> {
  const { folder, isReuseAllowed, progress } = options;
  const name = builtName(folder);
  if (!existsSync(path.join(folder, "Dockerfile"))) {
    throw new HarnessError("BAD_FILE", {
      what: `there is no Dockerfile in ${folder}`,
      next: "name a folder that has one, or an image: --hs docker:<image>",
    });
  }
  if (isReuseAllowed && (await hasImage(docker, name))) return;
  progress(`building ${folder} as ${name}`);
  const lines: string[] = [];
  try {
    const context = { context: path.resolve(folder), src: readdirSync(folder) };
    const stream = await docker.buildImage(context, { t: name, forcerm: true });
    await progressOf(docker, stream, (line) => lines.push(line));
  } catch (cause) {
    throw new HarnessError("NO_IMAGE", {
      what: `the image of ${folder} can not be built`,
      facts: [...lines.slice(-12), describe(cause)],
      next: `docker build ${folder} shows all of it`,
      cause,
    });
  }
}
