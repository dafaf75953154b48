/** What is drawn, and how it is handled: folding, row heights, citations, pictures, and the strip under a pointer. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadRun } from "#tardis/formats/load";
import { CHROMIUM, ready, shot, shows, WHY_SKIPPED, watched } from "./chromium.ts";
import { holds } from "./holds.ts";
import { RoomPage } from "./room-page.ts";

const SAID = 40;
const PRELUDE = ["$CREATE", "$ADA"] as const;
/** So many messages one after the other, then two beside each other. */
const ROOM = JSON.stringify({
  tardis_version: 1,
  room_version: "11",
  room_id: "!line:one.test",
  calculate_event_ids: true,
  events: [
    event("$CREATE", {
      type: "m.room.create",
      state_key: "",
      content: { room_version: "11" },
      prev_events: [],
      auth_events: [],
    }),
    event("$ADA", {
      type: "m.room.member",
      state_key: "@ada:one.test",
      content: { membership: "join" },
      prev_events: ["$CREATE"],
      auth_events: ["$CREATE"],
    }),
    ...Array.from({ length: SAID }, (_, at) => message(at, at === 0 ? "$ADA" : `$SAID_${at - 1}`)),
    message(SAID, `$SAID_${SAID - 1}`),
    message(SAID + 1, `$SAID_${SAID - 1}`),
  ],
});

function event(id: string, more: object): object {
  return { event_id: id, sender: "@ada:one.test", auth_events: [...PRELUDE], ...more };
}

function message(number: number, after: string): object {
  const content = { msgtype: "m.text", body: `${number}` };
  return event(`$SAID_${number}`, { type: "m.room.message", content, prev_events: [after] });
}

const files = [{ name: "line.json5", text: ROOM }];
const { pdus } = await loadRun(files);
const LAST = pdus.length - 1;
let room: RoomPage;

beforeAll(async () => {
  if (CHROMIUM !== undefined) room = await RoomPage.open(files);
});
afterAll(async () => {
  await room?.[Symbol.asyncDispose]();
});

async function open(page: Page): Promise<void> {
  await page.goto(room.url);
  await ready(page);
  await shows(page, LAST, "why");
  await page.keyboard.press("Escape");
}

async function rowsAre(page: Page, count: number): Promise<void> {
  await page.waitForSelector(`#grid[aria-rowcount="${count}"]`, { state: "attached" });
}

/** What a key saves. */
async function saved(page: Page, key: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press(key)]);
  const file = path.join(room.folder, download.suggestedFilename());
  await download.saveAs(file);
  return readFileSync(file);
}

/** Dashed lines to what events cite, in the picture of what is in sight. */
async function citations(page: Page): Promise<number> {
  return (await saved(page, "g")).toString().split('stroke-dasharray="5 4"').length - 1;
}

function numbersIn(text: string | null): readonly number[] {
  return (text?.match(/\d+/g) ?? []).map(Number);
}

