/** What if, in a real Chromium, by keys alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import { pageTemplate, pageWith } from "#cli/tardis/page";
import { loadRun } from "#tardis/formats/load";
import { differencesIn, historyOf } from "#tardis/model/room-of-run";
import {
  CHROMIUM,
  launch,
  ready,
  seriousViolations,
  shot,
  WHY_SKIPPED,
  watched,
} from "./chromium.ts";

const TIES = path.join(ROOT, "scenarios/stories/rooms/tie-breaks.json5");
const KEY = "m.room.join_rules|";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-what-if-"));
let browser: Browser;
let url = "";
let resetUrl = "";

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  const template = await pageTemplate();
  const pageOf = (file: string) => {
    const page = path.join(folder, `${path.basename(file)}.html`);
    const files = [{ name: path.basename(file), text: readFileSync(file, "utf8") }];
    writeFileSync(page, pageWith(template, files));
    return pathToFileURL(page).href;
  };
  url = pageOf(TIES);
  resetUrl = pageOf(path.join(ROOT, "tardis/examples/reset-class-c-version-12.json5"));
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Finds an event by its name. */
async function goTo(page: Page, name: string): Promise<void> {
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  await page.keyboard.press("/");
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(`id:${name}`);
  await page.waitForSelector("#found:has-text('1 found')");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`#state h2:has-text(${JSON.stringify(`after ${name}`)})`);
}

async function tabTo(page: Page, id: string, key: "Tab" | "Shift+Tab"): Promise<void> {
  for (let presses = 0; presses < 30; presses++) {
    if (await page.evaluate(`document.activeElement?.id === ${JSON.stringify(id)}`)) return;
    await page.keyboard.press(key);
  }
  expect.unreachable(`no Tab leads to ${id}`);
}

/** Waits for the winner in the state, and in the line of the difference. */
async function winnerIs(page: Page, name: string): Promise<void> {
  await page.waitForSelector(
    `#state-table tr[data-key="${KEY}"]:has-text(${JSON.stringify(name)})`,
  );
}

describe.skipIf(CHROMIUM === undefined)(`what if (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("a time stamp is edited, the winner changes, is taken back, shrunk and saved, by keys alone", async () => {
    await using view = await watched(browser);
    const { page } = view;
    await page.goto(url);
    await ready(page);
    await goTo(page, "$MERGE_2");
    await winnerIs(page, "$CHARLIE_JR_2");

    await goTo(page, "$CHARLIE_JR_2");
    await page.keyboard.press("x");
    await page.waitForSelector("#edit-time:focus");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("1750000010500");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#edits li");
    await goTo(page, "$MERGE_2");
    await winnerIs(page, "$BOB_JR_2");
    const row = page.locator(`#what-if-states tr[data-key="${KEY}"]`);
    expect(await row.textContent()).toMatch(/\$CHARLIE_JR_2.*\$BOB_JR_2/);
    expect(await page.textContent("#what-if-ids")).toMatch(/\$CHARLIE_JR_2\$\S+ → \$\S+edited/);
    expect(await page.textContent("#edited")).toContain("not what happened");
    expect(await seriousViolations(page)).toEqual([]);
    await shot(page, "what-if");

    await page.keyboard.press("Escape");
    await page.keyboard.press("u");
    await winnerIs(page, "$CHARLIE_JR_2");
    await expect.poll(() => page.locator("#edits li").count()).toBe(0);
    await page.keyboard.press("Shift+U");
    await winnerIs(page, "$BOB_JR_2");

    await page.keyboard.press("x");
    await page.waitForSelector("#edit-time:focus");
    await tabTo(page, "shrink", "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#what-if-said:has-text('no single one can go')");
    await winnerIs(page, "$BOB_JR_2");
    const left = Number(await page.getAttribute("#grid", "aria-rowcount"));
    expect(left).toBeLessThan(10);
    await shot(page, "what-if-shrunk");

    await tabTo(page, "save", "Tab");
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    const saved = path.join(folder, "saved.json5");
    await (await download).saveAs(saved);
    const run = await loadRun([{ name: "saved", text: readFileSync(saved, "utf8") }]);
    const [room] = run.rooms;
    expect(run.pdus).toHaveLength(left);
    expect(run.expected.size).toBe(1);
    expect(differencesIn(run, historyOf(run, room ?? expect.unreachable()))).toEqual([]);
    expect(view.requests).toEqual([url]);
    expect(view.troubles).toEqual([]);
  }, 180_000);

  test("the address holds the edits, and edits that can not be done leave what happened", async () => {
    const edits = [{ kind: "time", event: "$CHARLIE_JR_2", time: 1_750_000_010_500 }];
    const at = (list: unknown) =>
      `${url}#${new URLSearchParams({ at: "$MERGE_2", view: "what-if", edits: JSON.stringify(list) })}`;
    await using view = await watched(browser);
    const { page } = view;
    await page.goto(at(edits));
    await ready(page);
    await winnerIs(page, "$BOB_JR_2");
    expect(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("edits")).toBe(
      JSON.stringify(edits),
    );

    await page.goto(at([]));
    await winnerIs(page, "$CHARLIE_JR_2");

    await using other = await watched(browser);
    await other.page.goto(at([{ kind: "drop", event: "$NOBODY" }]));
    await ready(other.page);
    await winnerIs(other.page, "$CHARLIE_JR_2");
    expect(await other.page.textContent("#what-if-said")).toContain("no event $NOBODY");
    expect([view.troubles, other.troubles]).toEqual([[], []]);
  });

  test("a link to a comparison has the first key that differs explained, and sides are added by keys", async () => {
    const given = new URLSearchParams({ at: "$MERGE", view: "compare", cmp: "12,11" });
    await using view = await watched(browser);
    const { page } = view;
    await page.goto(`${resetUrl}#${given}`);
    await ready(page);
    await page.waitForSelector("#compare-why");
    const cells = page.locator('#compare tr[data-key="m.room.topic|"] td');
    expect(await cells.allTextContents()).toEqual(["topic", "$TOPIC_OLD", "$TOPIC_NEW"]);
    const why = await page.textContent("#compare-why");
    expect(why).toMatch(
      /^version 12 \(v2\.1\)The topic, after .*version 11 \(v2\)The topic, after /s,
    );
    expect(await seriousViolations(page)).toEqual([]);

    await page.focus("#compare-side");
    await page.keyboard.type("version 10 (v2), new ids");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#compare th:has-text('version 10 (v2), new ids')");
    expect(new URL(page.url()).hash).toContain("cmp=12%2C11%2C10*");
    await shot(page, "compare");
    expect(view.troubles).toEqual([]);
  }, 180_000);
});
