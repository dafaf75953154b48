/** The stories of `utd/`: messages that can not be read, and why. See docs/utd-format.md. */
import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { HarnessError } from "#harness/errors";
import { parseStories, type Story } from "#harness/stories/story";

const FOLDER = new URL("utd/", import.meta.url);
const BOXES = "utd-boxes.yaml";

/** A box of complement-crypto's list of what to test. */
const box = z.strictObject({
  id: z.string(),
  ticked: z.boolean(),
  says: z.string(),
  todo: z.string().min(10).optional(),
  beside: z.string().min(10).optional(),
});
export type Box = z.output<typeof box>;

/** All of them, by id. */
export function utdStories(): ReadonlyMap<string, Story> {
  const stories = readdirSync(FOLDER)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .flatMap((file) => parseStories(read(new URL(file, FOLDER)), `utd/${file}`));
  const boxes = new Set(utdBoxes().map(({ id }) => id));
  for (const { id, covers } of stories) {
    const unknown = covers.filter((each) => !boxes.has(each));
    if (unknown.length === 0) continue;
    throw new HarnessError("BAD_FILE", {
      what: `the story ${id} covers ${unknown.join(", ")}, which is no box`,
      next: `boxes are listed in scenarios/stories/${BOXES}`,
    });
  }
  const byId = new Map(stories.map((story) => [story.id, story]));
  const twice = stories.find((story) => byId.get(story.id) !== story);
  if (twice === undefined) return byId;
  throw new HarnessError("BAD_FILE", {
    what: `there are two stories ${twice.id}`,
    next: "each has an id of its own, over all files of scenarios/stories/utd",
  });
}

export function utdBoxes(): readonly Box[] {
  return z.array(box).parse(read(new URL(BOXES, import.meta.url)));
}

function read(file: URL): unknown {
  return parse(readFileSync(file, "utf8"));
}
