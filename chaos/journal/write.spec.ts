import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { JournalWriter } from "./write.ts";

test("each record is on disk at once, numbered, and nothing comes after the end", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-journal-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const journal = new JournalWriter(path.join(folder, "journal.ndjson"));
  const lines = () => readFileSync(journal.file, "utf8").trimEnd().split("\n");

  journal.write({ t: "note", text: "one" }, 1000.4);
  const afterFirst = lines();
  journal.write({ t: "note", text: "two" }, 2000);
  journal[Symbol.dispose]();
  journal.write({ t: "note", text: "three" });

  expect(afterFirst).toEqual(['{"seq":1,"at":1000,"t":"note","text":"one"}']);
  expect(lines().map((line) => JSON.parse(line).seq)).toEqual([1, 2]);
});

test("a journal that is there already is not written over", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "crucible-journal-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "journal.ndjson");
  new JournalWriter(file)[Symbol.dispose]();

  expect(() => new JournalWriter(file)).toThrow("EEXIST");
});
