/** How recordings ended, as lists of them tell it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { REPLAY_SUFFIX } from "#harness/replay/record";
import { verdictOf } from "./folders.ts";
import { listPage } from "./list-page.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-folders-"));
afterAll(() => rmSync(folder, { recursive: true }));

function ending(...records: readonly object[]) {
  const file = path.join(folder, `one${REPLAY_SUFFIX}`);
  writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return verdictOf(file);
}

const verdict = (checker: string, outcome: string) => ({ t: "verdict", checker, outcome });
const [PASSED, FAILED] = [verdict("lost", "pass"), verdict("lost", "fail")];

test.each([
  ["a pass", [PASSED, verdict("walk", "skip")], { isOk: true, text: "passed" }],
  ["a failure beside a pass", [PASSED, FAILED, PASSED], { isOk: false, text: "failed: lost" }],
  [
    "what nobody could judge",
    [PASSED, verdict("oracle", "unknown")],
    { isOk: null, text: "unknown: oracle" },
  ],
  [
    "state that is lost by the protocol",
    [PASSED, verdict("reset", "known-protocol-reset")],
    { isOk: null, text: "known-protocol-reset: reset" },
  ],
  [
    "what looked at nothing",
    [verdict("walk", "skip")],
    { isOk: null, text: "nothing was looked at" },
  ],
  ["a check's steps", [{ t: "step", ok: true }], { isOk: true, text: "passed" }],
  [
    "a failed step",
    [
      { t: "step", ok: true },
      { t: "step", ok: false },
    ],
    { isOk: false, text: "failed" },
  ],
  [
    "a step that a story's checkers do not mind",
    [{ t: "step", ok: false }, PASSED],
    { isOk: true, text: "passed" },
  ],
  ["nothing", [{ t: "pdu" }], undefined],
] as const)("%s", (_what, records, expected) => {
  expect(ending(...records)).toEqual(expected);
});

test("failures stand first, and then what did not pass", () => {
  const listed = [true, null, false].map((isOk) => ({
    href: "/0",
    title: String(isOk),
    verdict: { isOk, text: "<b>" },
  }));

  const items = listPage(listed).match(/<li>.*?<\/li>/g);

  expect(items?.map((item) => item.replace(/<[^>]*>/g, ""))).toEqual([
    "false ✕ &#60;b&#62;",
    "null ? &#60;b&#62;",
    "true ✓ &#60;b&#62;",
  ]);
});