describe.skipIf(CHROMIUM === undefined)(`drawing (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test("f folds what follows in a line, with how much it is; a press shows one run, f all", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await open(page);
    await rowsAre(page, pdus.length);

    await page.keyboard.press("f");
    const folded = page.locator("#dag button.fold");
    await folded.first().waitFor();
    const hidden = numbersIn(await folded.first().textContent())[0] ?? 0;
    expect(hidden).toBeGreaterThan(SAID / 2);
    await rowsAre(page, pdus.length - hidden);
    expect(await page.getAttribute("#dag [aria-keyshortcuts=f]", "aria-pressed")).toBe("true");
    expect(new URL(page.url()).hash).toContain("draw=folded");
    await shot(page, "drawing-folded");
    await folded.first().click();
    await rowsAre(page, pdus.length);
    await page.keyboard.press("f");
    await page.keyboard.press("f");
    await rowsAre(page, pdus.length - hidden);
    await page.keyboard.press("f");
    await rowsAre(page, pdus.length);
    expect(view.troubles).toEqual([]);
  });

  test("S makes rows lower, to the whole room at once, where a click still chooses; W makes them higher", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await open(page);
    for (const lower of [28, 12, 6, 3]) {
      await holds(page, `document.querySelector(".row.at")?.offsetHeight === ${lower}`);
      if (lower > 3) await page.keyboard.press("S");
    }
    await page.keyboard.press("S");
    // Nothing is left to scroll, and no row but that of the cursor.
    await holds(page, "document.querySelectorAll('#dag .row').length === 1");
    const graph = (await page.locator("#dag .graph").boundingBox()) ?? expect.fail("no graph");
    await page.mouse.click(graph.x + 200, graph.y + graph.height / 2);
    const middle = Math.floor(pdus.length / 2);
    await shows(page, middle, "why");
    await page.keyboard.press("Escape");
    for (const taller of [3, 6, 12, 28]) {
      await page.keyboard.press("W");
      await holds(page, `document.querySelector(".row.at")?.offsetHeight === ${taller}`);
    }
    expect(await page.locator("#dag .row").count()).toBeGreaterThan(5);
    expect(view.troubles).toEqual([]);
  });

  test("what the event under the pointer, or the pinned one, cites is drawn to it, and to no other", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await open(page);
    await page.keyboard.press("Home");
    await shows(page, 0, "why");
    expect(await citations(page)).toBe(0);

    await page.locator('.row[data-row="5"]').hover();
    await holds(page, "document.querySelector('.row:hover')?.dataset.row === '5'");
    expect(await citations(page)).toBe(PRELUDE.length);
    await page.locator('.row[data-row="1"]').hover();
    expect(await citations(page)).toBe(1);
    await page.locator("#status").hover();
    expect(await citations(page)).toBe(0);
    for (let row = 1; row <= 4; row++) await page.keyboard.press("ArrowRight");
    await shows(page, 4, "why");
    await page.keyboard.press("m");
    await holds(page, "location.hash.includes('pin=')");
    expect(await citations(page)).toBe(PRELUDE.length);
    await page.keyboard.press("m");
    await holds(page, "!location.hash.includes('pin=')");
    expect(await citations(page)).toBe(0);
    expect(view.troubles).toEqual([]);
  });

  test("G saves what is in sight as a PNG of twice the size, drawn on light paper", async () => {
    await using view = await watched(room.browser, { colorScheme: "dark" });
    const { page } = view;
    await open(page);

    const [svg, png] = [(await saved(page, "g")).toString(), await saved(page, "G")];

    expect(png.subarray(1, 4).toString()).toBe("PNG");
    const [wide, high] = ["width", "height"].map((name) =>
      Number(new RegExp(`<svg[^>]* ${name}="([\\d.]+)"`).exec(svg)?.[1]),
    );
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([
      Math.floor(2 * (wide ?? 0)),
      Math.floor(2 * (high ?? 0)),
    ]);
    const [colours, paper] = (await page.evaluate(
      `(async () => {
        const bytes = Uint8Array.from(atob(${JSON.stringify(png.toString("base64"))}), (one) => one.codePointAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
        const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
        context.drawImage(bitmap, 0, 0);
        const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
        const colours = new Set();
        for (let at = 0; at < data.length; at += 4) colours.add(data.slice(at, at + 4).join());
        return [colours.size, [...data.slice(0, 4)].join()];
      })()`,
    )) as [number, string];
    expect(colours).toBeGreaterThan(10);
    expect(paper).toBe("255,255,255,255");
    expect(view.requests).toEqual([room.url]);
    expect(view.troubles).toEqual([]);
  });

  test("in the strip a drag leaves out what is outside, one from the cursor moves it, and a press goes there", async () => {
    await using view = await watched(room.browser);
    const { page } = view;
    await open(page);
    const strip = (await page.locator("#strip").boundingBox()) ?? expect.fail("no strip");
    const y = strip.y + strip.height / 2;
    const margin = 14;
    const xOf = (row: number) => strip.x + margin + (row / LAST) * (strip.width - 2 * margin);
    const drag = async (from: number, to: number) => {
      await page.mouse.move(xOf(from), y);
      await page.mouse.down();
      await page.mouse.move(xOf((from + to) / 2), y, { steps: 4 });
      await page.mouse.move(xOf(to), y, { steps: 4 });
      await page.mouse.up();
    };

    await drag(10, 19);
    await shows(page, 19, "why");
    await rowsAre(page, 10);
    expect(numbersIn(await page.textContent("#dag .tools .hint"))).toEqual([11, 20]);
    await drag(19, 12);
    await shows(page, 12, "why");
    // It was the cursor that was dragged: the range stays.
    await rowsAre(page, 10);
    await page.keyboard.press("=");
    await rowsAre(page, pdus.length);
    await page.mouse.click(xOf(30), y);
    await shows(page, 30, "why");
    await rowsAre(page, pdus.length);
    expect(view.troubles).toEqual([]);
  });
});
