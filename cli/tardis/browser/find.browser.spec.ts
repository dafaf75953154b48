/** Search, keys, links and what helps people who see, point or read otherwise, in a real Chromium. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import { pageTemplate, pageWith } from "#cli/tardis/page";
import { loadRun } from "#tardis/formats/load";
import { CHROMIUM, ready, shot, shows, viewsOf, WHY_SKIPPED, watched } from "./chromium.ts";
import { holds } from "./holds.ts";
import { RoomPage } from "./room-page.ts";

const NETSPLIT = path.join(ROOT, "scenarios/stories/rooms/netsplit.replay.ndjson");

const files = [{ name: "netsplit", text: readFileSync(NETSPLIT, "utf8") }];
const { pdus } = await loadRun(files);
let room: RoomPage;

beforeAll(async () => {
  if (CHROMIUM !== undefined) room = await RoomPage.open(files);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

async function rowNow(page: Page): Promise<number> {
  return Number(await page.getAttribute(".row.at", "data-row"));
}

/** The row that has the focus. */
function focusedOn(page: Page, row: number) {
  return page.waitForSelector(`.row.at:focus[data-row="${row}"][tabindex="0"]`);
}

describe.skipIf(CHROMIUM === undefined)(`finding the way (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("a link searches, hits are in the list, n goes through them, and a wrong word is told", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(`${room.url}#at=1&q=${encodeURIComponent("type:topic")}`);
    await ready(page);
    await page.waitForSelector("#found:has-text('found')");
    const topics = pdus.flatMap(({ event }, row) => (event.type === "m.room.topic" ? [row] : []));
    expect(await page.inputValue("#search")).toBe("type:topic");
    expect(
      await page
        .locator(".row.hit")
        .evaluateAll((rows) => rows.map((row) => Number(row.getAttribute("data-row")))),
    ).toEqual(topics);

    for (const row of topics) {
      await page.keyboard.press("n");
      await shows(page, row, "why");
    }
    await page.keyboard.press("N");
    await shows(page, topics.at(-2) ?? -1, "why");

    await page.keyboard.press("/");
    await page.keyboard.type("type:topic softfail:yes");
    await page.waitForSelector("#found.fail");
    expect(await page.textContent("#found")).toContain(
      "softfail: is no field, did you mean softfailed:",
    );
    expect(await page.getAttribute("#search", "aria-invalid")).toBe("true");
    expect(await page.locator(".row.hit").count()).toBe(0);
    expect(view.troubles).toEqual([]);
  });

  test("p and c go to kin in turn, a finds what is cited, and the focus is on the row", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(room.url);
    await ready(page);
    const merge = pdus.findIndex(({ event }) => event.prevEvents.length > 1);
    const parents =
      pdus[merge]?.event.prevEvents.map((id) => pdus.findIndex((one) => one.eventId === id)) ?? [];
    await page.goto(`${room.url}#at=${encodeURIComponent(pdus[merge]?.eventId ?? "")}`);
    await shows(page, merge, "why");
    await page.keyboard.press("Escape");
    await focusedOn(page, merge);
    for (const row of [...parents, parents[0] ?? -1]) {
      await page.keyboard.press("p");
      await focusedOn(page, row);
    }
    expect(await page.textContent("#live")).toContain(`1 of ${parents.length} parents`);
    await page.keyboard.press("Enter");
    await page.keyboard.press("p");
    const above = pdus[parents[0] ?? -1]?.event.prevEvents[0];
    await focusedOn(
      page,
      pdus.findIndex(({ eventId }) => eventId === above),
    );
    // Back to who follows that: to where it came from, or the branch beside it.
    const children = pdus.flatMap(({ event }, row) =>
      event.prevEvents.includes(above ?? "") ? [row] : [],
    );
    const again = children.length > 1 ? children.slice(0, 1) : [];
    for (const row of [...children, ...again]) {
      await page.keyboard.press("c");
      await focusedOn(page, row);
    }

    await page.keyboard.press("End");
    await page.keyboard.press("a");
    await page.waitForSelector("#found:has-text('found')");
    expect(await page.inputValue("#search")).toBe(`auth-of:${pdus.at(-1)?.eventId}`);
    await page.keyboard.press("a");
    await page.waitForSelector("#found:empty", { state: "attached" });
    expect(view.troubles).toEqual([]);
  });

  test("the address says all, and brings it back", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(`${room.url}#do=first,conflict-next`);
    await ready(page);
    const merge = pdus.findIndex(({ event }) => event.prevEvents.length > 1);
    await shows(page, merge, "event");
    for (const key of ["m", "b", "2", "d", "e"]) await page.keyboard.press(key);
    await page.waitForSelector("#why-steps button:focus");
    await page.keyboard.press("ArrowDown");
    await page.waitForSelector('#why-steps li.now[data-step="1"]');
    await expect.poll(() => page.url()).toMatch(/step=2/);
    const given = new URLSearchParams(new URL(page.url()).hash.slice(1));
    expect(Object.fromEntries(given)).toMatchObject({
      at: pdus[merge]?.eventId,
      pin: pdus[merge]?.eventId,
      view: "why",
      server: "two.test",
      beside: "one.test",
      diff: "1",
      step: "2",
    });
    const texts = async (from: Page) => [
      await from.textContent("#state"),
      await from.textContent("#why-steps li.now"),
      await from.textContent(".row.at"),
    ];
    await using other = await watched(room.browser);
    await other.page.goto(page.url());
    await ready(other.page);
    await other.page.waitForSelector('#why-steps li.now[data-step="1"]');
    expect(await texts(other.page)).toEqual(await texts(page));
    expect([...view.troubles, ...other.troubles]).toEqual([]);
  });

  test("a link brings the room to another page; what is too long for one is saved as one file", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(`${room.url}#at=1&view=event`);
    await ready(page);
    await page.keyboard.press("k");
    const link = await page.inputValue("#share[open] #link");
    expect(link.length).toBeLessThan(32 * 1024);
    const one = pdus.at(-1)?.json;
    const messages = Array.from({ length: 2_001 }, (_, at) => ({ ...one, event_id: `$m${at}` }));
    const all = [...pdus.map(({ eventId, json }) => ({ ...json, event_id: eventId })), ...messages];
    const large = path.join(room.folder, "large.html");
    const text = all.map((event) => JSON.stringify(event)).join("\n");
    writeFileSync(large, pageWith(await pageTemplate(), [{ name: "large", text }]));
    await page.goto(link.replace("netsplit.html", "large.html"));
    await page.reload();
    await ready(page);
    expect(await page.getAttribute("#grid", "aria-rowcount")).toBe(String(pdus.length));
    expect(await rowNow(page)).toBe(
      pdus.findIndex(({ eventId }) => link.includes(encodeURIComponent(eventId))),
    );

    await using other = await watched(room.browser);
    await other.page.goto(pathToFileURL(large).href);
    await ready(other.page);
    await other.page.keyboard.press("k");
    await other.page.waitForSelector("#share[open] #link-why:has-text('too many for a link')");
    expect(await other.page.locator("#link").isHidden()).toBe(true);
    const [download] = await Promise.all([
      other.page.waitForEvent("download"),
      other.page.click("#save-file"),
    ]);
    const saved = path.join(room.folder, "saved.html");
    await download.saveAs(saved);
    await using third = await watched(room.browser);
    await third.page.goto(pathToFileURL(saved).href);
    await ready(third.page);
    expect(await third.page.getAttribute("#grid", "aria-rowcount")).toBe(
      await other.page.getAttribute("#grid", "aria-rowcount"),
    );
    expect([...view.troubles, ...other.troubles, ...third.troubles]).toEqual([]);
  });

  test("the dialog lists every action and does it; letters may be turned off", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(room.url);
    await ready(page);
    await page.keyboard.press("Home");
    await shows(page, 0, "event");
    await page.click("#keys");
    const names = await page
      .locator("#help button[data-action]")
      .evaluateAll((all) => all.map((one) => one.getAttribute("data-action")));
    expect(new Set(names).size).toBe(names.length);
    for (const { name } of await viewsOf(page)) expect(names).toContain(`view-${name}`);
    await page.click("#help button[data-action=last]");
    await shows(page, pdus.length - 1, "event");
    await page.keyboard.press("?");
    await page.uncheck("#letters");
    await page.keyboard.press("Escape");
    await page.keyboard.press("e");
    await page.keyboard.press("Home");
    await shows(page, 0, "event");
    expect(view.troubles).toEqual([]);
  });

  test("at 400 % nothing but what is wide scrolls sideways, and targets are 24 pixels", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await page.goto(room.url);
    await ready(page);
    const row = await rowNow(page);
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: width === 320 ? 256 : 800 });
      for (const { name } of await viewsOf(page)) {
        await page.click(`#tab-${name}`);
        await shows(page, row, name);
        const small = await page.evaluate(
          `[...document.querySelectorAll("button, select, summary, input:not([type=range], [type=checkbox])")]
            .filter((one) => one.checkVisibility() && !one.closest("pre"))
            .map((one) => [one.outerHTML, one.getBoundingClientRect()])
            .filter(([, { width, height }]) => Math.min(width, height) < 24)
            .map(([html, { width, height }]) => html + " " + width + " x " + height)`,
        );
        expect(small, `${width} ${name}`).toEqual([]);
      }
      const wide = await page.evaluate("document.scrollingElement.scrollWidth");
      expect(wide).toBeLessThanOrEqual(width);
      await shot(page, `wide-${width}`);
    }
    expect(view.troubles).toEqual([]);
  });

  test("forced colours and paper show the graph, too", async () => {
    await using view = await watched(room.browser, { colorScheme: "dark" });
    const { page } = view;
    await page.goto(room.url);
    await ready(page);
    await page.emulateMedia({ forcedColors: "active" });
    const inks = (await page.evaluate(
      `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
        const canvas = document.querySelector("#dag canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Set();
        for (let at = 0; at < data.length; at += 4)
          if (data[at + 3] === 255) colours.add(data.slice(at, at + 3).join());
        done([...colours]);
      })))`,
    )) as string[];
    expect(inks.length).toBeGreaterThan(0);
    await shot(page, "forced-colours");
    // Browsers say so before they lay the page out for paper.
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    await page.emulateMedia({ forcedColors: "none", media: "print" });
    const rowHigh = 28;
    await holds(page, `document.querySelector('#print')?.naturalHeight > ${pdus.length * rowHigh}`);
    await shot(page, "print");
    await page.evaluate("dispatchEvent(new Event('afterprint'))");
    expect(await page.locator("#print").count()).toBe(0);
    expect(view.requests).toEqual([room.url]);
    expect(view.troubles).toEqual([]);
  });
});
