import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { exportPage } from "./export.ts";
import { filesIn, verdictOf } from "./folders.ts";

const ROOM = new URL("../../scenarios/stories/rooms/netsplit.replay.ndjson", import.meta.url);
const SECRET = "is anybody there?";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-folders-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder of a run with a recording that may be shared, and one that may not. */
function runFolder(): string {
  const run = path.join(folder, "run");
  mkdirSync(path.join(run, "replay"), { recursive: true });
  mkdirSync(path.join(run, "trace"), { recursive: true });
  for (const name of ["run.json", "results.jsonl", "trace/main.ndjson"])
    writeFileSync(path.join(run, name), "{}\n");
  const text = readFileSync(ROOM, "utf8");
  const plain = text.replace(SECRET, "nothing to hide");
  writeFileSync(path.join(run, "replay/CS.open-1.replay.ndjson"), plain);
  const marked = text.replace('"t":"meta"', '"t":"meta","sensitive":true');
  writeFileSync(path.join(run, "replay/CS.secret-1.replay.ndjson"), marked);
  return run;
}

test("of a run its recordings are taken with how they ended; sensitive ones leave it only when disclosed", async () => {
  const written = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const remarked = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const run = runFolder();
  const found = filesIn(run);

  const out = path.join(folder, "pages/");
  await exportPage([run], { output: out });
  const shared = readdirSync(out);
  await exportPage([run], { output: out, disclose: true });
  written.mockRestore();
  remarked.mockRestore();

  expect(found.map(({ title }) => title)).toEqual([
    "replay/CS.open-1.replay.ndjson",
    "replay/CS.secret-1.replay.ndjson",
  ]);
  expect(verdictOf(found[0]?.file ?? "")).toEqual({ isOk: false, text: "failed" });
  expect(shared).toEqual(["index.html", "replay_CS.open-1.html"]);
  expect(readdirSync(out)).toContain("replay_CS.secret-1.html");
  expect(readFileSync(path.join(out, "index.html"), "utf8")).toMatch(
    /href="replay_CS\.open-1\.html#at=[^"]+">[^<]+<\/a> ✕ failed/,
  );
});
