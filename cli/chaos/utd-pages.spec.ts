import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ALICE,
  BOB,
  EVENT,
  PARCEL,
  SENT,
  type Story,
  shared,
} from "#harness/forensics/hand-written";
import { UtdPages } from "./utd-pages.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "crucible-utd-pages-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A run's folder with what was seen of a story. */
function keep({ exchanges, entries }: Story): void {
  for (const [place, lines] of [
    ["trace", exchanges],
    ["clients", entries],
  ] as const) {
    mkdirSync(path.join(folder, place));
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    writeFileSync(path.join(folder, place, "all.ndjson"), text);
  }
}

const unread = (event: string) => ({ user: BOB.user, device: BOB.device, room: "!r", event });
const source = () => ({
  journal: path.join(folder, "story-2.replay.ndjson"),
  epoch: 3,
  seed: 6,
  again: "crucible replay story-2.replay.ndjson --mutant lose-to-device",
});

test("a key that came to nobody has one page, with its parcel and how to see it again, until its story is dropped", async () => {
  const story = shared().send(SENT + 1, { id: "$second", index: 2 });
  keep(story.read(70));
  const pages = new UtdPages(folder);
  const verdicts = await pages.explain([unread(EVENT), unread("$second")], source());

  expect(verdicts).toMatchObject([
    { page: "utd-1.md", parcel: { id: PARCEL, to: `${BOB.user}|${BOB.device}` } },
    { page: "utd-1.md", parcel: { id: PARCEL, from: `${ALICE.user}|${ALICE.device}` } },
  ]);
  const page = readFileSync(path.join(folder, "utd-1.md"), "utf8");
  expect(page).toContain(PARCEL);
  expect(page).toContain("| seen in | epoch 3 of story-2.replay.ndjson |");
  expect(page).toContain("| seed | 6 |");
  expect(page).toContain("--mutant lose-to-device");

  pages.drop(source().journal);
  expect(readdirSync(folder).filter((name) => name.startsWith("utd-"))).toEqual([]);
});

test("what is not in the records is unexplained, and no page is made of it", async () => {
  keep(shared());
  const [verdict] = await new UtdPages(folder).explain([unread("$gone")], source());

  expect(verdict).toMatchObject({ root: "unexplained" });
  expect(verdict).not.toHaveProperty("page");
});
