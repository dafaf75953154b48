/** The list of events in a real Chromium: its elements are used again, and each has to tell the event that it stands for. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { roomText } from "#cli/bench/synthetic-room-text";
import { syntheticRoom } from "#tardis/layout/synthetic-room";
import { rowAt } from "#tardis/view/row-columns";
import { Session } from "#tardis/view/session";
import { CHROMIUM, ready, shows, WHY_SKIPPED, watched } from "./chromium.ts";
import { RoomPage } from "./room-page.ts";

const EVENTS = 400;
const text = roomText(syntheticRoom({ events: EVENTS, servers: 5, seed: 3 }), 0.2);
const { rows } = (await Session.open([{ name: "room", text }])).load();
let room: RoomPage;

beforeAll(async () => {
  if (CHROMIUM !== undefined) room = await RoomPage.open([{ name: "room", text }]);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

interface Told {
  readonly row: number;
  readonly index: number;
  readonly text: string;
  readonly classes: readonly string[];
  readonly tabindex: string | null;
  readonly selected: string | null;
  readonly top: number;
}

/** As they stand in the page, once it has drawn. */
async function told(page: Page): Promise<readonly Told[]> {
  return await page.evaluate(`(async () => {
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
    return [...document.querySelectorAll(".row")].map((row) => ({
      row: Number(row.dataset.row),
      index: Number(row.getAttribute("aria-rowindex")),
      text: row.textContent,
      // Sentences mark what they are about.
      classes: [...row.classList].filter((name) => name !== "marked"),
      tabindex: row.getAttribute("tabindex"),
      selected: row.getAttribute("aria-selected"),
      top: parseFloat(row.style.top) / parseFloat(row.style.height),
    }));
  })()`);
}

/** Every element tells its own event, in order, and one of them is the cursor's. */
async function expectRows(page: Page, cursor: number, isNewestFirst = false): Promise<void> {
  const all = await told(page);
  expect(all.length).toBeGreaterThan(10);
  const lineOf = (row: number) => (isNewestFirst ? EVENTS - 1 - row : row);
  for (const { row, index, text, classes, tabindex, selected, top } of all) {
    const view = rowAt(rows, row);
    const isAt = row === cursor;
    const where = isAt ? ["at"] : row > cursor ? ["later"] : [];
    expect({ index, classes, tabindex, selected, top: Math.round(top) }).toEqual({
      index: lineOf(row) + 1,
      classes: ["row", ...where],
      tabindex: isAt ? "0" : "-1",
      selected: String(isAt),
      top: lineOf(row),
    });
    expect(text.startsWith(String(row + 1))).toBe(true);
    expect(text).toContain(view?.label);
    expect(text).toContain(view?.sender);
  }
  const lines = all.map(({ row }) => lineOf(row));
  expect(lines).toEqual(lines.toSorted((a, b) => a - b));
  expect(all.filter(({ row }) => row === cursor)).toHaveLength(1);
}

describe.skipIf(CHROMIUM === undefined)(`the list of events (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("each row tells its event after steps, jumps, scrolling, other heights and another order", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(`${room.url}#at=200`);
    await ready(page);
    const at = async () => Number(await page.inputValue("#strip input"));
    await expectRows(page, await at());

    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "End"]) {
      await page.keyboard.press(key);
      await expectRows(page, await at());
    }
    expect(await at()).toBe(EVENTS - 1);
    for (const by of [-60, -900, -30, 400, -2_000]) {
      await page.evaluate(`document.querySelector("#grid").scrollTop += ${by}`);
      await expectRows(page, EVENTS - 1);
    }
    for (const key of ["S", "S", "W", "W", "S", "W"]) {
      await page.keyboard.press(key);
      await expectRows(page, EVENTS - 1);
    }
    await page.keyboard.press("y");
    await expectRows(page, EVENTS - 1, true);
    await page.keyboard.press("Home");
    await expectRows(page, 0, true);
    expect(view.troubles).toEqual([]);
  });

  test("what is scrolled to is what the picture shows, and the row of the cursor is in sight", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(`${room.url}#at=1`);
    await ready(page);

    for (const key of ["End", "Home", "S", "End", "W", "y"]) {
      await page.keyboard.press(key);
      await told(page);
      const [row, grid] = [page.locator(".row.at"), page.locator("#grid")];
      const [box, around] = [await row.boundingBox(), await grid.boundingBox()];

      expect(box?.y).toBeGreaterThanOrEqual((around?.y ?? 0) - 1);
      const end = (around?.y ?? 0) + (around?.height ?? 0);
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(end + 1);
    }
  });

  test("the focus goes with the cursor, and the panes follow when it rests", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(`${room.url}#at=300`);
    await ready(page);
    const focused = () =>
      page.evaluate<number>(`Number(document.activeElement?.closest(".row")?.dataset.row)`);
    await page.locator(".row.at").focus();
    // What screen readers hear: an element that keeps the focus and tells another event is not heard.
    await page.evaluate(`document.addEventListener("focusin", ({ target }) => {
      globalThis.heard = Number(target.dataset.row);
    })`);

    const isHeard = async () => {
      await told(page);
      const row = Number(await page.getAttribute(".row.at", "data-row"));
      expect(await focused()).toBe(row);
      expect(await page.evaluate("globalThis.heard")).toBe(row);
    };
    // Each of these comes to the middle of the list, where the one before was.
    for (const at of [60, 140, 220]) {
      await page.evaluate(`location.hash = "#at=${at}"`);
      await page.waitForSelector(`.row.at[data-row="${at - 1}"]`);
      await isHeard();
    }
    for (const key of ["ArrowDown", "ArrowUp", "Home", "End"]) {
      await page.keyboard.press(key);
      await isHeard();
    }
    await shows(page, EVENTS - 1, "why");
    expect(view.troubles).toEqual([]);
  });
});
