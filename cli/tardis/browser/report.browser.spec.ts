/**
 * A failed chaos run, from its report to what failed. The journal is one of `crucible chaos --servers 3 --mutant hide-ban`, told a
 * plan of one split and one ban.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tally } from "#cli/chaos/report";
import { writeStoryPage } from "#cli/chaos/story-page";
import { writeSummary } from "#cli/chaos/summary-file";
import { CHROMIUM, launch, ready, shot, shows, WHY_SKIPPED, watched } from "./chromium.ts";

const JOURNAL = new URL("fixtures/hidden-ban.replay.ndjson", import.meta.url);

const folder = mkdtempSync(path.join(tmpdir(), "crucible-report-"));
let browser: Browser;

beforeAll(async () => {
  if (CHROMIUM !== undefined) browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Where the summary of the run leads. */
async function linkInSummary(): Promise<string> {
  const journal = path.join(folder, "story-1.replay.ndjson");
  copyFileSync(JOURNAL, journal);
  writeSummary({
    ...new Tally().summary(),
    run: folder,
    deployment: "synapse/3 servers",
    seed: 7,
    seconds: 10,
    journals: [journal],
    rooms: [],
    notReached: [],
    troubles: [],
    failure: {
      checkers: ["state-converged"],
      epoch: 1,
      plan: path.join(folder, "failed-plan.json"),
      operations: 2,
      replay: await writeStoryPage(journal),
    },
    exitCode: 1,
  });
  const summary = readFileSync(path.join(folder, "summary.md"), "utf8");
  return /\(<(story-1\.html#[^>]*)>\)/.exec(summary)?.[1] ?? expect.fail(summary);
}

describe.skipIf(CHROMIUM === undefined)(`a report (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("of a failed chaos run opens where servers differ, with why, faults and what each had", async () => {
    const link = await linkInSummary();
    const url = new URL(link, pathToFileURL(`${folder}/`)).href;
    await using view = await watched(browser);
    const { page } = view;

    await page.goto(url);
    await ready(page);

    const row = Number(await page.getAttribute(".row.at", "data-row"));
    await shows(page, row, "why");
    expect(await page.inputValue("#why-key")).toMatch(/^m\.room\.member\|@\S*mallory:hs1/);
    const why = await page.textContent("#verdict");
    expect(why).toMatch(/hs1:8448 and hs2:8448 said: @\S+'s ban of @\S*mallory/);
    expect(why).toMatch(/hs3:8448 said: @\S*mallory\S*'s join/);
    expect(why).toMatch(
      /was not at hs3:8448: .* acted on what carried it, from hs1:8448 to hs3:8448/,
    );
    expect(await page.textContent("#state [aria-pressed=true]")).toContain("hs3:8448");
    const key = await page.inputValue("#why-key");
    const value = page.locator(`#state-table tr[data-key=${JSON.stringify(key)}]`);
    expect(await value.textContent()).toContain("join");
    await shot(page, "report-why");

    await page.keyboard.press("v");
    await shows(page, row, "servers");
    expect(await page.textContent("#detail")).toMatch(
      /hs3:8448: has \d+, without [1-9].*missing here/,
    );
    expect(await page.textContent("#lacks")).toMatch(/hs1:8448 has \d+ that hs3:8448 has not: \$/);
    const deliveries = page.locator("#deliveries tbody tr");
    const stopped = deliveries.filter({ hasText: /never.*× stopped in record 56, from hs1:8448/ });
    expect(await stopped.count()).toBe(1);
    const late = deliveries.filter({ hasText: "× nothing could pass, from hs1:8448: split" });
    expect(await late.first().textContent()).toMatch(/took \d.*after the nudge of record \d+/);
    expect(await page.locator("svg.space text.lost").count()).toBeGreaterThan(0);
    await shot(page, "report-servers");
    await late.first().scrollIntoViewIfNeeded();
    await shot(page, "report-deliveries");
    await page.keyboard.press("r");
    await shows(page, row, "run");
    expect(await page.textContent("#detail")).toMatch(/split .*hs1:8448.*hs2:8448/);
    expect(await page.textContent("#detail")).toMatch(/✕[^✕]*state-converged/);
    await shot(page, "report-run");

    expect(view.requests).toEqual([url.replace(/#.*/, "")]);
    expect(view.troubles).toEqual([]);
  });
});
