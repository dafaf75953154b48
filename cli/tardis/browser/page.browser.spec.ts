/** The page in a real Chromium: from files that need no server. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "#cli/run/session";
import { pageTemplate, pageWith } from "#cli/tardis/page";
import { explainKey } from "#tardis/explain/explain-key";
import { loadRun } from "#tardis/formats/load";
import { historyOf } from "#tardis/model/room-of-run";
import {
  CHROMIUM,
  launch,
  ready,
  seriousViolations,
  shot,
  shows,
  viewsOf,
  WHY_SKIPPED,
  watched,
} from "./chromium.ts";

const EXAMPLES = path.join(ROOT, "tardis/examples");
const NAMES = readdirSync(EXAMPLES).filter((name) => name.endsWith(".json5"));

const folder = mkdtempSync(path.join(tmpdir(), "crucible-page-"));
let template: string;
let browser: Browser;

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  template = await pageTemplate();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Address of a page with one file in it. */
function pageOf(name: string, text: string): string {
  const file = path.join(folder, `${name}.html`);
  writeFileSync(file, pageWith(template, [{ name, text }]));
  return pathToFileURL(file).href;
}

function example(name: string): string {
  return readFileSync(path.join(EXAMPLES, name), "utf8");
}

describe.skipIf(CHROMIUM === undefined)(`the page (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test.for(NAMES)("%s loads, and shows its winners", async (name) => {
    const run = await loadRun([{ name, text: example(name) }]);
    await using view = await watched(browser, { timezoneId: "Pacific/Chatham" });
    const { page } = view;
    const url = pageOf(name, example(name));

    await page.goto(url);
    await ready(page);

    expect(await page.textContent("#expected")).toMatch(/^✓ all \d+ keys as expected$/);
    expect(await page.getAttribute("#grid", "aria-rowcount")).toBe(String(run.pdus.length));
    for (const [after, state] of run.expected) {
      const row = run.pdus.findIndex(({ eventId }) => eventId === after);
      await page.goto(`${url}#at=${encodeURIComponent(after)}`);
      await shows(page, row, "why");
      for (const [key, id] of state) {
        const winner = run.pdus.find(({ eventId }) => eventId === id)?.name ?? "none";
        const text = await page.textContent(`#state-table tr[data-key=${JSON.stringify(key)}]`);
        expect(text, `${after} ${key}`).toContain(winner);
        expect(text).toContain("✓ as expected");
      }
    }
    expect(view.requests).toEqual([url]);
    expect(view.troubles).toEqual([]);
    await shot(page, name.replace(".json5", ""));

    const texts = async (from: Page) => [
      await from.textContent("#grid"),
      await from.textContent("#state"),
    ];
    for (const timezoneId of ["UTC", "America/Los_Angeles", "Asia/Kolkata"]) {
      await using other = await watched(browser, { timezoneId });
      await other.page.goto(page.url());
      await ready(other.page);
      expect(await texts(other.page), timezoneId).toEqual(await texts(page));
    }
  });

  test.for([
    ["reset-class-a.json5", "v2"],
    ["reset-class-c-version-12.json5", "v2.1"],
  ] as const)(
    "keys alone lead through %s to the end of %s, in the words of explain",
    async ([name, algorithm]) => {
      await using view = await watched(browser);
      const { page } = view;
      await page.goto(pageOf(name, example(name)));
      await ready(page);

      await page.keyboard.press("Home");
      await shows(page, 0, "why");
      await page.keyboard.press("Shift+ArrowRight");
      await page.waitForSelector(".row.at .warn");
      const row = Number(await page.getAttribute(".row.at", "data-row"));
      await shows(page, row, "why");
      await page.keyboard.press("e");
      await page.waitForSelector("#why-steps button:focus");

      const run = await loadRun([{ name, text: example(name) }]);
      const [room] = run.rooms;
      const key = await page.inputValue("#why-key");
      const told = explainKey({
        history: historyOf(run, room ?? expect.unreachable()),
        names: new Map(run.pdus.map(({ eventId, name }) => [eventId, name ?? eventId])),
        given: new Set(run.givenStates.keys()),
        at: [run.pdus[row]?.eventId ?? ""],
        key,
      });
      expect(told.algorithm).toBe(algorithm);
      expect(told.steps.length).toBeGreaterThan(3);
      expect(await page.locator("#verdict p").allTextContents()).toEqual(
        told.verdict.map(({ text }) => text),
      );
      for (const [at, { title, sentences }] of told.steps.entries()) {
        if (at > 0) await page.keyboard.press("ArrowDown");
        const now = page.locator(`#why-steps li.now[data-step="${at}"]`);
        await now.waitFor();
        expect(await page.textContent("#why-steps button:focus")).toBe(title);
        expect(await now.locator(".sentences p:visible").allTextContents()).toEqual(
          sentences.map(({ text }) => text),
        );
      }
      await shot(page, `walk-${algorithm}`);
      expect(view.troubles).toEqual([]);
    },
  );

  test.for(["dark", "light"] as const)("axe finds nothing serious in %s", async (colorScheme) => {
    await using view = await watched(browser, { colorScheme });
    const { page } = view;
    const rooms = path.join(ROOT, "scenarios/stories/rooms/netsplit.replay.ndjson");
    await page.goto(pageOf("netsplit", readFileSync(rooms, "utf8")));
    await ready(page);
    const row = Number(await page.getAttribute(".row.at", "data-row"));

    for (const { key, name } of await viewsOf(page)) {
      await page.keyboard.press(key);
      await shows(page, row, name);
      expect(await seriousViolations(page), name).toEqual([]);
      await shot(page, `${colorScheme}-${name}`);
    }
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    expect(await seriousViolations(page), "help").toEqual([]);
    expect(view.troubles).toEqual([]);
  });
});
