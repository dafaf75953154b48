/** Stories told to each pair of clients on a real server: forensics finds the same root by the log of any kind. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeploymentForSpecs } from "#cli/deployment-for-specs";
import { explainFiles } from "#harness/forensics/explain-files";
import { tell } from "#harness/stories/tell";
import { utdStories } from "#scenarios/stories/utd";

let server: DeploymentForSpecs;

beforeAll(async () => {
  server = await DeploymentForSpecs.start();
}, 300_000);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const STORIES = ["td.swallowed", "td.two-consumers", "otk.claim-empty"] as const;
const KINDS = ["wasm", "js-sdk", "nio"] as const;

test.each(STORIES.flatMap((id) => KINDS.map((kind) => [id, kind] as const)))(
  "the root that %s provokes is found with a client of %s",
  { timeout: 180_000 },
  async (id, b) => {
    const story = utdStories().get(id);
    if (story === undefined) throw new TypeError("no story");
    const folder = path.join(server.folder, `${id}-${b}`);
    mkdirSync(folder);
    await using world = server.world(`UTD.${id}`, folder);

    await tell(world, story, { a: "wasm", b });
    const last = world.exchanges.at(-1);
    await expect
      .poll(() => readFileSync(server.traceFile, "utf8").includes(`"id":"${last}"`))
      .toBe(true);

    const logs = readdirSync(folder).map((name) => path.join(folder, name));
    const questions = world.undecryptable.map(({ event, user, device }) => ({
      event,
      target: { user, device },
    }));
    const verdicts = await explainFiles([server.traceFile, ...logs], questions);
    expect(verdicts.length).toBeGreaterThan(0);
    for (const { root, isSure } of verdicts) {
      expect(root).toBe(story.hunts);
      expect(isSure).toBe(true);
    }
    // Neither a token nor a key, of any client.
    const told = logs.map((log) => readFileSync(log, "utf8")).join("\n");
    expect(told).not.toMatch(/syt_|session_key|m of alice/);
  },
);
