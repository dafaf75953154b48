import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** Folder for what is dear to make and good for many runs: `CRUCIBLE_CACHE`, or the user's cache folder. */
export function cacheFolder(...names: string[]): string {
  const folder = placeInCache(...names);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The same for what makes its folder itself. */
export function placeInCache(...names: string[]): string {
  const root =
    process.env.CRUCIBLE_CACHE ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), ".cache"), "crucible");
  return path.join(root, ...names);
}
