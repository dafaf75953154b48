/** The picture of a call as a browser shows it: on a desk and on a phone, light and dark, and whatever is in it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { wholeCall } from "#reports/render/call-fixture";
import { callPicture } from "#reports/render/call-picture";
import { CHROMIUM, launch, seriousViolations, shot, WHY_SKIPPED, watched } from "./chromium.ts";

const folder = mkdtempSync(path.join(tmpdir(), "crucible-call-"));
let browser: Browser;

beforeAll(async () => {
  if (CHROMIUM !== undefined) browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

function written(name: string, text = ""): string {
  const file = path.join(folder, `${name}.svg`);
  const title = { requirement: "RTC.chaos.x", check: `the members agree${text}`, outcome: "fail" };
  writeFileSync(file, callPicture(wholeCall(text), title));
  return pathToFileURL(file).href;
}

const EVIL = `<script>alert(1)</script>"><image href="http://evil.example/x"/>\u202e\u001b[2J]]>&`;

/** Texts that end beyond the right edge, and the size of the smallest letters on the screen. */
async function measured(page: Page): Promise<{ beyond: readonly string[]; smallest: number }> {
  return await page.evaluate(`(() => {
    const texts = [...document.querySelectorAll("text")];
    const width = document.documentElement.getBoundingClientRect().width;
    // A phone shows what is no page as if it were wider; sizes are told without the zoom of the picture itself.
    const shownAs = (screen.width / innerWidth) * document.documentElement.currentCSSZoom;
    return {
      beyond: texts.filter((one) => one.getBoundingClientRect().right > width).map((one) => one.textContent),
      smallest: Math.min(...texts.map((one) => one.getBoundingClientRect().height)) * shownAs,
    };
  })()`);
}

describe.skipIf(CHROMIUM === undefined)(`a call (${CHROMIUM ?? WHY_SKIPPED})`, () => {
  test.each(["light", "dark"] as const)(
    "is drawn without a word of the console: %s",
    async (colorScheme) => {
      const url = written(colorScheme);
      await using view = await watched(browser, { colorScheme });
      await view.page.goto(url);
      expect(
        await view.page.evaluate("document.querySelectorAll('rect.member').length"),
      ).toBeGreaterThan(1);
      const paper = await view.page.evaluate(
        "getComputedStyle(document.querySelector('.paper')).fill",
      );
      expect(paper).toBe(colorScheme === "dark" ? "rgb(16, 19, 24)" : "rgb(255, 255, 255)");
      expect((await measured(view.page)).beyond).toEqual([]);
      expect(view.troubles).toEqual([]);
      expect(view.requests).toEqual([url]);
      await shot(view.page, `call-${colorScheme}`);
    },
  );

  test("runs nothing and asks for nothing, whatever others wrote", async () => {
    const url = written("hostile", EVIL);
    await using view = await watched(browser);
    await view.page.goto(url);
    expect(
      await view.page.evaluate("document.querySelectorAll('script, image, [href]').length"),
    ).toBe(0);
    expect(await view.page.evaluate("document.documentElement.textContent")).toContain(
      "<script>alert(1)",
    );
    expect({ troubles: view.troubles, requests: view.requests }).toEqual({
      troubles: [],
      requests: [url],
    });
  });

  test("can be read on a phone", async () => {
    const context = await browser.newContext({
      viewport: { width: 390, height: 800 },
      isMobile: true,
      hasTouch: true,
    });
    const page = await context.newPage();
    await page.goto(written("phone"));
    const { beyond, smallest } = await measured(page);
    expect(beyond).toEqual([]);
    expect(smallest).toBeGreaterThan(11);
    await shot(page, "call-phone");
    await context.close();
  });

  test("in a page has its name, and nothing that keeps people out", async () => {
    await using view = await watched(browser);
    const svg = callPicture(wholeCall(), {
      requirement: "RTC.chaos.x",
      check: "the members agree",
      outcome: "fail",
    });
    await view.page.setContent(
      `<!doctype html><html lang="en"><title>call</title><main><h1>call</h1>${svg}</main>`,
    );
    expect(await seriousViolations(view.page)).toEqual([]);
    const name = view.page.getByRole("img", { name: "RTC.chaos.x: the members agree, fail" });
    expect(await name.count()).toBe(1);
    expect(view.troubles).toEqual([]);
  });
});
