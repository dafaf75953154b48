/** The stories of `netsplits/`: plans with what stands in the end. See docs/plan-format.md. */
import { readdirSync, readFileSync } from "node:fs";
import { type Plan, parsePlan } from "#scenarios/plan";

const FOLDER = new URL("netsplits/", import.meta.url);

/** Names of all of them, sorted. */
export function netsplitStories(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .sort();
}

/** @param id name of the file, without its ending */
export function netsplitStory(id: string): Plan {
  const file = `${id}.json`;
  return parsePlan(JSON.parse(readFileSync(new URL(file, FOLDER), "utf8")), file);
}
