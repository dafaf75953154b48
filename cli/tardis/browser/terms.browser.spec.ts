/** Terms of the field, told in words: by keys, by pointer, and to screen readers. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import {
  CHROMIUM,
  ready,
  seriousViolations,
  shot,
  shows,
  WHY_SKIPPED,
  watched,
} from "./chromium.ts";
import { RoomPage } from "./room-page.ts";

const EXAMPLE = "reset-class-a.json5";
const text = readFileSync(path.join(ROOT, "tardis/examples", EXAMPLE), "utf8");
let room: RoomPage;

beforeAll(async () => {
  if (CHROMIUM !== undefined) room = await RoomPage.open([{ name: EXAMPLE, text }]);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

describe.skipIf(CHROMIUM === undefined)(`terms (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("are told on focus and on hover, go away on Escape, and screen readers have them", async () => {
    await using view = await watched(room.browser, { colorScheme: "dark" });
    const { page } = view;
    await page.goto(`${room.url}#at=%24MERGE&key=m.room.member%7C%40charlie:three.test`);
    await ready(page);
    const row = Number(await page.getAttribute(".row.at", "data-row"));
    await shows(page, row, "why");
    const tip = page.locator("#term-tip");

    await page.keyboard.press("e");
    await page.waitForSelector("#why-steps button:focus");
    expect(await tip.isVisible()).toBe(false);
    // On from the first step, whose sentences stand behind it: the first term that Tab comes to.
    for (let at = 0; at < 6 && !(await tip.isVisible()); at++) await page.keyboard.press("Tab");

    const focused = page.locator(".term:focus");
    const described = await focused.getAttribute("aria-describedby");
    const meaning = await page.textContent(`[id="${described}"]`);
    expect(meaning).toMatch(/^[A-Z].*\. \(.+\)$/);
    expect(await tip.textContent()).toBe(meaning);
    const box = (await tip.boundingBox()) ?? expect.fail("no box");
    expect(Math.min(box.x, box.y)).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(1280);
    expect(box.y + box.height).toBeLessThanOrEqual(800);
    expect(await seriousViolations(page)).toEqual([]);
    await shot(page, "terms");
    await page.keyboard.press("Escape");
    expect(await tip.isVisible()).toBe(false);
    // It took nothing else away: the focus stays where it was.
    expect(await focused.count()).toBe(1);

    expect(await page.locator("#terms").isVisible()).toBe(false);
    await page.locator("#verdict .term", { hasText: "state resolution" }).hover();
    expect(await tip.textContent()).toMatch(/^How a server makes one state of several/);
    // What is told can be pointed at, and goes when the pointer does.
    await tip.hover();
    expect(await tip.isVisible()).toBe(true);
    await page.locator("#status").hover();
    expect(await tip.isVisible()).toBe(false);

    await page.keyboard.press("Escape");
    await page.keyboard.press("i");
    await shows(page, row, "event");
    expect(await page.locator("#detail .term", { hasText: "depth" }).count()).toBe(1);
    expect(view.troubles).toEqual([]);
  });
});
