/** The stories of `state-resolution/`: small rooms, and what two states of each resolve to. See docs/dag-format.md. */
import { readFileSync } from "node:fs";
import { type DagFile, parseDagFile } from "#protocol/dag/dag-file";

/** @param id name of the file, without its ending */
export function stateResolutionStory(id: string): DagFile {
  const file = new URL(`state-resolution/${id}.json`, import.meta.url);
  return parseDagFile(JSON.parse(readFileSync(file, "utf8")));
}
